// needs: docker-engine
/** A real engine over TCP with TLS, behind a proxy that does to the link what networks do. A list of many is a fake's. */
import assert from 'node:assert/strict'
import { after, describe, test, type TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { createDockerProvider } from '../../src/providers/docker/docker-provider.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { createAuthority } from '../support/certificates.ts'
import { startDockerEngine } from '../support/docker-engine.ts'
import { dockerSource } from '../support/docker-source.ts'
import { fakeContainer, idOf, startFakeDocker } from '../support/fake-docker.ts'
import { choosePort } from '../support/ports.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { watchRegistry, within } from './registry-watch.ts'

/** How long a silent link may go unnoticed, and what a busy machine adds. */
const SILENCE_MS = 5_500

const authority = createAuthority({ after })
const server = authority.issue('127.0.0.1')
const client = authority.issue('sluice')
const port = await choosePort()
const engine = await startDockerEngine(
  { after },
  {
    args: [
      ...['--host', `tcp://127.0.0.1:${port}`, '--tlsverify', '--tlscacert', authority.certPath],
      ...['--tlscert', server.certPath, '--tlskey', server.keyPath],
    ],
  },
)
const TLS = { ca: authority.certPath, cert: client.certPath, key: client.keyPath }

function providerOf(endpoint: string, tls?: object): Provider {
  const written = { endpoint, ...(tls === undefined ? {} : { tls }) }
  return createDockerProvider(dockerSource(written), { ownId: null })
}

async function open(t: TestContext): Promise<{ provider: Provider; proxy: TcpProxy }> {
  const proxy = await startTcpProxy(t, port)
  return { provider: providerOf(`tcp://${proxy.address}`, TLS), proxy }
}

async function run(name: string): Promise<void> {
  await engine.run(name, { 'sluice.enable': 'true', 'sluice.host': `${name}.test` })
}

test('an engine is read over TLS with a certificate of the client', async (t) => {
  await engine.removeAll()
  await run('web')
  const { provider } = await open(t)
  const watch = watchRegistry(t, provider)

  await watch.next()
  await run('other')
  const { listed } = await watch.until((objects) => objects.has('frontend other'), 'the other')

  assert.ok(watch.objects().has('frontend web'))
  assert.equal(listed, null)
})

for (const [what, tls, reason] of [
  ['no certificate', { ca: authority.certPath }, /certificate|alert|closed/i],
  ['another authority', { cert: client.certPath, key: client.keyPath }, /certificate/i],
  ['no TLS', undefined, /add tls with ca, cert and key/],
] as const) {
  test(`a client with ${what} learns why it is refused`, async (t) => {
    const provider = providerOf(`tcp://127.0.0.1:${port}`, tls)

    await assert.rejects(watchRegistry(t, provider).next(), reason)
  })
}

test('a link that is cut is lost at once', async (t) => {
  const { provider, proxy } = await open(t)
  const watch = watchRegistry(t, provider)
  await watch.next()

  proxy.cutAll()

  assert.ok((await watch.lost(SILENCE_MS)) < 1_000)
})

test('a link that is refused is lost', async (t) => {
  const { provider, proxy } = await open(t)
  await proxy.refuse()

  await watchRegistry(t, provider).lost(SILENCE_MS)
})

describe('silence', { concurrency: true }, () => {
  test('a link that falls silent is lost', async (t) => {
    const { provider, proxy } = await open(t)
    const watch = watchRegistry(t, provider)
    await watch.next()

    proxy.blackhole()

    await watch.lost(SILENCE_MS)
  })

  test('a link that is silent from the beginning is lost', async (t) => {
    const { provider, proxy } = await open(t)
    proxy.blackhole()

    await watchRegistry(t, provider).lost(SILENCE_MS)
  })

  test('a link without events is kept', async (t) => {
    const docker = await startFakeDocker(t)
    const watch = watchRegistry(t, providerOf(docker.endpoint))
    await watch.next()

    const change = watch.next()
    // Nothing to wait for: that nothing happens is what is tested.
    await passed(SILENCE_MS + 1_000)
    docker.start(fakeContainer('late', { 'sluice.enable': 'true', 'sluice.host': 'late.test' }))

    assert.equal((await change).listed, null)
  })
})

test('a watch ends with its signal while its link is silent', async (t) => {
  const { provider, proxy } = await open(t)
  proxy.blackhole()
  const stopping = new AbortController()
  const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()

  const waiting = readings.next()
  await eventually(() => proxy.open() > 0, 'a connection')
  stopping.abort()

  assert.equal((await within(waiting, 1_000, 'its end')).done, true)
})

test('a list is never half, wherever the link is cut', async (t) => {
  const docker = await startFakeDocker(t)
  for (let at = 0; at < 500; at++) {
    const labels = { 'sluice.enable': 'true', 'sluice.host': `c${at}.test` }
    docker.containers.set(idOf(`c${at}`), fakeContainer(`c${at}`, labels))
  }
  const proxy = await startTcpProxy(t, Number(new URL(docker.endpoint).port))
  const provider = providerOf(`tcp://${proxy.address}`)
  let cuts = 0

  for (const bytes of [1, 50, 500, 5_000, 50_000, 150_000, 300_000]) {
    void proxy.cutAfter(bytes)
    const watch = watchRegistry(t, provider)
    const first = await watch.next().catch(() => null)

    const frontends = [...watch.objects().keys()].filter((name) => name.startsWith('frontend '))
    assert.ok(first === null || frontends.length === 500, `cut after ${bytes} bytes`)
    if (first === null) cuts += 1
    await watch.stop().catch(() => {})
    await proxy.pass()
  }

  assert.ok(cuts >= 5, `${cuts} cuts fell into a list`)
})

test('what has changed while the link was away is there with the next watch', async (t) => {
  await engine.removeAll()
  await run('old')
  const { provider, proxy } = await open(t)
  const watch = watchRegistry(t, provider)
  await watch.next()

  await proxy.refuse()
  await watch.lost(SILENCE_MS)
  await engine.removeAll()
  await run('new')
  await proxy.pass()
  const again = watchRegistry(t, provider)
  const { listed } = await again.next()

  assert.equal(listed, 'first')
  assert.ok(again.objects().has('frontend new') && !again.objects().has('frontend old'))
})
