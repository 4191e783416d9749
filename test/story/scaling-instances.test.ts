// needs: etcd, redis-server, consul, zookeeper
// Issue 15, part 3: of two Sluices one scales, requests at either wake it, and the other takes over after a SIGKILL.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { ScaleReport } from '../../src/observe/reports/scale-report.ts'
import { exchange } from '../support/client.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startRegistry, type Registry, type RemoteKind } from '../support/registries.ts'
import { eventually } from '../support/until.ts'

const TAKEOVER_MS = 15_000
const KINDS: readonly RemoteKind[] = ['etcd', 'redis', 'consul-kv', 'zookeeper']

interface Orchestrator {
  readonly port: number
  /** Of the one replica that it can run. */
  readonly server: number
  /** Who wanted how many replicas, in order. */
  readonly told: readonly { readonly by: string; readonly replicas: number; readonly at: number }[]
  /** None runs from now on. */
  stopAll(): void
}

/** Has no replica at first. As a web-hook is told, so many run, of which the first one listens. */
async function startOrchestrator(t: TestContext): Promise<Orchestrator> {
  const server = await choosePort()
  const told: { by: string; replicas: number; at: number }[] = []
  let replicas = 0
  let running: Server | null = null

  function scaleTo(next: number): void {
    replicas = next
    if (next > 0) running ??= createServer((_, response) => response.end('voted')).listen(server)
    else stop()
  }

  function stop(): void {
    running?.close()
    running?.closeAllConnections()
    running = null
  }

  const hook = createServer((request, response) => {
    if (request.method === 'GET') {
      response.end(JSON.stringify({ replicas }))
      return
    }
    let text = ''
    request.on('data', (piece: Buffer) => (text += String(piece)))
    request.on('end', () => {
      const { replicas: wanted } = JSON.parse(text) as { replicas: number }
      told.push({ by: String(request.headers['x-by']), replicas: wanted, at: performance.now() })
      scaleTo(wanted)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(hook, 'listening')
  t.after(() => {
    stop()
    hook.close()
    hook.closeAllConnections()
  })
  const { port } = hook.address() as AddressInfo
  return { port, server, told, stopAll: () => scaleTo(0) }
}

function startInstance(
  t: TestContext,
  name: string,
  { source }: Registry,
  { port, server }: Orchestrator,
): Promise<Program> {
  const url = `http://127.0.0.1:${port}/`
  return startProgram(t, {
    workers: 1,
    sources: { registry: source },
    scaling: { lock: 'registry', instance: name },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      vote: {
        scale: {
          actuator: { webhook: { url, observe: url, headers: { 'X-By': name } } },
          ...{ min: 0, max: 5, concurrency: 10 },
        },
        servers: { one: `http://127.0.0.1:${server}` },
      },
    },
    frontends: { vote: { route: 'PathPrefix("/")', backend: 'vote' } },
  })
}

async function reportOf(program: Program): Promise<ScaleReport> {
  return JSON.parse((await program.ask('/api/scale')).text) as ScaleReport
}

async function isActing(program: Program): Promise<boolean> {
  return (await reportOf(program)).acting
}

async function wish(program: Program, replicas: number): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${program.admin}/api/scale`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ backend: 'vote', replicas }),
  })
  assert.equal(response.status, 200)
  return (await response.json()) as Record<string, unknown>
}

for (const kind of KINDS) {
  test(`${kind}: one of two instances scales from zero for both, and the other within 15 s of its death`, async (t) => {
    const registry = await startRegistry(t, kind)
    const orchestrator = await startOrchestrator(t)
    const [a, b] = await Promise.all(
      ['a', 'b'].map((name) => startInstance(t, name, registry, orchestrator)),
    )
    if (a === undefined || b === undefined) throw new Error('there are two')
    await eventually(
      async () => (await isActing(a)) !== (await isActing(b)) && (await knowsHolder(a, b)),
      'one acts, and both know which',
    )
    const [acting, other] = (await isActing(a)) ? [a, b] : [b, a]
    const [first, second] = acting === a ? ['a', 'b'] : ['b', 'a']

    const cold = await exchange(t, other.port, get('/'))
    const warm = await exchange(t, other.port, get('/'))
    const told = orchestrator.told.map(({ by, replicas }) => [by, replicas])

    assert.deepEqual([cold.status, value(cold, 'x-sluice-cold-start')], [200, 'true'])
    assert.deepEqual([warm.status, value(warm, 'x-sluice-cold-start')], [200, null])
    assert.deepEqual(told, [[first, 1]])

    const wished = await wish(other, 3)
    assert.equal(
      wished['waits'],
      `another instance acts, ${first}, and gets what this one measures`,
    )
    await eventually(() => orchestrator.told.at(-1)?.replicas === 3, 'the wish is fulfilled')

    const killedAt = performance.now()
    acting.signal('SIGKILL')
    await wish(other, 4)
    await eventually(() => orchestrator.told.at(-1)?.by === second, 'the other one scales')
    const tookMs = (orchestrator.told.at(-1)?.at ?? Infinity) - killedAt

    assert.ok(tookMs < TAKEOVER_MS, `it took ${Math.round(tookMs)} ms`)
    assert.deepEqual(
      orchestrator.told.map(({ by, replicas }) => [by, replicas]),
      [
        [first, 1],
        [first, 3],
        [second, 4],
      ],
    )
    t.diagnostic(`taken over ${Math.round(tookMs)} ms after SIGKILL`)
  })
}

async function knowsHolder(a: Program, b: Program): Promise<boolean> {
  const [one, another] = await Promise.all([reportOf(a), reportOf(b)])
  return one.holder !== null && one.holder === another.holder
}
