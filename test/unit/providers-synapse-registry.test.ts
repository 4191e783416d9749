import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRegistryLayout } from '../../src/providers/synapse/registry-layout.ts'
import { createFeedPlanner } from '../../src/providers/synapse/feed-plan.ts'

const NERVE = { method: 'nerve', endpoint: null } as const
const LAYOUT = createRegistryLayout([
  { place: 'web', path: 'web', decode: NERVE },
  { place: 'ads', path: 'team/ads', decode: { method: 'serverset', endpoint: 'admin' } },
  { place: 'conf', path: 'conf/web', decode: null },
])

function read(path: string, text: string): unknown[] {
  const entry = { path, key: `/services/${path}`, text }
  return LAYOUT.read([entry], () => []).map(({ part, value, fault }) => [part, fault ?? value])
}

test('children of a service are its instances, with their numbers as ids', () => {
  const text = '{"host":"10.0.0.1","port":80,"name":"i-1","weight":3,"labels":{"az":"a"}}'

  assert.deepEqual(read('web/i-1_0000000012', text), [
    [
      'web',
      {
        ...{ name: 'i-1', host: '10.0.0.1', port: 80, id: 12, weight: 3 },
        ...{ haproxyOptions: '', labels: { az: 'a' } },
      },
    ],
  ])
})

test('a name that holds its instance needs no data', () => {
  const name = Buffer.from('{"host":"10.0.0.2","port":81}').toString('base64url')

  const [[, found] = []] = read(`web/base64_${name.length}_${name}_0000000001`, '') as [
    string,
    { host: string; id: number },
  ][]

  assert.deepEqual([found?.host, found?.id], ['10.0.0.2', 1])
})

test('a name that cannot be decoded is read by its data', () => {
  const [[, found] = []] = read('web/base64_4_%%%%_1', '{"host":"a","port":1}') as [
    string,
    { host: string },
  ][]

  assert.equal(found?.host, 'a')
})

test('what is no instance is a fault of its own key', () => {
  for (const text of ['{', '[]', '{"host":"a"}', '{"port":1}', '{"host":"a","port":"x"}']) {
    const [[, fault] = []] = read('web/x_1', text) as [string, unknown][]
    assert.equal(typeof fault, 'string', text)
  }
  // A znode that its writer has not filled yet.
  assert.deepEqual(read('web/x_1', ''), [])
})

test('a server set has its additional endpoint, while it is alive', () => {
  const text = (status: string): string =>
    JSON.stringify({
      ...{ status, shard: 4, serviceEndpoint: { host: 'a', port: 1 } },
      additionalEndpoints: { admin: { host: 'b', port: 2 } },
    })

  const [[, found] = []] = read('team/ads/member_0000000003', text('ALIVE')) as [
    string,
    { host: string; name: string },
  ][]

  assert.deepEqual([found?.host, found?.name], ['b', '4'])
  assert.deepEqual(read('team/ads/member_0000000003', text('DEAD')), [])
})

test('the data of a path configures the service, and other paths are not near', () => {
  assert.deepEqual(read('conf/web', '{"haproxy":{"port":1}}'), [['conf', { haproxy: { port: 1 } }]])
  assert.deepEqual(
    ['team', 'team/ads/x', 'conf', 'conf/web', 'web'].map((path) => LAYOUT.isNear?.(path)),
    Array(5).fill(true),
  )
  assert.deepEqual(
    ['other', 'team/bids', 'conf/web/x', 'web/x/y'].map((path) => LAYOUT.isNear?.(path)),
    Array(4).fill(false),
  )
})

test('services of one ensemble share a session, with its hosts in any order', () => {
  const planner = createFeedPlanner()
  planner.registry('zookeeper', ['b:2181', 'a:2181'], '/nerve/services/web/services', NERVE)
  planner.registry('zookeeper', ['a:2181', 'b:2181'], '/nerve/services/ads/services', NERVE)
  planner.registry('zookeeper', ['a:2181', 'b:2181'], '/nerve/services/ads/services', NERVE)
  planner.registry('zookeeper', ['a:2181', 'b:2181'], '/top', NERVE)

  const feeds = planner.feeds().map((feed) => (feed.kind === 'zookeeper' ? feed : null))

  assert.deepEqual(
    feeds.map((feed) => [feed?.prefix, feed?.paths.map(({ path }) => path)]),
    [
      ['/nerve/services', ['web/services', 'ads/services']],
      ['/top', ['']],
    ],
  )
})
