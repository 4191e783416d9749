// needs: etcd
// Service to service: a program calls a port of its own machine, and reaches a healthy server of the service.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { KeyStore } from '../../src/providers/store.ts'
import { parseExposition } from '../support/exposition.ts'
import { startLoad } from '../support/load.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { put, remove, startRegistry } from '../support/registries.ts'
import { startNamed, type NamedServer } from '../support/servers.ts'

test('no call through a local port fails while the servers of its service are replaced one after the other', async (t) => {
  const registry = await startRegistry(t, 'etcd')
  const keys = await registry.keys()
  const address = `127.0.0.1:${await choosePort()}`
  await put(keys, 'listeners/orders', { address, backend: 'orders' })
  const old: NamedServer[] = []
  for (const name of ['one', 'two', 'three']) old.push(await declare(t, keys, name))
  const program = await startProgram(t, {
    workers: 2,
    data: makeFolder(t),
    sources: { etcd: registry.source },
  })
  const load = startLoad(t, {
    port: program.ports['orders'] ?? 0,
    clients: 4,
    pauseMs: 2,
    request: () => 'GET /orders HTTP/1.1\r\nHost: anything\r\n\r\n',
  })
  await load.more(50)

  for (const { name, close } of old) {
    const next = await declare(t, keys, `new-${name}`)
    await program.until(() => next.requests() > 0, `${next.name} gets requests`)
    // The last one is gone before the registry knows it.
    if (name === 'three') await close()
    await remove(keys, `backends/orders/servers/${name}`)
    await untilGone(program, name)
    if (name !== 'three') await close()
    await load.more(50)
  }
  const report = await load.stop()

  assert.deepEqual([report.failures, report.refused], [[], 0])
  assert.deepEqual(report.statuses, { 200: report.answered })
  const counted = parseExposition((await program.ask('/metrics')).text)
  assert.equal(
    counted.get('sluice_requests_total{code="2xx",frontend="listener/orders"}'),
    report.answered,
  )
  t.diagnostic(`${report.answered} requests, none failed`)
})

async function declare(t: TestContext, keys: KeyStore, name: string): Promise<NamedServer> {
  const server = await startNamed(t, name)
  await put(keys, `backends/orders/servers/${name}`, server.url)
  return server
}

/** It is not declared, and has no request in flight. */
async function untilGone(program: Program, id: string): Promise<void> {
  for (;;) {
    const servers = JSON.parse((await program.ask('/api/servers')).text) as { id: string }[]
    if (servers.every((server) => server.id !== id)) return
  }
}
