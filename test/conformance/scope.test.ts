// A listener's scope and Listener() in routes: what came in where. vulcand.md 2.2 and 6 (404 outside the scope).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { Gateway } from '../../src/gateway/gateway.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import type { Parsed } from '../../src/model/parsed.ts'
import { parseFrontend, parseListener } from '../../src/schema/objects.ts'
import type { Delta, Frontend, Listener } from '../../src/model/snapshot.ts'
import type { AccessRecord } from '../../src/observe/access-record.ts'
import { systemMs } from '../../src/scoreboard/board-clock.ts'
import { Scoreboard } from '../../src/scoreboard/scoreboard.ts'
import { openClient } from '../support/client.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

interface Site {
  readonly records: readonly AccessRecord[]
  port(listener: string): number
  /** What was reported; a test that expects some empties it. */
  readonly faults: unknown[]
  /** Brings listeners (null: goes away) and frontends into force, the latter by id with their routes. */
  apply(
    listeners: Readonly<Record<string, object | null>>,
    routes?: Readonly<Record<string, string>>,
  ): Promise<void>
  /** The body of a response on a connection of its own. */
  ask(listener: string, path: string): Promise<string>
}

/** Every frontend responds with its id. */
async function startSite(t: TestContext): Promise<Site> {
  const scoreboard = new Scoreboard(1, systemMs())
  const slots = new Map<string, number>()
  const slot = (id: string): number => {
    const known = slots.get(id) ?? scoreboard.allocate()
    slots.set(id, known)
    return known
  }
  const records: AccessRecord[] = []
  const faults: unknown[] = []
  const gateway = new Gateway({
    thread: 0,
    memory: scoreboard.memory(),
    trusted: [],
    admin: { host: '127.0.0.1', port: 0 },
    secret: randomBytes(48),
    ticketKeys: randomBytes(48),
    reusePort: false,
    onNotice: () => {},
    onListenersTried: () => assert.fail('every listener is bound at once'),
    onRecord: (record) => records.push(record),
    onStream: null,
    onShortage: () => {},
    onFault: (fault) => faults.push(fault),
  })
  t.after(async () => {
    gateway.destroy()
    await eventually(() => gateway.connections === 0, 'every connection has left')
    assert.deepEqual(faults, [])
  })
  let number = 0
  let held = scoreboard.size
  return {
    records,
    faults,
    port: (listener) => gateway.ports()[listener] ?? 0,
    async apply(listeners, routes = {}) {
      const objects = Object.entries(listeners).flatMap(([id, declared]) =>
        declared === null ? [] : [listenerOf(id, declared)],
      )
      const gone = Object.keys(listeners).filter((id) => listeners[id] === null)
      const frontends = Object.entries(routes).map(([id, route]) => frontendOf(id, route))
      const placed = <T extends { id: string }>(object: T): { object: T; slot: number } => ({
        object,
        slot: slot(object.id),
      })
      const delta: Delta = {
        number: ++number,
        upserts: {
          listeners: objects.map((object) => ({ ...placed(object), routeSlot: null })),
          backends: [],
          frontends: frontends.map((object) => ({ ...placed(object), states: [] })),
        },
        deletes: { listeners: gone, backends: [], frontends: [] },
      }
      const added = scoreboard.addedSince(held)
      held = scoreboard.size
      await gateway.apply(JSON.parse(JSON.stringify(delta)) as Delta, added)
      assert.deepEqual(gateway.problems(), [])
    },
    async ask(listener, path) {
      const client = await openClient(t, gateway.ports()[listener] ?? 0)
      const response = await client.ask(get(path))
      client.end()
      return response.status === 200
        ? response.body.toString()
        : `${response.status} ${response.body}`
    },
  }
}

function listenerOf(id: string, declared: object): Listener {
  return valueOf(parseListener(id, { address: '127.0.0.1:0', ...declared }, () => ''))
}

function frontendOf(id: string, route: string): Frontend {
  const frontend = valueOf(parseFrontend(id, { route, respond: { status: 200, body: id } }))
  const middlewares = frontend.middlewares.map((spec) => {
    const parsed = parseMiddleware(spec)
    assert.ok(parsed.ok)
    return parsed.value
  })
  return { ...frontend, middlewares }
}

function valueOf<T>(parsed: Parsed<T>): T {
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

const NOT_FOUND = '404 Not Found'

test('a route with Listener() takes only what came in on that listener', async (t) => {
  const site = await startSite(t)
  await site.apply(
    { web: {}, admin: {} },
    { all: 'PathPrefix("/")', inside: 'PathPrefix("/") && Listener("admin")' },
  )

  assert.equal(await site.ask('web', '/'), 'all')
  assert.equal(await site.ask('admin', '/'), 'inside')
})

test('a request outside the scope of its listener finds no route', async (t) => {
  const site = await startSite(t)
  await site.apply(
    { web: {}, partner: { scope: 'PathPrefix("/api")' } },
    { all: 'PathPrefix("/")' },
  )

  assert.equal(await site.ask('partner', '/api/x'), 'all')
  assert.equal(await site.ask('partner', '/'), NOT_FOUND)
  assert.equal(await site.ask('web', '/'), 'all')
  assert.equal(site.records.length, 3)
  assert.deepEqual(
    site.records.map(({ reason, detail }) => [reason, detail]),
    [
      ['RESPOND', ''],
      ['NO_ROUTE', 'outside the scope of the listener'],
      ['RESPOND', ''],
    ],
  )
})

test('a scope changes for connections that are open, and the socket stays', async (t) => {
  const site = await startSite(t)
  await site.apply({ web: {} }, { all: 'PathPrefix("/")' })
  const port = site.port('web')
  const client = await openClient(t, port)
  const ask = async (path: string): Promise<number> => (await client.ask(get(path))).status

  assert.equal(await ask('/'), 200)
  await site.apply({ web: { scope: 'Path("/a")' } })
  assert.deepEqual([await ask('/'), await ask('/a')], [404, 200])
  await site.apply({ web: { scope: 'Path("/b")' } })
  assert.deepEqual([await ask('/a'), await ask('/b')], [404, 200])
  await site.apply({ web: {} })
  assert.equal(await ask('/'), 200)

  assert.equal(site.port('web'), port)
})

test('a listener that goes keeps its scope until its last connection has left', async (t) => {
  const site = await startSite(t)
  await site.apply({ web: { scope: 'Path("/a")' } }, { all: 'PathPrefix("/")' })
  const client = await openClient(t, site.port('web'))
  assert.equal((await client.ask(get('/a'))).status, 200)

  await site.apply({ web: null })

  assert.equal((await client.ask(get('/'))).status, 404)
})

test('a listener whose scope cannot be compiled stays as it was, and is a problem', async (t) => {
  const site = await startSite(t)
  await site.apply({ web: {} }, { all: 'PathPrefix("/")' })

  await assert.rejects(
    site.apply({ web: { scope: 'Path(' } }),
    /listener .*web.* cannot be applied, what was in force stays.*the scope of web/s,
  )
  assert.equal(site.faults.length, 1)
  assert.equal(await site.ask('web', '/'), 'all')

  site.faults.length = 0
  await site.apply({ web: { scope: 'Path("/cart")' } })
  assert.match(await site.ask('web', '/'), /^404 /)
})

test('an https listener without any certificate refuses handshakes and lives on', async (t) => {
  const site = await startSite(t)
  await site.apply({ secure: { protocol: 'https' }, web: {} }, { all: 'PathPrefix("/")' })
  const refusal = await new Promise<string>((resolve) => {
    const socket = connect({
      port: site.port('secure'),
      host: '127.0.0.1',
      servername: 'a.example',
    })
    socket.once('error', ({ message }) => resolve(message))
    socket.once('secureConnect', () => resolve('connected'))
    t.after(() => socket.destroy())
  })

  assert.match(refusal, /alert|handshake|disconnected/)
  assert.equal(await site.ask('web', '/'), 'all')
})
