import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { drainEndpoints } from '../../src/admin/objects/drain.ts'
import { objectEndpoints } from '../../src/admin/objects/endpoints.ts'
import { daemonEndpoints } from '../../src/admin/vulcand/daemon.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { type Client, createClient, SluiceError } from '../../src/client/client.ts'
import type { LogLevel } from '../../src/model/settings.ts'
import { type ObjectsSite, startObjectsSite } from '../support/objects-api.ts'

const FRONTEND = { route: 'Host("a.test")', backend: 'vote' }

async function start(t: TestContext): Promise<{ site: ObjectsSite; client: Client }> {
  let level: LogLevel = 'info'
  const site = await startObjectsSite(t, {
    endpoints: (service) => [
      ...objectEndpoints(service),
      ...drainEndpoints(service),
      ...vulcandEndpoints({ service, isInForce: () => false }),
      ...daemonEndpoints({ level: () => level, setLevel: (next) => (level = next) }),
    ],
  })
  const client = createClient({ baseUrl: site.origin })
  t.after(() => client.close())
  return { site, client }
}

async function errorOf(call: Promise<unknown>): Promise<SluiceError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof SluiceError, String(error))
  return error
}

test('objects are put, read, patched, listed and deleted', async (t) => {
  const { client } = await start(t)
  const { objects } = client

  const created = await objects.put('frontend', 'vote', FRONTEND, { ifNoneMatch: '*' })
  const patched = await objects.patch('frontend', 'vote', { priority: 5 }, { wait: 1000 })
  await objects.put('server', 'vote/v1', 'http://10.0.0.1:80', { ttl: 60_000 })
  const read = await objects.get('frontend', 'vote')
  const list = await objects.list()

  assert.equal(created.outcome, 'created')
  assert.deepEqual(patched.changes, [{ path: 'priority', from: null, to: '5' }])
  assert.equal(patched.status?.state, 'in-force')
  assert.equal(read.revision, patched.revision)
  assert.deepEqual(read.value, { ...FRONTEND, priority: 5 })
  assert.deepEqual(
    list.objects.map(({ kind, id }) => `${kind} ${id}`),
    ['server vote/v1', 'frontend vote'],
  )
  assert.equal((await objects.list('server')).objects[0]?.ttlMs !== null, true)
  assert.equal((await objects.status('frontend', 'vote')).state, 'in-force')
  assert.equal((await objects.wait('frontend', 'vote')).state, 'in-force')
  assert.equal((await objects.delete('frontend', 'vote', { dryRun: true })).dryRun, true)
  assert.equal((await objects.find('frontend', 'vote'))?.id, 'vote')
  assert.equal((await objects.delete('frontend', 'vote')).outcome, 'deleted')
  assert.equal(await objects.find('frontend', 'vote'), null)
  assert.equal((await errorOf(objects.get('frontend', 'vote'))).status, 404)
})

test('of a write that is refused the error has the members that are wrong', async (t) => {
  const { client } = await start(t)

  const error = await errorOf(
    client.objects.put('frontend', 'vote', { ...FRONTEND, route: 'Hst("a")', colour: 1 }),
  )

  assert.equal(error.status, 422)
  assert.match(error.message, /^frontend "vote": .*; nothing was changed$/)
  assert.deepEqual(error.problems.map(({ path }) => path.join('.')).toSorted(), ['colour', 'route'])
  assert.deepEqual([error.method, error.path], ['PUT', '/api/objects/frontend/vote'])
})

test('a precondition that does not hold is an error with the revision of now', async (t) => {
  const { client } = await start(t)
  const { objects } = client
  const first = await objects.put('backend', 'b', {})
  const second = await objects.put('backend', 'b', { balance: 'random' })

  const stale = { ifMatch: first.revision ?? '' }
  const put = await errorOf(objects.put('backend', 'b', {}, stale))
  const removed = await errorOf(objects.delete('backend', 'b', stale))
  const written = await objects.patch(
    'backend',
    'b',
    { balance: null },
    {
      ifMatch: second.revision ?? '',
    },
  )

  assert.deepEqual([put.status, put.revision], [412, second.revision])
  assert.deepEqual([removed.status, removed.revision], [412, second.revision])
  assert.equal(written.outcome, 'changed')
  assert.equal((await errorOf(objects.put('backend', 'b', {}, { ifNoneMatch: '*' }))).status, 412)
})

test('an id with an empty part names no object, and is not sent', async (t) => {
  const { client, site } = await start(t)

  for (const id of ['', '/', 'vote/', '/v1']) {
    assert.throws(() => void client.objects.delete('server', id), TypeError)
  }
  assert.throws(() => void client.vulcand.backends.delete(''), TypeError)
  assert.equal((await errorOf(client.objects.get('frontend', 'a?b'))).status, 400)
  assert.deepEqual(site.logged, [])
})

test('a server is drained and undrained', async (t) => {
  const { client } = await start(t)
  await client.objects.put('server', 'vote/v1', 'http://10.0.0.1:80')

  const dry = await client.drain('vote', 'v1', { dryRun: true })
  const drained = await client.drain('vote', 'v1')
  const value = (await client.objects.get('server', 'vote/v1')).value
  const undrained = await client.undrain('vote', 'v1', { ifMatch: drained.revision ?? '' })

  assert.deepEqual([dry.drain, drained.drain, undrained.drain], [true, true, false])
  assert.deepEqual(value, { url: 'http://10.0.0.1:80', drain: true })
  assert.equal((await errorOf(client.drain('vote', 'v2'))).status, 404)
})

test("vulcand's objects are written and read by its own names", async (t) => {
  const { client } = await start(t)
  const { vulcand } = client

  const backend = await vulcand.backends.upsert({ Id: 'b1', Type: 'http' })
  await vulcand.servers('b1').upsert({ Id: 's1', URL: 'http://10.0.0.1:80' }, { ttl: '1h' })
  await vulcand.frontends.upsert({ Id: 'f1', Type: 'http', Route: 'Host("a")', BackendId: 'b1' })
  await vulcand.middlewares('f1').upsert({
    ...{ Id: 'm1', Type: 'connlimit', Priority: 1 },
    Middleware: { Connections: 1, Variable: 'client.ip' },
  })
  const inUse = await errorOf(vulcand.backends.delete('b1'))
  const missing = await errorOf(vulcand.servers('b1').get('s2'))

  assert.equal(backend.Settings.KeepAlive.MaxIdleConnsPerHost, 0)
  assert.deepEqual(await vulcand.servers('b1').list(), [{ Id: 's1', URL: 'http://10.0.0.1:80' }])
  assert.equal((await vulcand.frontends.get('f1')).Route, 'Host("a")')
  assert.equal((await vulcand.middlewares('f1').list())[0]?.Id, 'm1')
  assert.deepEqual(
    [inUse.status, inUse.message],
    [409, "can not delete backend 'b1', it is in use by [f1]"],
  )
  assert.deepEqual([missing.status, missing.message], [404, 'Key not found'])
  assert.equal(await vulcand.frontends.delete('f1'), 'Frontend deleted')
  assert.equal(await vulcand.setSeverity('debug'), 'Severity has been updated to debug')
  assert.equal(await vulcand.severity(), 'debug')
  assert.equal(await vulcand.status(), 'ok')
})

test('the state of the program is read', async (t) => {
  const { client } = await start(t)

  assert.deepEqual(await client.servers({ backend: 'vote' }), [])
  assert.deepEqual(await client.breakers(), [])
  assert.deepEqual(await client.sources(), [])
  assert.deepEqual((await client.certificates()).certificates, [])
  assert.deepEqual((await client.table({ kind: 'frontend' })).objects, [])
  assert.equal((await client.readiness()).ready, true)
  assert.equal(await client.metrics(), '')
  assert.equal((await errorOf(client.reload('etcd'))).status, 404)
})
