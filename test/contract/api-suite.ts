/** What the API promises of objects, over the keys of any registry: the same exchanges, with the same answers. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { drainEndpoints } from '../../src/admin/objects/drain.ts'
import { objectEndpoints } from '../../src/admin/objects/endpoints.ts'
import { vulcandEndpoints } from '../../src/admin/vulcand/endpoints.ts'
import { type Client, createClient, SluiceError } from '../../src/client/client.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { startObjectsSite } from '../support/objects-api.ts'
import { eventually } from '../support/until.ts'

export interface ApiUnderTest {
  /** Below a root of its own. */
  readonly keys: KeyStore
  /** The shortest time to live; null: it has none. */
  readonly ttlMs: number | null
}

export function testApi(
  name: string,
  open: (t: TestContext) => ApiUnderTest | Promise<ApiUnderTest>,
): void {
  async function start(t: TestContext): Promise<{ client: Client; ttlMs: number | null }> {
    const { keys, ttlMs } = await open(t)
    const site = await startObjectsSite(t, {
      keys,
      endpoints: (service) => [
        ...objectEndpoints(service),
        ...drainEndpoints(service),
        ...vulcandEndpoints({ service, isInForce: () => false }),
      ],
    })
    const client = createClient({ baseUrl: site.origin })
    t.after(() => client.close())
    return { client, ttlMs }
  }

  test(`${name}: objects are created, read, replaced, patched, listed and deleted`, async (t) => {
    const { objects } = (await start(t)).client
    const frontend = { route: 'Host("a.test")', backend: 'b' }

    const created = await objects.put('frontend', 'f', frontend)
    const same = await objects.put('frontend', 'f', frontend)
    const patched = await objects.patch('frontend', 'f', { priority: 5, labels: { ä: '\u2028' } })
    const read = await objects.get('frontend', 'f')
    await objects.put('server', 'b/s1', 'http://10.0.0.1:80')
    await objects.put('backend', 'b', {})
    const all = await objects.list()
    const frontends = await objects.list('frontend')
    const removed = await objects.delete('frontend', 'f')

    assert.deepEqual([created.outcome, same.outcome], ['created', 'unchanged'])
    assert.equal(same.revision, created.revision)
    assert.notEqual(patched.revision, created.revision)
    assert.equal(read.revision, patched.revision)
    assert.deepEqual(read.value, { ...frontend, priority: 5, labels: { ä: '\u2028' } })
    assert.deepEqual(all.objects.map(({ kind, id }) => `${kind} ${id}`).toSorted(), [
      'backend b',
      'frontend f',
      'server b/s1',
    ])
    assert.deepEqual(
      frontends.objects.map(({ revision }) => revision),
      [patched.revision],
    )
    assert.equal(removed.outcome, 'deleted')
    assert.equal(await objects.find('frontend', 'f'), null)
    assert.equal(await statusOf(objects.delete('frontend', 'f')), 404)
  })

  test(`${name}: preconditions hold over all writers, also for an object that came again`, async (t) => {
    const { objects } = (await start(t)).client
    const first = (await objects.put('backend', 'b', {}, { ifNoneMatch: '*' })).revision ?? ''
    const second = (await objects.put('backend', 'b', { balance: 'random' }, { ifMatch: first }))
      .revision
    const stale = { ifMatch: first }

    assert.equal(await statusOf(objects.put('backend', 'b', {}, { ifNoneMatch: '*' })), 412)
    assert.equal(await statusOf(objects.put('backend', 'b', {}, stale)), 412)
    assert.equal(await statusOf(objects.patch('backend', 'b', { balance: null }, stale)), 412)
    assert.equal(await statusOf(objects.delete('backend', 'b', stale)), 412)
    assert.equal((await objects.get('backend', 'b')).revision, second)

    await objects.delete('backend', 'b', { ifMatch: second ?? '' })
    assert.equal(await statusOf(objects.put('backend', 'b', {}, { ifMatch: '*' })), 412)
    await objects.put('backend', 'b', { balance: 'peak-ewma' }, { ifNoneMatch: '*' })
    assert.equal(await statusOf(objects.delete('backend', 'b', { ifMatch: second ?? '' })), 412)
    assert.equal(await statusOf(objects.delete('backend', 'b', stale)), 412)
  })

  test(`${name}: what is refused, or only tried, changes nothing`, async (t) => {
    const { objects } = (await start(t)).client
    const before = await objects.put('frontend', 'f', { route: 'Host("a")', backend: 'b' })

    const dry = await objects.patch('frontend', 'f', { priority: 1 }, { dryRun: true })
    const bad = await errorOf(objects.patch('frontend', 'f', { route: 'Hst("a")', colour: 1 }))
    const gone = await objects.delete('frontend', 'f', { dryRun: true })

    assert.deepEqual([dry.dryRun, gone.dryRun], [true, true])
    assert.equal(bad.status, 422)
    assert.deepEqual(bad.problems.map(({ path }) => path.join('.')).toSorted(), ['colour', 'route'])
    assert.equal((await objects.get('frontend', 'f')).revision, before.revision)
  })

  test(`${name}: of concurrent patches none is lost`, async (t) => {
    const { objects } = (await start(t)).client
    await objects.put('frontend', 'f', { route: 'Host("a")', backend: 'b', labels: {} })
    const names = Array.from({ length: 12 }, (_, at) => `l${at}`)

    await Promise.all(
      names.map((label) => objects.patch('frontend', 'f', { labels: { [label]: 'x' } })),
    )

    const { value } = await objects.get('frontend', 'f')
    assert.deepEqual(Object.keys((value as { labels: object }).labels).toSorted(), names.toSorted())
  })

  test(`${name}: an object with a time to live expires, or is refused where there is none`, async (t) => {
    const { client, ttlMs } = await start(t)
    const { objects } = client
    if (ttlMs === null) {
      const refused = objects.put('server', 'b/s', 'http://10.0.0.1:80', { ttl: '10s' })
      assert.equal(await statusOf(refused), 422)
      assert.equal(await objects.find('server', 'b/s'), null)
      return
    }
    await objects.put('server', 'b/s', 'http://10.0.0.1:80', { ttl: ttlMs })
    const { ttlMs: left } = await objects.get('server', 'b/s')

    assert.ok(left !== null && left > 0, String(left))
    await eventually(async () => (await objects.find('server', 'b/s')) === null, 'it expires')
  })

  test(`${name}: vulcand's objects and drain go the same way`, async (t) => {
    const { client } = await start(t)
    const { vulcand } = client
    await vulcand.backends.upsert({ Id: 'b1', Type: 'http' })
    await vulcand.servers('b1').upsert({ Id: 's1', URL: 'http://10.0.0.1:80' })
    await vulcand.frontends.upsert({ Id: 'f1', Type: 'http', Route: 'Host("a")', BackendId: 'b1' })
    await client.objects.put('server', 'b1/s2', 'http://10.0.0.2:80')

    const drained = await client.drain('b1', 's2')
    const inUse = await statusOf(vulcand.backends.delete('b1'))
    await vulcand.frontends.delete('f1')
    await vulcand.backends.delete('b1')

    assert.equal(drained.outcome, 'changed')
    assert.equal(inUse, 409)
    assert.deepEqual((await client.objects.list()).objects, [])
  })
}

async function errorOf(call: Promise<unknown>): Promise<SluiceError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof SluiceError, String(error))
  return error
}

async function statusOf(call: Promise<unknown>): Promise<number | null> {
  return (await errorOf(call)).status
}
