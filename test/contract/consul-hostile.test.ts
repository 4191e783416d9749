// needs: consul
/** A Consul that answers nonsense. The real one is behind a proxy of ours, which answers in its place. */
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { createConsulProvider } from '../../src/providers/consul/consul-provider.ts'
import { createConsulKvProvider } from '../../src/providers/consul-kv/consul-kv-provider.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { consulKvSource, consulSource } from '../support/consul-source.ts'
import { startConsul } from '../support/consul.ts'
import {
  startHttpFaultProxy,
  type Fault,
  type HttpFaultProxy,
} from '../support/http-fault-proxy.ts'
import { createLayout } from '../support/layouts.ts'
import { watchRegistry, type Objects } from './registry-watch.ts'

const server = await startConsul({ after })
for (const Name of ['good', 'bad']) {
  await server.register({
    Name,
    Port: 80,
    Tags: ['sluice.enable=true', `sluice.host=${Name}.test`],
  })
}

const MIB = 1 << 20

function* times(count: number, piece: string): Generator<string> {
  for (let i = 0; i < count; i++) yield piece
}

/** By what it is: what the error says, and the answer. */
const NONSENSE: Readonly<Record<string, readonly [reason: RegExp, fault: () => Fault]>> = {
  '10 MiB that are no JSON': [/not JSON/, () => ({ body: times(10, 'x'.repeat(MIB)) })],
  '100 MiB': [/more than \d+ bytes/, () => ({ body: times(100, '['.repeat(MIB)) })],
  'JSON of 10,000 levels': [/levels/, () => ({ body: ['['.repeat(10_000) + ']'.repeat(10_000)] })],
  'a million members': [
    /members|is not a|something that is not/,
    () => ({ body: ['[', ...times(20, '{},'.repeat(100_000)), '{}]'] }),
  ],
  'a text': [/not a|something that is not/, () => ({ body: ['"hello"'] })],
  'a redirect': [/301/, () => ({ status: 301, headers: { location: 'http://127.0.0.1:1/' } })],
  'an error of a megabyte': [
    /500/,
    () => ({ status: 500, body: [`no\n\u001b[31m${'x'.repeat(MIB)}`] }),
  ],
}

for (const [what, [reason, fault]] of Object.entries(NONSENSE)) {
  test(`${what} for the list of keys or of services ends the watch with the reason, in bounded memory`, async (t) => {
    const { proxy, providers } = await openBoth(t)
    const before = process.memoryUsage().rss
    proxy.fail((path) => (path.startsWith('/v1/status/') ? null : fault()))

    for (const provider of providers) {
      const error = await watchRegistry(t, provider)
        .next()
        .then(
          () => null,
          (error: unknown) => error,
        )

      assert.ok(error instanceof Error, `${provider.name} throws`)
      assert.match(error.message, reason)
      assert.match(error.message, /^[\P{C}]{1,600}$/u)
    }
    const grown = (process.memoryUsage().rss - before) / MIB
    assert.ok(grown < 300, `${grown.toFixed(0)} MiB more`)
  })

  test(`${what} for one service sets aside only that service`, async (t) => {
    const { proxy, providers } = await openBoth(t)
    proxy.fail((path) => (path === '/v1/health/service/bad' ? fault() : null))
    const [catalogue] = providers
    const watch = watchRegistry(t, catalogue)

    const { problems } = await watch.next()

    assert.deepEqual(namesOf(watch.objects(), 'frontend'), ['good'])
    assert.deepEqual(
      problems.map(({ key }) => key),
      ['service bad'],
    )
  })
}

test('indexes that overflow, are negative or are none are not sent back, and the sources go on', async (t) => {
  for (const index of ['99999999999999999999', '-1', '0', 'NaN', '']) {
    const { proxy, providers } = await openBoth(t)
    const headers = { 'x-consul-index': index }
    const services = JSON.stringify({ good: ['sluice.enable=true', 'sluice.host=good.test'] })
    proxy.fail((path) => {
      if (path === '/v1/catalog/services') return { headers, body: [services] }
      return path.startsWith('/v1/kv/') ? { headers, body: ['[]'] } : null
    })

    for (const provider of providers) await watchRegistry(t, provider).next()

    const asked = proxy.seen.filter((path) => !path.startsWith('/v1/status'))
    assert.ok(asked.length < 20, `${asked.length} requests for the index "${index}"`)
  }
})

test('entries that are no instances, that are there twice, or whose names are no ids set aside only themselves', async (t) => {
  const { proxy, providers } = await openBoth(t)
  const [catalogue] = providers
  const entry = (service: object, node: object = { Node: 'n', Address: '10.0.0.1' }): object => ({
    Node: node,
    Service: {
      Service: 'good',
      Port: 80,
      Tags: ['sluice.enable=true', 'sluice.host=good.test'],
      ...service,
    },
    Checks: [],
  })
  const entries = [
    null,
    7,
    'x',
    {},
    { Node: {}, Service: {} },
    entry({ ID: 'a' }),
    entry({ ID: 'a', Port: 81 }),
    entry({ ID: '../ü/ 💥' }),
    entry({ ID: '__proto__' }),
    entry({ ID: 'tags', Tags: { 0: 'sluice.enable=true' } }),
    entry({ ID: 'port', Port: 99_999_999_999 }),
    entry({ ID: 'weights', Port: 82, Weights: { Passing: 1e300 }, Meta: [] }),
    entry({ ID: 'host', Port: 83, Address: 'http://[evil' }),
  ]
  const body = [JSON.stringify(entries)]
  proxy.fail((path) =>
    path === '/v1/health/service/good' ? { headers: { 'x-consul-index': '9' }, body } : null,
  )
  const watch = watchRegistry(t, catalogue)

  const { problems } = await watch.next()

  const servers = namesOf(watch.objects(), 'server').filter((id) => id.startsWith('good/'))
  assert.equal(servers.length, 6, servers.join())
  assert.ok(servers.includes('good/n:a'))
  assert.ok(problems.some(({ message }) => message === 'has 5 entries that are no instances'))
  assert.match(watch.objects().get('server good/n:port')?.fault ?? '', /has no port/)
  assert.equal(({} as { polluted?: true }).polluted, undefined)
})

test('of a million services the first 10,000 with tags of ours are read, and a problem counts the rest', async (t) => {
  const { proxy, providers } = await openBoth(t)
  const [catalogue] = providers
  const names = Array.from({ length: 100_000 }, (_, i) => `"s${i}":["sluice.enable=true"]`)
  proxy.fail((path) => {
    if (path === '/v1/catalog/services') return { body: [`{${names.join()}}`] }
    return path.startsWith('/v1/health/service/') ? { body: ['[]'] } : null
  })
  const watch = watchRegistry(t, catalogue)

  const { problems } = await watch.next()

  assert.match(
    problems.map(({ message }) => message).join(),
    /has 90000 services beyond the 10000 that are read/,
  )
})

test('services whose names are too long are not read, and a problem counts them', async (t) => {
  const { proxy, providers } = await openBoth(t)
  const [catalogue] = providers
  const services = { good: ['sluice.enable=true'], ['n'.repeat(256)]: ['sluice.enable=true'] }
  proxy.fail((path) => {
    if (path === '/v1/catalog/services') return { body: [JSON.stringify(services)] }
    return path.startsWith('/v1/health/service/') ? { body: ['[]'] } : null
  })
  const watch = watchRegistry(t, catalogue)

  const { problems } = await watch.next()

  assert.deepEqual(
    problems.map(({ key, message }) => `${key} ${message}`),
    ['catalogue has 1 services with names of more than 255 characters, which are not read'],
  )
})

interface Both {
  readonly proxy: HttpFaultProxy
  /** Of services, and of keys. */
  readonly providers: readonly [Provider, Provider]
}

async function openBoth(t: TestContext): Promise<Both> {
  const proxy = await startHttpFaultProxy(t, server.port)
  const kv = consulKvSource([proxy.address])
  return {
    proxy,
    providers: [
      createConsulProvider(consulSource([proxy.address])),
      createConsulKvProvider(kv, createLayout('sluice', kv)),
    ],
  }
}

function namesOf(objects: Objects, wanted: string): readonly string[] {
  return [...objects.values()].flatMap(({ kind, id }) => (kind === wanted ? [id] : [])).sort()
}
