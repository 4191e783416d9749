// facts/wire.md 4: responses of the proxy's own that are larger than what a socket takes at once, and the connection after them.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { openClient, openTlsClient, type Client } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'
import { SHARED } from '../../src/scoreboard/layout.ts'
import { eventually } from '../support/until.ts'

/** 125 KB of text, nearly as many characters as `respond` takes. */
const BODY = 'é'.repeat(60_000) + 'x'.repeat(5_000)
const LENGTH = Buffer.byteLength(BODY)

async function start(
  t: TestContext,
  timeouts: object = {},
): Promise<{ gateway: TestGateway; secure: () => Promise<Client> }> {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('a.test')
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: {
      web: { address: '127.0.0.1:0', timeouts },
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: certPath, key: keyPath }] },
      },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends: {
      large: {
        route: 'PathPrefix("/large")',
        respond: { status: 200, body: BODY },
      },
      error: {
        route: 'PathPrefix("/error")',
        respond: { status: 503, body: BODY },
      },
      rest: { route: 'PathPrefix("/")', backend: 'b' },
    },
  })
  const options = { servername: 'a.test', ca: authority.cert }
  return { gateway, secure: () => openTlsClient(t, gateway.ports['secure'] ?? 0, options) }
}

test('a connection goes on after a large response of the proxy over TLS', async (t) => {
  const { secure } = await start(t)
  const client = await secure()

  for (const target of ['/large', '/error', '/', '/large', '/large']) {
    const response = await client.ask(get(target))
    assert.equal(response.body.length, target === '/' ? 2 : LENGTH, target)
  }
})

test('a slow reader that pipelines gets every large response of the proxy, in order', async (t) => {
  const { gateway, secure } = await start(t)

  for (const client of [await openClient(t, gateway.port), await secure()]) {
    const before = gateway.records().length
    client.stopReading()
    for (let i = 0; i < 100; i++) client.send(get(`/large/${i}`))
    await eventually(() => gateway.records().length > before, 'the first response')
    client.startReading()

    for (let i = 0; i < 100; i++) assert.equal((await client.readResponse()).body.length, LENGTH)
    assert.equal((await client.ask(get('/'))).body.toString(), 'ok')
  }
})

test('a request that comes while a large response is unread is answered after it', async (t) => {
  const { gateway } = await start(t)
  const client = await openClient(t, gateway.port)
  client.stopReading()
  // Until the kernel takes no more.
  let asked = 0
  for (let before = -1; gateway.records().length > before;) {
    before = gateway.records().length
    for (let i = 0; i < 20; i++, asked++) client.send(get('/large'))
    await eventually(
      () => gateway.records().length === asked || client.socket.writableLength === 0,
      'the responses',
    )
  }
  client.send(get('/', 'X-Last: 1'))
  client.startReading()

  for (let i = 0; i < asked; i++) assert.equal((await client.readResponse()).body.length, LENGTH)
  assert.equal((await client.readResponse()).body.toString(), 'ok')
})

test('HEAD, and a large response to a request whose body is not read, are no exception', async (t) => {
  const { secure } = await start(t)

  const client = await secure()
  assert.equal((await client.ask(request('HEAD', '/large'))).body.length, 0)
  assert.equal((await client.ask(get('/large'))).body.length, LENGTH)
  client.send(request('POST', '/large', 'Content-Length: 100000'))
  const early = await client.readResponse()

  assert.equal(early.body.length, LENGTH)
  assert.equal(value(early, 'connection'), 'close')
  await client.closed()
})

test('a large response that is under way when a drain begins is whole', async (t) => {
  for (const isSecure of [false, true]) {
    const { gateway, secure } = await start(t)
    const client = isSecure ? await secure() : await openClient(t, gateway.port)
    client.stopReading()
    client.send(get('/large').repeat(100))
    await eventually(() => gateway.records().length > 0, 'the first response')

    const drained = gateway.drain()
    client.startReading()
    const ending = await client.closed()
    await drained
    const begun = gateway.records().length
    for (let i = 0; i < begun; i++) assert.equal((await client.readResponse()).body.length, LENGTH)

    assert.equal(ending, 'fin')
    assert.equal(client.rest(), '')
  }
})

test('a client that pipelines and never reads is cut, and its waiting requests are not late heads', async (t) => {
  const { gateway } = await start(t, { body: '50ms' })
  const client = await openClient(t, gateway.port)
  client.stopReading()
  const isOpen = (): boolean => {
    return [0, 1, 2, 3].some((slot) => gateway.scoreboard.shared(slot, SHARED.connections) === 1)
  }
  assert.ok(isOpen())

  client.send(get('/large').repeat(100))
  await eventually(() => !isOpen(), 'the cut')

  assert.ok(gateway.records().length < 100)
  assert.ok(gateway.records().every(({ status }) => status === 200))
})
