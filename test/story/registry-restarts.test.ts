// needs: etcd
// Issue: "Fail static". A start while something is wrong with a registry: what served before it serves again.
import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, spawnProgram, startProgram, toText, type Program } from '../support/program.ts'
import {
  createStore,
  putFrontends,
  putServers,
  startRegistry,
  type Registry,
} from '../support/registries.ts'
import { startNamed } from '../support/servers.ts'
import { reportOf, tableOf, untilSource } from '../support/sources.ts'

async function statusAt(t: TestContext, program: Program, host: string): Promise<number> {
  const client = await openClient(t, program.port)
  return (await client.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status
}

async function openRegistry(t: TestContext, kind: 'etcd' | 'store'): Promise<Registry> {
  const registry =
    kind === 'etcd' ? await startRegistry(t, kind) : createStore(t, join(makeFolder(t), 'store.db'))
  const { url } = await startNamed(t, 'one')
  await putServers(await registry.keys(), [url])
  await putFrontends(await registry.keys(), 3)
  return registry
}

async function configOf(t: TestContext, { kind, source }: Registry): Promise<object> {
  return {
    workers: 1,
    data: makeFolder(t),
    start: '1s',
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    sources: { [kind]: source },
  }
}

/** It has served, and what it served is saved. */
async function serveOnce(t: TestContext, config: object, kind: string): Promise<void> {
  const program = await startProgram(t, config)
  await untilSource(program, kind, ({ lastGood }) => lastGood?.savedAt != null, 'it is saved')
  program.signal('SIGTERM')
  await program.ended()
}

for (const kind of ['etcd', 'store'] as const) {
  test(`${kind} holds a malformed object at a start: its last good version serves`, async (t) => {
    const registry = await openRegistry(t, kind)
    const config = await configOf(t, registry)
    await serveOnce(t, config, kind)
    const keys = await registry.keys()
    await keys.put('frontends/f1/frontend', '{"route":', {})
    await keys.put('backends/b/servers/s0', '"ftp://10.0.0.1"', {})

    const program = await startProgram(t, config)
    await untilSource(program, kind, ({ state }) => state === 'live', 'live')

    assert.equal(await statusAt(t, program, 'f1.test'), 200)
    const { setAside } = await tableOf(program)
    assert.deepEqual(
      setAside.map(({ kind: of, id, serving }) => [of, id, serving]),
      [
        ['server', 'b/s0', true],
        ['frontend', 'f1', true],
      ],
    )
  })
}

test('a store that is damaged before a start: its last good snapshot serves', async (t) => {
  const registry = await openRegistry(t, 'store')
  const config = await configOf(t, registry)
  await serveOnce(t, config, 'store')
  await (await registry.keys()).close()
  truncateSync(String(registry.source['path']), 5_000)

  const program = await startProgram(t, config)

  assert.equal(await statusAt(t, program, 'f2.test'), 200)
  const { state, error, lastGood } = await reportOf(program, 'store')
  assert.deepEqual([state === 'live', lastGood?.serving], [false, true])
  assert.match(error ?? '', /the file is damaged/)
})

for (const workers of [0, 1]) {
  test(`a start that waits for a registry ends at once by SIGTERM, with ${workers} workers`, async (t) => {
    const folder = makeFolder(t)
    const config = join(folder, 'sluice.json')
    const listeners = { web: { address: `127.0.0.1:${await choosePort()}` } }
    const sources = { etcd: { endpoints: [`127.0.0.1:${await choosePort()}`] } }
    writeFileSync(config, toText({ workers, start: '1h', data: folder, listeners, sources }))
    const program = spawnProgram(t, ['serve', '--config', config])
    await program.until(
      () =>
        program.log().find(({ msg }) => msg.includes('cannot be read yet')) ?? program.failure(),
      'it waits',
      20_000,
    )

    program.signal('SIGTERM')
    const { code } = await program.ended(3_000)

    assert.equal(code, 0)
    assert.ok(program.log().every(({ msg }) => msg !== 'serving'))
  })
}
