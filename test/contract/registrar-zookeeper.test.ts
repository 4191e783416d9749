// needs: zookeeper
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { openConnection } from '../../src/providers/zookeeper/client/connection.ts'
import {
  getChildren,
  getData,
  remove,
  type ZookeeperRequest,
} from '../../src/providers/zookeeper/client/requests.ts'
import {
  openTestRegistrar,
  registration,
  startRegistrarProcess,
  type WrittenRegistry,
} from '../support/registrars.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { startZookeeper, type Zookeeper } from '../support/zookeeper.ts'
import { testRegistrar, TTL_MS, type RegistryOfRegistrar } from './registrar-suite.ts'

/** ZooKeeper ends sessions at its ticks, which are of 200 ms here. */
const OPTIONS = { tickMs: 400 }

/** One JVM for all tests that leave it alone, each with a root of its own. */
const shared = await startZookeeper({ after })
let roots = 0

testRegistrar('zookeeper', open, OPTIONS)
testRegistrar("zookeeper with nerve's layout", (t, server) => open(t, server, 'nerve'), {
  ...OPTIONS,
  laterPort: 8080,
})

async function open(
  t: TestContext,
  which: 'own' | 'shared',
  layout: 'sluice' | 'nerve' = 'sluice',
): Promise<RegistryOfRegistrar> {
  const server = which === 'own' ? await startZookeeper(t) : shared
  const root = `/app-${++roots}`
  const proxy = await startTcpProxy(t, server.port)
  const written = (endpoint: string): WrittenRegistry => ({
    ...{ kind: 'zookeeper', endpoints: `${endpoint}${root}`, layout, ttl: `${TTL_MS}ms` },
  })
  const parentOf = (service: string): string =>
    layout === 'nerve'
      ? `${root}/services/${service}`
      : `${root}/sluice/backends/${service}/servers`
  return {
    written: written(server.endpoint),
    proxied: written(proxy.address),
    ...{ proxy, server },
    async ports(service) {
      const nodes = await nodesOf(server, parentOf(service))
      return nodes.map(({ text }) => portOf(text)).sort((a, b) => a - b)
    },
    async remove(service, id) {
      const nodes = await nodesOf(server, parentOf(service))
      const node = nodes.find(({ path }) => path.includes(`/${id}`))
      assert.ok(node !== undefined)
      await ask(server, remove(node.path))
    },
  }
}

async function ask<T>({ endpoint }: Zookeeper, request: ZookeeperRequest<T>): Promise<T> {
  const options = { username: null, password: null, tls: null }
  const listener = { onEvent: () => {}, onEnd: () => {} }
  const connection = await openConnection(endpoint, options, listener)
  try {
    return await connection.call(request)
  } finally {
    connection.close()
  }
}

interface Node {
  readonly path: string
  readonly text: string
}

/** [] if there is no such parent. */
async function nodesOf(server: Zookeeper, parent: string): Promise<readonly Node[]> {
  const orNone = (error: Error): null => {
    if (/no such znode/.test(error.message)) return null
    throw error
  }
  const names = (await ask(server, getChildren(parent)).catch(orNone)) ?? []
  const found: Node[] = []
  for (const name of names.toSorted()) {
    const path = `${parent}/${name}`
    const node = await ask(server, getData(path)).catch(orNone)
    if (node !== null) found.push({ path, text: node.data.toString() })
  }
  return found
}

function portOf(text: string): number {
  const { url, port } = JSON.parse(text) as { url?: string; port?: number }
  return port ?? Number(new URL(url ?? '').port)
}

test("zookeeper has nerve's znodes under the path of the service, with numbers", async (t) => {
  const written = { kind: 'zookeeper', endpoints: shared.endpoint, layout: 'nerve' }
  const { registrar, states } = await openTestRegistrar(t, written)
  const path = '/nerve/services/web/services'
  const more = { weight: 3, labels: { zone: 'a' }, haproxyServerOptions: 'backup' }

  registrar.put(registration({ path, ...more }))
  registrar.put(registration({ path, service: 'web_admin', port: 8081 }))
  await eventually(() => states.length === 2, 'both are registered')
  const nodes = await nodesOf(shared, path)

  assert.deepEqual(nodes.map((node) => node.path.slice(path.length)).sort(), [
    '/one_0000000000',
    '/one_0000000001',
  ])
  const texts = nodes.map(({ text }) => text).sort()
  assert.deepEqual(texts, [
    '{"host":"127.0.0.1","port":8080,"name":"one","weight":3,"haproxy_server_options":"backup","labels":{"zone":"a"}}',
    '{"host":"127.0.0.1","port":8081,"name":"one"}',
  ])
})

for (const layout of ['sluice', 'nerve'] as const) {
  test(`zookeeper has one znode at once after a killed process was started again, with layout ${layout}`, async (t) => {
    const registry = await open(t, 'shared', layout)
    const written = { ...registry.written, ttl: '20s' }
    const killed = await startRegistrarProcess(t, written, registration())
    await killed.registered()
    await killed.end('SIGKILL')
    const before = await registry.ports('web')

    const { registrar, is } = await openTestRegistrar(t, written)
    registrar.put(registration())
    await is('registered')

    assert.deepEqual([before, await registry.ports('web')], [[8080], [8080]])
  })
}

test('zookeeper has one znode of two processes that begin at the same moment with one id', async (t) => {
  const registry = await open(t, 'shared', 'nerve')
  const [first, second] = await Promise.all([
    openTestRegistrar(t, registry.written),
    openTestRegistrar(t, registry.written),
  ])
  await Promise.all([first, second].map(({ until, links }) => until(() => links.length > 0, 'up')))
  for (const service of ['one', 'two', 'three', 'four', 'five']) {
    const before = first.states.length + second.states.length

    first.registrar.put(registration({ service }))
    second.registrar.put(registration({ service }))
    await eventually(
      () => first.states.length + second.states.length >= before + 2,
      'both have written',
    )
    await eventually(
      () =>
        [first, second].filter(({ states }) => states.at(-1)?.status === 'replaced').length === 1,
      'one of them is told',
    )

    assert.deepEqual(await registry.ports(service), [8080], service)
  }
})
