// A listener that names a backend: its requests go there without routes.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'
import { COUNT } from '../../src/scoreboard/layout.ts'

const ADDRESS = '127.0.0.1:0'

/** Responses of status 2xx of listeners with a backend. */
function responses({ placed, scoreboard }: TestGateway): Record<string, number> {
  const routes = [...placed().listeners].flatMap(({ route }) => route ?? [])
  return Object.fromEntries(
    routes.map(({ id, slot }) => [id, scoreboard.sum(slot, COUNT.status + 2)]),
  )
}

async function startBackends(t: TestContext): Promise<Record<'orders' | 'users', object>> {
  const [orders, users] = await Promise.all([startNamed(t, 'orders'), startNamed(t, 'users')])
  return {
    orders: { servers: { one: `http://127.0.0.1:${orders.port}` } },
    users: { servers: { one: `http://127.0.0.1:${users.port}` } },
  }
}

test('requests of a listener with a backend go there, and routes of frontends do not matter', async (t) => {
  const backends = await startBackends(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: ADDRESS }, orders: { address: ADDRESS, backend: 'orders' } },
    backends,
    frontends: { all: { route: 'PathPrefix("/")', priority: 9, backend: 'users' } },
  })

  const direct = await exchange(t, gateway.ports['orders'] ?? 0, get('/any'))
  const routed = await exchange(t, gateway.ports['web'] ?? 0, get('/any'))

  assert.deepEqual([String(direct.body), String(routed.body)], ['orders', 'users'])
  assert.deepEqual(
    gateway.records().map(({ listener, frontend, backend }) => [listener, frontend, backend]),
    [
      ['orders', 'listener/orders', 'orders'],
      ['web', 'all', 'users'],
    ],
  )
})

test('another backend applies from the next request of an open connection, also if the old one goes', async (t) => {
  const { orders, users } = await startBackends(t)
  const listening = (backend: string): object => ({
    listeners: { orders: { address: ADDRESS, backend } },
  })
  const gateway = await startGateway(t, { ...listening('orders'), backends: { orders } })
  const client = await openClient(t, gateway.ports['orders'] ?? 0)

  const before = await client.ask(get('/'))
  await gateway.apply({ ...listening('users'), backends: { users } })
  const after = await client.ask(get('/'))

  assert.deepEqual([String(before.body), String(after.body)], ['orders', 'users'])
  assert.deepEqual(gateway.problems(), [])
})

test('a listener that loses its backend serves routes from the next request on', async (t) => {
  const backends = await startBackends(t)
  const rest = { backends, frontends: { all: { route: 'PathPrefix("/")', backend: 'users' } } }
  const gateway = await startGateway(t, {
    ...rest,
    listeners: { orders: { address: ADDRESS, backend: 'orders' } },
  })
  const client = await openClient(t, gateway.ports['orders'] ?? 0)

  const before = await client.ask(get('/'))
  await gateway.apply({ ...rest, listeners: { orders: { address: ADDRESS } } })
  const after = await client.ask(get('/'))

  assert.deepEqual([String(before.body), String(after.body)], ['orders', 'users'])
})

test('requests outside of the scope find no route', async (t) => {
  const { orders } = await startBackends(t)
  const scope = 'PathPrefix("/v1")'
  const gateway = await startGateway(t, {
    listeners: { orders: { address: ADDRESS, backend: 'orders', scope } },
    backends: { orders },
  })
  const client = await openClient(t, gateway.port)

  const inside = await client.ask(get('/v1/2'))
  const outside = await client.ask(get('/v2'))

  assert.deepEqual([inside.status, outside.status], [200, 404])
  assert.equal(gateway.records().at(-1)?.frontend, '')
})

test('a listener with a backend is counted as a frontend of its name, and as no more once it is gone', async (t) => {
  const { orders } = await startBackends(t)
  const listeners = { orders: { address: ADDRESS, backend: 'orders' }, web: { address: ADDRESS } }
  const gateway = await startGateway(t, { listeners, backends: { orders } })
  await exchange(t, gateway.ports['orders'] ?? 0, get('/'))

  const counted = responses(gateway)
  await gateway.apply({ listeners: { web: { address: ADDRESS } }, backends: { orders } })

  assert.deepEqual(counted, { 'listener/orders': 1 })
  assert.deepEqual(responses(gateway), {})
})
