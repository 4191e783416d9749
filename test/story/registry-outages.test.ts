// needs: etcd, redis-server, zookeeper
// Issue: "Fail static". Registries that are lost, empty, silent or late, and what the traffic notices of it: nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startLoad, type Load, type Report } from '../support/load.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import {
  REMOTE_KINDS,
  putFrontend,
  putFrontends,
  putServers,
  startRegistry,
  type RemoteRegistry,
} from '../support/registries.ts'
import { startNamed } from '../support/servers.ts'
import { act, frontendsOf, metricsOf, reportOf, untilSource } from '../support/sources.ts'
import { eventually } from '../support/until.ts'

const FRONTENDS = 40
/** The bar, and what a busy machine adds. */
const SILENCE_MS = 5_000 + 500

interface Stage {
  readonly registry: RemoteRegistry
  readonly config: object
  readonly program: Program
  readonly load: Load
}

/** A program that serves all of the registry, under steady load. */
async function setStage(
  t: TestContext,
  kind: RemoteRegistry['kind'],
  shrink: object = {},
): Promise<Stage> {
  const registry = await startRegistry(t, kind)
  const servers = [await startNamed(t, 'one'), await startNamed(t, 'two')]
  await putServers(
    await registry.keys(),
    servers.map(({ url }) => url),
  )
  await putFrontends(await registry.keys(), FRONTENDS)
  const config = {
    workers: 2,
    data: makeFolder(t),
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    sources: { [kind]: { ...registry.source, shrink } },
  }
  const program = await startProgram(t, config)
  return { registry, config, program, load: loadOn(t, program) }
}

function loadOn(t: TestContext, program: Program): Load {
  let turn = 0
  return startLoad(t, {
    port: program.port,
    clients: 6,
    // Enough that one is under way at any moment, and the machine has time for what is tested.
    pauseMs: 15,
    request: () => `GET / HTTP/1.1\r\nHost: f${turn++ % FRONTENDS}.test\r\n\r\n`,
  })
}

function assertUntouched(report: Report): void {
  assert.deepEqual(report.failures, [])
  assert.deepEqual(Object.keys(report.statuses), ['200'])
  assert.equal(report.refused, 0)
}

async function statusAt(t: TestContext, program: Program, host: string): Promise<number> {
  const client = await openClient(t, program.port)
  return (await client.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status
}

async function untilStatus(
  t: TestContext,
  program: Program,
  host: string,
  status: number,
): Promise<void> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const seen = await statusAt(t, program, host)
    if (seen === status) return
    assert.ok(performance.now() < deadline, `${host} answers ${seen}, not ${status}`)
  }
}

/** Not those of an attempt to reach it, which may come between two looks. */
function untilStaleMetrics(
  program: Program,
  name: string,
): Promise<Readonly<Record<string, number>>> {
  return eventually(async () => {
    const metrics = await metricsOf(program, name)
    return metrics['state:stale'] === 1 && metrics
  }, 'the metrics say that it is stale')
}

for (const kind of [...REMOTE_KINDS, 'zookeeper'] as const) {
  test(`${kind} is killed under load, away and back with its data: no request and no route is lost`, async (t) => {
    const { registry, program, load } = await setStage(t, kind)
    await load.more(200)

    await registry.server.kill()
    const stale = await untilSource(program, kind, ({ state }) => state === 'stale', 'stale')
    const metrics = await untilStaleMetrics(program, kind)
    const { losses } = await reportOf(program, kind)
    await load.more(500)
    const ready = await program.ask('/readyz')
    await registry.server.start()
    const live = await untilSource(program, kind, ({ state }) => state === 'live', 'live')
    await putFrontend(await registry.keys(), 'later')
    await untilStatus(t, program, 'later.test', 200)
    await load.more(200)
    const report = await load.stop()

    assertUntouched(report)
    assert.ok((await frontendsOf(program)).length === FRONTENDS + 1)
    assert.ok((stale.error ?? '') !== '', 'it says why')
    assert.equal(metrics['state:stale'], 1)
    assert.equal(metrics['state:live'], 0)
    const counted = metrics['losses_total'] ?? 0
    assert.ok(counted >= stale.losses && counted <= losses, `${counted} losses`)
    assert.equal(ready.status, 200)
    assert.equal(live.error, null)
    assert.equal(live.held, null)
    t.diagnostic(`${report.answered} requests, none failed`)
  })

  test(`${kind} comes back with nothing: that is held, reported and accepted after the hold`, async (t) => {
    const { registry, program, load } = await setStage(t, kind, { hold: '1s' })
    await load.more(100)

    await registry.server.wipe()
    await registry.server.start()
    const { held } = await untilSource(program, kind, (report) => report.held !== null, 'held')
    const began = performance.now()
    const metrics = await metricsOf(program, kind)
    const atHold = await load.stop()
    const alarmed = program
      .log()
      .filter(({ level, msg }) => level === 'warn' && /is empty/.test(msg))
    await untilSource(program, kind, (report) => report.held === null, 'no hold')
    await untilStatus(t, program, 'f0.test', 404)
    const heldMs = performance.now() - began

    assertUntouched(atHold)
    assert.ok((held?.objects ?? 0) >= FRONTENDS, JSON.stringify(held))
    assert.ok(held?.until !== null)
    assert.match(held?.reason ?? '', /empty/)
    assert.ok((metrics['held_objects'] ?? 0) >= FRONTENDS)
    assert.ok(alarmed.length > 0, 'the log says so')
    assert.ok(heldMs > 500 && heldMs < 6_000, `${heldMs} ms`)
    assert.deepEqual(await frontendsOf(program), [])
  })
}

for (const kind of REMOTE_KINDS) {
  test(`${kind} comes back with nothing, and an operator who was to decide confirms it`, async (t) => {
    const { registry, program, load } = await setStage(t, kind, { hold: 'forever' })
    await load.more(100)
    assert.equal(await act(program, kind, 'confirm'), 409)

    await registry.server.wipe()
    await registry.server.start()
    const { held } = await untilSource(program, kind, (report) => report.held !== null, 'held')
    // A second list says the same: that confirms nothing here.
    assert.equal(await act(program, kind, 'reload'), 200)
    await load.more(300)
    const { held: still } = await reportOf(program, kind)
    const atHold = await load.stop()
    assert.equal(await act(program, kind, 'confirm'), 200)
    await untilStatus(t, program, 'f0.test', 404)

    assertUntouched(atHold)
    assert.equal(held?.until, null)
    assert.ok((still?.objects ?? 0) >= FRONTENDS)
    assert.equal((await reportOf(program, kind)).held, null)
    assert.equal(await act(program, 'nobody', 'confirm'), 404)
  })

  test(`${kind} is filled again while its emptiness is held: nothing was ever gone`, async (t) => {
    const { registry, program, load } = await setStage(t, kind, { hold: 'forever' })
    await load.more(100)
    const urls = (await (await registry.keys()).list())
      .filter(({ path }) => path.startsWith('backends/'))
      .map(({ text }) => JSON.parse(text) as string)

    await registry.server.wipe()
    await registry.server.start()
    await untilSource(program, kind, (report) => report.held !== null, 'held')
    await putServers(await registry.keys(), urls)
    await putFrontends(await registry.keys(), FRONTENDS)
    await untilSource(program, kind, (report) => report.held === null, 'nothing held any more')
    await load.more(200)

    assertUntouched(await load.stop())
    assert.equal((await frontendsOf(program)).length, FRONTENDS)
  })

  test(`${kind} is away when Sluice starts again: it serves what was good last, and is ready`, async (t) => {
    const { registry, config, program, load } = await setStage(t, kind)
    await load.more(50)
    await untilSource(program, kind, ({ lastGood }) => lastGood?.savedAt != null, 'saved')
    await load.stop()
    await registry.server.kill()
    program.signal('SIGKILL')
    await program.ended()

    const again = await startProgram(t, config)
    const load2 = loadOn(t, again)
    await load2.more(500)
    const away = await reportOf(again, kind)
    const ready = await again.ask('/readyz')
    await registry.server.start()
    const live = await untilSource(again, kind, ({ state }) => state === 'live', 'live')
    await load2.more(200)

    assertUntouched(await load2.stop())
    assert.equal((await frontendsOf(again)).length, FRONTENDS)
    assert.equal(ready.status, 200)
    assert.notEqual(away.state, 'live')
    assert.equal(away.lastGood?.serving, true)
    assert.equal(live.lastGood?.serving, false)
  })

  test(`${kind} falls silent: that is reported within 5 s, and the traffic goes on`, async (t) => {
    const { registry, program, load } = await setStage(t, kind)
    await load.more(100)

    registry.proxy.blackhole()
    const began = performance.now()
    await untilSource(program, kind, ({ state }) => state === 'stale', 'stale', SILENCE_MS)
    const noticedMs = performance.now() - began
    const metrics = await untilStaleMetrics(program, kind)
    await load.more(500)
    await registry.proxy.pass()
    await untilSource(program, kind, ({ state }) => state === 'live', 'live')
    await load.more(100)

    assertUntouched(await load.stop())
    assert.equal(metrics['state:stale'], 1)
    assert.equal((await frontendsOf(program)).length, FRONTENDS)
    t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms`)
  })
}
