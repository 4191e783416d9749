/** What a Marathon does to its clients, done by a fake of it: see test/support/fake-marathon.ts. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import {
  createMarathonProvider,
  type MarathonOptions,
  type MarathonTiming,
} from '../../src/providers/marathon/marathon-provider.ts'
import { SourceRefused, type Provider } from '../../src/providers/provider.ts'
import { startFakeMarathon, type FakeMarathon } from '../support/fake-marathon.ts'
import { createApp, HTTP_CHECK, type TaskForm } from '../support/marathon-apps.ts'
import { marathonSource } from '../support/marathon-source.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { watchRegistry, within, type Objects, type RegistryWatch } from './registry-watch.ts'

const LABELS = { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: 'shop.example' }
const T1: TaskForm = { id: 't1', host: '10.0.0.1', ports: [31_001] }
const T2: TaskForm = { id: 't2', host: '10.0.0.2', ports: [31_002] }
/** How long a silent link may go unnoticed, and what a busy machine adds. */
const SILENCE_MS = 5_500
const PASSWORD = 'Basic c2x1aWNlOnNlY3JldA=='

function open(
  { endpoints }: Pick<FakeMarathon, 'endpoints'>,
  options: Partial<MarathonOptions> = {},
  timing: MarathonTiming = {},
): Provider {
  return createMarathonProvider(marathonSource(endpoints, options), timing)
}

function putShop(fake: FakeMarathon, ...tasks: TaskForm[]): void {
  fake.put(createApp({ id: '/shop', labels: LABELS, tasks }))
}

function serversOf(objects: Objects): string {
  return [...objects.values()]
    .flatMap(({ kind, id }) => (kind === 'server' ? (id.split('/')[1] ?? '') : []))
    .sort()
    .join()
}

const has =
  (servers: string) =>
  (objects: Objects): boolean =>
    serversOf(objects) === servers

/** The error that the watch ends with, whatever it yields before. */
async function failureOf(t: TestContext, provider: Provider): Promise<Error> {
  const watch = watchRegistry(t, provider)
  for (;;) {
    const outcome = await watch.next().catch((error: unknown) => error)
    if (outcome instanceof Error) return outcome
  }
}

/** Reads of apps so far: `all`, or the id. */
function readsOf({ requests }: FakeMarathon): readonly string[] {
  return requests.flatMap((request) => {
    const path = request.split(' ')[1] ?? ''
    if (!path.startsWith('/v2/apps')) return []
    return path.startsWith('/v2/apps?') ? 'all' : path.slice('/v2/apps'.length).replace(/\?.*/, '')
  })
}

test('a task that is being killed is out at once, by a read of its app alone', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1, T2)
  fake.put(createApp({ id: '/other', labels: LABELS }))
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  const before = readsOf(fake).length

  fake.task('/shop', { id: 't1', state: 'TASK_KILLING' })
  const { changes } = await watch.until(has('t2'), 'the task is out')

  assert.deepEqual(changes?.deletes, [{ kind: 'server', id: 'shop_10000/t1' }])
  assert.deepEqual(new Set(readsOf(fake).slice(before)), new Set(['/shop']))
})

test('a task joins when its first health result is good, however late that is', async (t) => {
  const fake = await startFakeMarathon(t)
  const app = createApp({ id: '/shop', labels: LABELS, healthChecks: [HTTP_CHECK], tasks: [T1] })
  fake.put(app)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  assert.equal(serversOf(watch.objects()), '')

  fake.task('/shop', { id: 't1', alive: [true] })
  await watch.until(has('t1'), 'the task is in')
  fake.task('/shop', { id: 't1', alive: [false] })
  await watch.until(has(''), 'the task is out')
})

test('several documents in one event are all read', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  fake.put(createApp({ id: '/web', labels: LABELS, servicePorts: [10_001] }))
  const watch = watchRegistry(t, open(fake))
  await watch.next()

  fake.joined(() => {
    fake.task('/shop', T2)
    fake.task('/web', { ...T1, id: 'w1' })
  })

  await watch.until(has('t1,t2,w1'), 'both apps are read')
})

test('events that do not matter cause no read, also from versions that ignore the filter', async (t) => {
  const fake = await startFakeMarathon(t, { version: '1.3.6' })
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  const before = readsOf(fake).length

  fake.emit('framework_message_event', '{"eventType":"framework_message_event"}')
  fake.emit('subscribe_event', '{"eventType":"subscribe_event"}')
  fake.keepAlive()
  fake.task('/shop', T2)
  await watch.until(has('t1,t2'), 'the event behind them is read')

  assert.deepEqual(readsOf(fake).slice(before), ['/shop'])
})

test('an event of megabytes is news of any app, and the stream goes on', async (t) => {
  const fake = await startFakeMarathon(t, { version: '1.6.0' })
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  const before = readsOf(fake).length

  fake.quietly(() => fake.task('/shop', T2))
  fake.emit('deployment_info', `{"eventType":"deployment_info","plan":"${'x'.repeat(3 << 20)}"}`)
  await watch.until(has('t1,t2'), 'all apps are read')
  fake.removeTask('/shop', 't1')
  await watch.until(has('t2'), 'the event behind it is read')

  assert.deepEqual(readsOf(fake).slice(before), ['all', '/shop'])
})

test('an event that is not JSON is news of any app', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()

  fake.quietly(() => fake.task('/shop', T2))
  fake.emit('status_update_event', '['.repeat(10_000))

  await watch.until(has('t1,t2'), 'all apps are read')
})

test('what no event reports is found by the periodic read', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake, {}, { reconcileMs: 200 }))
  await watch.next()

  fake.quietly(() => fake.task('/shop', T2))
  const { listed } = await watch.until(has('t1,t2'), 'it is found')

  assert.equal(listed, 'reconcile')
})

test('a read of one app that fails becomes a read of all', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  fake.override('/v2/apps/shop', (_request, response) => void response.writeHead(500).end('{}'))

  fake.task('/shop', T2)
  await watch.until(has('t1,t2'), 'it is read')
  fake.override('/v2/apps/shop', null)
  fake.remove('/shop')

  await watch.until((objects) => objects.size === 0, 'the app is gone')
})

test('a 404 of a gateway removes no app', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  const before = readsOf(fake).length
  fake.override('/v2/apps/shop', (_request, response) => void response.writeHead(404).end('{}'))

  fake.task('/shop', T2)
  await watch.until(has('t1,t2'), 'all apps are read instead')

  assert.deepEqual(readsOf(fake).slice(before).at(-1), 'all')
})

test('an app that cannot be read stays as it was', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()

  fake.put({ id: '/shop', labels: { HAPROXY_GROUP: 7 }, tasks: [], version: 'v' })
  const { problems } = await watch.next()

  assert.equal(serversOf(watch.objects()), 't1')
  assert.deepEqual(
    problems.map(({ key, message }) => [key, message]),
    [['app /shop', 'label "HAPROXY_GROUP" is not text']],
  )
})

test('a stream that is cut ends the watch at once, and the next one has what was missed', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const provider = open(fake)
  const watch = watchRegistry(t, provider)
  await watch.next()

  fake.cutStreams()
  assert.ok((await watch.lost(SILENCE_MS)) < 1_000)
  fake.task('/shop', T2)
  const again = watchRegistry(t, provider)
  const { listed } = await again.next()

  assert.equal(listed, 'first')
  assert.equal(serversOf(again.objects()), 't1,t2')
})

for (const standby of ['events', 'proxy', 'all'] as const) {
  test(`a new leader is followed where standbys ${standby === 'proxy' ? 'proxy' : 'redirect'} (${standby})`, async (t) => {
    const fake = await startFakeMarathon(t, { nodes: 3, standby, authorization: PASSWORD })
    putShop(fake, T1)
    const provider = open(fake, { authorization: PASSWORD })
    const watch = watchRegistry(t, provider)
    await watch.next()

    fake.lead(2)
    await watch.lost(1_000)
    const again = watchRegistry(t, provider)
    await again.next()
    fake.task('/shop', T2)
    await again.until(has('t1,t2'), 'events of the new leader')

    assert.ok(fake.credentials.flat().every((one) => one === PASSWORD))
  })
}

test('an endpoint that is down is passed over', async (t) => {
  const fake = await startFakeMarathon(t, { nodes: 3 })
  putShop(fake, T1)
  fake.lead(1)
  await fake.stop(0)

  const watch = watchRegistry(t, open(fake))
  await watch.next()

  assert.equal(serversOf(watch.objects()), 't1')
})

test('without a leader the source is lost, and found again with the next one', async (t) => {
  const fake = await startFakeMarathon(t, { nodes: 2 })
  putShop(fake, T1)
  fake.lead(null)
  const provider = open(fake)

  const failure = await failureOf(t, provider)
  fake.lead(1)
  const watch = watchRegistry(t, provider)
  await watch.next()

  assert.match(failure.message, /responds to \/v2\/events.* with 502: Could not determine the/)
  assert.equal(serversOf(watch.objects()), 't1')
})

test('a redirect to another host gets no credentials, and without any it is followed', async (t) => {
  const fake = await startFakeMarathon(t, { nodes: 2, standby: 'all', authorization: PASSWORD })
  const free = await startFakeMarathon(t, { nodes: 2, standby: 'all' })
  putShop(free, T1)
  fake.lead(1)
  free.lead(1)
  const [first = ''] = fake.endpoints
  const [other = ''] = free.endpoints

  const refused = await failureOf(t, open({ endpoints: [first] }, { authorization: PASSWORD }))
  const watch = watchRegistry(t, open({ endpoints: [other] }))
  await watch.next()

  assert.ok(refused instanceof SourceRefused)
  assert.match(
    refused.message,
    /redirects to "http:\/\/127.0.0.1:\d+", which is not among the endp/,
  )
  assert.deepEqual(fake.credentials[1], [])
  assert.equal(serversOf(watch.objects()), 't1')
})

test('a redirect from TLS to plain text, to itself, or to nowhere is not followed', async (t) => {
  const places = ['/v2/events', 'ftp://127.0.0.1/', 'http://[', '//', 'http://127.0.0.1:1/x']
  const server = createServer((_request, response) => {
    response.writeHead(307, { location: places[0] }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const endpoints = [`127.0.0.1:${(server.address() as AddressInfo).port}`]

  for (const _ of [...places]) {
    const failure = await failureOf(t, open({ endpoints }))

    assert.match(failure.message, /redirects|cannot read/)
    places.shift()
  }
})

for (const [what, authorization] of [
  ['no password', null],
  ['a wrong password', 'Basic d3Jvbmc='],
] as const) {
  test(`${what} is a refusal, without the password in its message`, async (t) => {
    const fake = await startFakeMarathon(t, { authorization: PASSWORD })

    const failure = await failureOf(t, open(fake, { authorization }))

    assert.ok(failure instanceof SourceRefused)
    assert.match(failure.message, /^Marathon at .* with 40[13]/)
    assert.doesNotMatch(failure.message, /d3Jvbmc/)
  })
}

// These only wait, each for a link of its own.
describe('marathon and silence', { concurrency: true }, () => {
  async function openProxied(
    t: TestContext,
    timing?: MarathonTiming,
  ): Promise<{
    fake: FakeMarathon
    provider: Provider
    proxy: Awaited<ReturnType<typeof startTcpProxy>>
  }> {
    const fake = await startFakeMarathon(t)
    putShop(fake, T1)
    const proxy = await startTcpProxy(t, Number(fake.endpoints[0]?.split(':')[1]))
    return { fake, proxy, provider: open({ endpoints: [proxy.address] }, {}, timing) }
  }

  test('an open link that falls silent is lost', async (t) => {
    const { provider, proxy } = await openProxied(t)
    const watch = watchRegistry(t, provider)
    await watch.next()

    proxy.blackhole()

    await watch.lost(SILENCE_MS)
  })

  test('connections that are accepted in silence are a loss', async (t) => {
    const { provider, proxy } = await openProxied(t)
    proxy.blackhole()

    await watchRegistry(t, provider).lost(SILENCE_MS)
  })

  test('a stream without its empty lines is lost, although pings are answered', async (t) => {
    const { provider } = await openProxied(t, { idleMs: 300 })
    const watch = watchRegistry(t, provider)
    await watch.next()

    await watch.lost(SILENCE_MS)
  })

  test('a stream with nothing but empty lines stays', async (t) => {
    const { provider, fake } = await openProxied(t, { idleMs: 1_000 })
    const watch = watchRegistry(t, provider)
    await watch.next()

    const beats = setInterval(() => fake.keepAlive(), 100)
    t.after(() => clearInterval(beats))
    const next = watch.next()
    setTimeout(() => fake.task('/shop', T2), 2_000)
    const { listed } = await next

    assert.equal(listed, null)
    assert.equal(serversOf(watch.objects()), 't1,t2')
  })

  test('a watch ends while its link is silent', async (t) => {
    const { provider, proxy } = await openProxied(t)
    proxy.blackhole()
    const stopping = new AbortController()
    const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()

    const waiting = readings.next()
    await eventually(() => proxy.open() > 0, 'a connection')
    stopping.abort()

    assert.equal((await within(waiting, 1_000, 'its end')).done, true)
  })
})

test('a list is whole or not there, wherever the connection is cut', async (t) => {
  const fake = await startFakeMarathon(t)
  for (let i = 0; i < 100; i++) {
    fake.put(
      createApp({ id: `/app-${i}`, labels: LABELS, servicePorts: [10_000 + i], tasks: [T1] }),
    )
  }
  const proxy = await startTcpProxy(t, Number(fake.endpoints[0]?.split(':')[1]))
  let cuts = 0

  for (const bytes of [1, 400, 700, 2_000, 20_000, 90_000]) {
    const cut = proxy.cutAfter(bytes)
    const watch = watchRegistry(t, open({ endpoints: [proxy.address] }))
    const first = await watch.next().catch(() => null)

    if (first === null) cuts++
    else
      assert.equal(
        [...watch.objects().values()].filter(({ kind }) => kind === 'backend').length,
        100,
      )
    await watch.stop().catch(() => {})
    await proxy.pass()
    void cut
  }

  assert.ok(cuts >= 5, `${cuts} cuts fell into a list`)
})

const respondWith =
  (write: (response: ServerResponse) => void) =>
  (_request: unknown, response: ServerResponse): void =>
    write(response)

for (const [what, respond, reason] of [
  ['10 MB of nonsense', respondWith((r) => r.end('x'.repeat(10 << 20))), /is not JSON/],
  ['JSON of 10,000 levels', respondWith((r) => r.end('['.repeat(10_000))), /more than \d+ levels/],
  ['JSON without apps', respondWith((r) => r.end('{"items":[]}')), /has no list of apps/],
  ['an empty body', respondWith((r) => r.end()), /has no list of apps/],
  ['a page of a gateway', respondWith((r) => r.end('<html>')), /is not JSON/],
  ['a list without an end', respondWith(pourForEver), /more than \d+ bytes/],
] as const) {
  test(`${what} instead of apps is a loss that names Marathon`, async (t) => {
    const fake = await startFakeMarathon(t)
    fake.override('/v2/apps', respond)

    const failure = await failureOf(t, open(fake))

    assert.match(failure.message, /of Marathon at http:\/\/127\.0\.0\.1:\d+: /)
    assert.match(failure.message, reason)
    assert.ok(failure.message.length < 500)
  })
}

function pourForEver(response: ServerResponse): void {
  response.write('{"apps":[')
  const pour = (): void => {
    while (!response.destroyed && response.write('{},'.repeat(100_000)));
    if (!response.destroyed) response.once('drain', pour)
  }
  pour()
}

test('an event without an end costs no more memory than its limit', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  const before = process.memoryUsage().heapUsed

  fake.send('event: deployment_info\r\ndata: ')
  const mebibyte = 'x'.repeat(1 << 20)
  for (let sent = 0; sent < 200; sent++) {
    fake.send(mebibyte)
    await new Promise((resolve) => setImmediate(resolve))
  }
  fake.quietly(() => fake.task('/shop', T2))
  fake.send('\r\n\r\n')
  await watch.until(has('t1,t2'), 'the end of the event is news')

  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 100 << 20, `the heap has grown by ${grown >> 20} MiB`)
})

test('events without a pause do not keep a change from being read', async (t) => {
  const fake = await startFakeMarathon(t)
  putShop(fake, T1)
  const watch = watchRegistry(t, open(fake))
  await watch.next()
  let isOver = false
  const flood = (): void => {
    if (isOver) return
    for (let i = 0; i < 50; i++) fake.emit('status_update_event', '{"appId":"/shop"}')
    setImmediate(flood)
  }
  t.after(() => void (isOver = true))

  flood()
  fake.quietly(() => fake.task('/shop', T2))

  await watch.until(has('t1,t2'), 'it is read')
})

test('the text form is polled, and a version without it is told from a broken one', async (t) => {
  const fake = await startFakeMarathon(t)
  fake.put(createApp({ id: '/shop', tasks: [T1] }))
  const options = { read: 'tasks', pollMs: 100, servicePorts: '127.0.0.1' } as const
  const watch = watchRegistry(t, open(fake, options))
  await watch.next()
  assert.equal(serversOf(watch.objects()), '10.0.0.1:31001')

  fake.task('/shop', T2)
  await watch.until(has('10.0.0.1:31001,10.0.0.2:31002'), 'it is read')
  fake.override(
    '/v2/tasks',
    respondWith((r) => r.end('{"tasks":[]}')),
  )
  const failure = await failureOf(t, open(fake, options))

  assert.equal(fake.streams(), 0)
  assert.match(failure.message, /has no tasks as text: versions from 1.10 on do not/)
})

test('apps are polled where there is no event stream', async (t) => {
  const fake = await startFakeMarathon(t)
  fake.override(
    '/v2/events',
    respondWith((r) => void r.writeHead(404).end()),
  )
  putShop(fake, T1)
  const watch: RegistryWatch = watchRegistry(t, open(fake, { pollMs: 100 }))
  await watch.next()

  fake.task('/shop', { id: 't1', state: 'TASK_KILLING' })

  const { listed } = await watch.until(has(''), 'it is read')
  assert.equal(listed, null)
})

test('behind a gateway every path begins with that of the source', async (t) => {
  const fake = await startFakeMarathon(t)
  const seen: string[] = []
  fake.override('/service/marathon', (request, response) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    seen.push(path)
    if (path.endsWith('/events')) response.flushHeaders()
    else response.end('{"apps":[]}')
  })

  await watchRegistry(t, open(fake, { path: '/service/marathon' })).next()

  assert.deepEqual(
    new Set(seen),
    new Set(['/service/marathon/v2/events', '/service/marathon/v2/apps']),
  )
})
