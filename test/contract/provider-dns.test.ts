// DNS as a source, against a fake DNS server (test/support/dns-server.ts). What control makes of it: test/story/names-source.test.ts.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createDnsProvider } from '../../src/providers/dns/dns-provider.ts'
import type { DnsBackend } from '../../src/providers/dns/source.ts'
import type { Declaration, Provider, Unreadable } from '../../src/providers/provider.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import {
  startDnsServer,
  type DnsBehavior,
  type DnsServer,
  type DnsService,
} from '../support/dns-server.ts'
import { testProvider, watchProvider, type Declared, type Watcher } from './provider-suite.ts'

const SRV = '_http._tcp.vote.test'

/** Names are looked up again after 20 ms. */
function openProvider(dns: DnsServer, ...backends: readonly Partial<DnsBackend>[]): Provider {
  const resolver = resolverSchema.parse({ servers: [dns.address], search: [], attempts: 1 })
  const normal = { id: 'vote', name: SRV, scheme: 'http', port: null } as const
  const typeOf = ({ port = null }: Partial<DnsBackend>): DnsBackend['type'] =>
    port === null ? 'SRV' : 'A'
  return createDnsProvider({
    name: 'dns',
    readsHosts: false,
    resolver: { ...resolver, timeoutMs: 200, minTtlMs: 20, maxTtlMs: 20 },
    backends: backends.map((one) => ({ ...normal, type: typeOf(one), ...one })),
  })
}

/** By object id, as declared. */
function serversOf(reading: Declaration | Unreadable): Readonly<Record<string, unknown>> {
  assert.ok(reading.readable)
  return Object.fromEntries(Array.from(reading.objects, ({ id, value }) => [id, value]))
}

/** `one` and `two` are servers at addresses of their own. */
const ADDRESSES: Declared = {
  one: '127.0.0.1',
  two: '127.0.0.2',
  of: (reading) =>
    Object.fromEntries(
      Object.keys(serversOf(reading)).map((id) => {
        const address = /\/(.*):/.exec(id)?.[1] ?? ''
        return [address === ADDRESSES.one ? 'one' : 'two', address]
      }),
    ),
}

async function openSource(
  t: TestContext,
  backend: Partial<DnsBackend>,
  behave: (addresses: Readonly<Record<string, string>>) => DnsBehavior,
): ReturnType<Parameters<typeof testProvider>[1]> {
  const dns = await startDnsServer(t)
  let isDead = false
  return {
    provider: openProvider(dns, backend),
    async write(addresses) {
      dns.set(backend.name ?? SRV, behave(addresses))
      dns.setAll(null)
      if (isDead) await dns.comeBack()
      isDead = false
    },
    spoil: () => Promise.resolve(dns.setAll('garbage')),
    async remove() {
      isDead = true
      await dns.die()
    },
  }
}

const services = (addresses: Readonly<Record<string, string>>): DnsBehavior => ({
  services: Object.keys(addresses).map((id) => ({ port: 80, target: `${id}.test` })),
  additional: Object.fromEntries(
    Object.entries(addresses).map(([id, address]) => [`${id}.test`, [address]]),
  ),
  ttl: 0,
})

testProvider('the dns provider, of SRV records,', (t) => openSource(t, {}, services), ADDRESSES)
testProvider(
  'the dns provider, of addresses,',
  (t) =>
    openSource(t, { name: 'vote.test', port: 80 }, (addresses) => {
      return { addresses: Object.values(addresses), ttl: 0 }
    }),
  ADDRESSES,
)

async function watching(
  t: TestContext,
  names: Readonly<Record<string, DnsBehavior>>,
  ...backends: readonly Partial<DnsBackend>[]
): Promise<{ readonly dns: DnsServer; readonly watcher: Watcher; readonly provider: Provider }> {
  const dns = await startDnsServer(t, names)
  const provider = openProvider(dns, ...backends)
  return { dns, provider, watcher: watchProvider(t, provider) }
}

test('an SRV record is a server with its port, its weight and the name of its target; the others are backups by priority', async (t) => {
  const { watcher } = await watching(
    t,
    {
      [SRV]: {
        services: [
          { priority: 10, weight: 3, port: 8080, target: 'One.test' },
          { priority: 10, weight: 0, port: 8081, target: 'two.test' },
          { priority: 20, weight: 5, port: 8082, target: 'six.test' },
        ],
        additional: { 'one.test': ['10.0.0.1', '2001:db8::1'], 'two.test': ['10.0.0.2'] },
      },
      'six.test': { addresses: ['2001:db8::6'] },
    },
    { scheme: 'https' },
  )

  const first = await watcher.next()

  assert.deepEqual(serversOf(first), {
    'vote/10.0.0.1:8080': {
      url: 'https://10.0.0.1:8080',
      hostname: 'one.test',
      weight: 3,
      backup: false,
    },
    'vote/10.0.0.2:8081': {
      url: 'https://10.0.0.2:8081',
      hostname: 'two.test',
      weight: 1,
      backup: false,
    },
    'vote/2001:db8::6:8082': {
      url: 'https://[2001:db8::6]:8082',
      hostname: 'six.test',
      weight: 5,
      backup: true,
    },
  })
  assert.deepEqual(first.problems, [])
})

test('weights above 1000 are scaled, so that their ratio stays', async (t) => {
  const service = (weight: number, port: number): DnsService => ({
    weight,
    port,
    target: 'one.test',
  })
  const { watcher } = await watching(
    t,
    {
      [SRV]: {
        services: [service(60_000, 1), service(30_000, 2), service(1, 3)],
        additional: { 'one.test': ['10.0.0.1'] },
      },
    },
    {},
  )

  const weights = Object.values(serversOf(await watcher.next())).map((value) => {
    return (value as { weight: number }).weight
  })

  assert.deepEqual(weights, [1000, 500, 1])
})

test('more records than fit into a datagram are fetched over TCP', async (t) => {
  const targets = Array.from({ length: 300 }, (_, at) => `s${at}.test`)
  const { watcher } = await watching(
    t,
    {
      [SRV]: {
        services: targets.map((target) => ({ port: 80, target })),
        additional: Object.fromEntries(
          targets.map((target, at) => [target, [`10.0.${at >> 8}.${at & 255}`]]),
        ),
      },
    },
    {},
  )

  assert.equal(Object.keys(serversOf(await watcher.next())).length, 300)
})

test('a dead name delays no other, keeps what was declared of it before, and is a list once it is read', async (t) => {
  const { dns, watcher } = await watching(
    t,
    { 'dead.test': 'hang', 'web.test': { addresses: ['10.0.0.1'] } },
    { id: 'web', name: 'web.test', port: 80 },
    { id: 'dead', name: 'dead.test', port: 80 },
  )
  const began = performance.now()

  const first = await watcher.next()
  const tookMs = performance.now() - began
  assert.ok(first.readable)
  const old = { kind: 'server', id: 'dead/10.0.0.9:80', value: {}, key: '', part: 'dead' } as const
  assert.deepEqual(Object.keys(serversOf(first)), ['web/10.0.0.1:80'])
  assert.deepEqual(
    [first.isUnread?.(old), first.isUnread?.({ ...old, part: 'web' })],
    [true, false],
  )
  assert.ok(tookMs < 1_500, `${tookMs} ms`)

  dns.set('dead.test', { addresses: ['10.0.0.2'] })
  const isRead = (reading: Declaration | Unreadable): boolean =>
    'dead/10.0.0.2:80' in serversOf(reading)
  let reading = first
  while (!isRead(reading)) reading = await next(watcher)
  assert.equal(reading.listed, 'read')
  assert.equal(reading.isUnread?.(old), false)
})

async function next(watcher: Watcher): Promise<Declaration> {
  const reading = await watcher.next()
  assert.ok(reading.readable)
  return reading
}

test('one address that changes is a change; a backend that loses all of them is a list without it', async (t) => {
  const { dns, watcher } = await watching(
    t,
    {
      'web.test': { addresses: ['10.0.0.1', '10.0.0.2'] },
      'api.test': { addresses: ['10.0.1.1'] },
    },
    { id: 'web', name: 'web.test', port: 80 },
    { id: 'api', name: 'api.test', port: 80 },
  )
  await watcher.next()

  dns.set('web.test', { addresses: ['10.0.0.2', '10.0.0.3'] })
  const changed = await next(watcher)
  assert.deepEqual(
    changed.changes?.upserts.map(({ id }) => id),
    ['web/10.0.0.3:80'],
  )
  assert.deepEqual(
    changed.changes?.deletes.map(({ id }) => id),
    ['web/10.0.0.1:80'],
  )

  dns.set('web.test', 'nxdomain')
  const emptied = await next(watcher)
  assert.equal(emptied.listed, 'emptied')
  assert.deepEqual(Object.keys(serversOf(emptied)), ['api/10.0.1.1:80'])
  assert.match(emptied.problems[0]?.message ?? '', /web\.test has no server: .*NXDOMAIN/)
})

test('a failed lookup changes nothing and is reported; a list that is requested meanwhile confirms no absence', async (t) => {
  const { dns, watcher, provider } = await watching(
    t,
    { 'web.test': { addresses: ['10.0.0.1'] }, 'api.test': { addresses: ['10.0.1.1'] } },
    { id: 'web', name: 'web.test', port: 80 },
    { id: 'api', name: 'api.test', port: 80 },
  )
  await watcher.next()

  dns.set('web.test', 'servfail')
  const failing = await next(watcher)
  assert.deepEqual(failing.changes, { upserts: [], deletes: [] })
  assert.match(failing.problems[0]?.message ?? '', /SERVFAIL; its last 1 servers stay/)
  assert.equal(Object.keys(serversOf(failing)).length, 2)

  dns.set('web.test', 'nxdomain')
  let reading = failing
  while (reading.listed !== 'emptied') reading = await next(watcher)
  dns.set('web.test', 'hang')
  provider.reload()
  const asked = await next(watcher)
  const held = { kind: 'server', id: 'web/10.0.0.1:80', value: {}, key: '', part: 'web' } as const
  assert.equal(asked.listed, 'asked')
  assert.equal(asked.isUnread?.(held), true)
})

test('a server that takes no TCP connections is asked over UDP, and what does not fit there is a failure', async (t) => {
  const { dns, watcher } = await watching(t, { [SRV]: services({ one: '127.0.0.1' }) }, {})
  await watcher.next()

  await dns.closeTcp()
  dns.set(SRV, services({ two: '127.0.0.2' }))
  const changed = await next(watcher)
  assert.deepEqual(Object.keys(serversOf(changed)), ['vote/127.0.0.2:80'])

  const many = Array.from({ length: 100 }, (_, at) => [`s${at}`, `10.0.0.${at}`] as const)
  dns.set(SRV, services(Object.fromEntries(many)))
  await assert.rejects(next(watcher), /too long for UDP, and TCP is refused/)
})

test('a port of the entry replaces those of the records', async (t) => {
  const { watcher } = await watching(
    t,
    { [SRV]: services({ one: '10.0.0.1' }) },
    { type: 'SRV', port: 636 },
  )

  assert.deepEqual(Object.keys(serversOf(await watcher.next())), ['vote/10.0.0.1:636'])
})

test('a target of "." and records that cannot be used are no servers', async (t) => {
  const { watcher } = await watching(
    t,
    { [SRV]: { services: [{ port: 0, target: '' }] }, 'web.test': { addresses: ['10.0.0.1'] } },
    {},
    { id: 'web', name: 'web.test', port: 80 },
  )

  const first = await watcher.next()

  assert.deepEqual(Object.keys(serversOf(first)), ['web/10.0.0.1:80'])
  assert.match(first.problems[0]?.message ?? '', /name no server/)
})

test('a target that cannot be resolved leaves out that server alone', async (t) => {
  const { watcher } = await watching(
    t,
    {
      [SRV]: {
        services: [
          { port: 80, target: 'one.test' },
          { port: 80, target: 'gone.test' },
        ],
        additional: { 'one.test': ['10.0.0.1'] },
      },
    },
    {},
  )

  const first = await watcher.next()

  assert.deepEqual(Object.keys(serversOf(first)), ['vote/10.0.0.1:80'])
  assert.match(
    first.problems[0]?.message ?? '',
    /its server gone\.test cannot be resolved: .*NXDOMAIN/,
  )
})

test('the second DNS server is asked if the first one fails', async (t) => {
  const bad = await startDnsServer(t)
  bad.setAll('servfail')
  const good = await startDnsServer(t, { [SRV]: services({ one: '127.0.0.1' }) })
  const servers = [bad.address, good.address]
  const provider = createDnsProvider({
    name: 'dns',
    readsHosts: false,
    resolver: resolverSchema.parse({ servers, attempts: 1 }),
    backends: [{ id: 'vote', name: SRV, type: 'SRV', scheme: 'http', port: null }],
  })

  const first = await watchProvider(t, provider).next()

  assert.deepEqual(Object.keys(serversOf(first)), ['vote/127.0.0.1:80'])
})
