// facts/wire.md 4: the client leaves, in each of four phases, by FIN and by RST; the server is free within 250 ms.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient, type Client } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { OK, startOrigin, type Origin, type OriginConnection } from '../support/origin.ts'
import { get, request, sentinel, settled } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const BOUND_MS = 250
const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
const CHUNK = `10000\r\n${'x'.repeat(65_536)}\r\n`

interface Phase {
  readonly name: string
  readonly request: string
  respond(connection: OriginConnection): void
  /** Waits until the exchange is in this phase. */
  reached(client: Client, origin: Origin, gateway: TestGateway): Promise<unknown>
}

const PHASES: readonly Phase[] = [
  {
    name: 'waiting for the response',
    request: get('/phase'),
    respond() {},
    reached: (_client, origin) => origin.request(1),
  },
  {
    name: 'reading the response',
    request: get('/phase'),
    respond: (connection) => connection.write(HEAD + CHUNK),
    reached: (client) => eventually(() => client.received() > 65_000, 'the first chunk'),
  },
  {
    name: 'uploading',
    request: `${request('POST', '/phase', 'Content-Length: 1000000')}hello`,
    respond() {},
    reached: (_client, origin) =>
      origin.until(() => origin.requests[0]?.body() === 'hello', 'the first bytes'),
  },
  {
    name: 'uploading in chunks',
    request: `${request('POST', '/phase', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    respond() {},
    reached: (_client, origin) =>
      origin.until(() => origin.requests[0]?.body() === 'hello', 'the first bytes'),
  },
  {
    name: 'uploading while the response has begun',
    request: `${request('POST', '/phase', 'Content-Length: 1000000')}hello`,
    respond: (connection) => connection.write(HEAD + CHUNK),
    reached: (client) => eventually(() => client.received() > 65_000, 'the first chunk'),
  },
]

for (const phase of PHASES) {
  for (const way of ['FIN', 'RST', 'FIN and silence'] as const) {
    test(`a client that leaves by ${way} while ${phase.name} frees the server at once`, async (t) => {
      const origin = await startOrigin(t, (request, connection) => {
        if (request.target === '/phase') phase.respond(connection)
        else connection.write(OK)
      })
      const gateway = await startGateway(t, { origin: origin.port })
      const client = await openClient(t, gateway.port)
      client.send(phase.request)
      await phase.reached(client, origin, gateway)

      const left = performance.now()
      if (way === 'RST') client.reset()
      else if (way === 'FIN') client.socket.destroy()
      else client.end()
      const gone = await origin.requests[0]?.connection.gone()

      assert.ok((gone ?? Infinity) - left < BOUND_MS, `gone after ${(gone ?? Infinity) - left} ms`)
      assert.equal(origin.requests[0]?.isComplete(), phase.request.startsWith('GET'))
      await eventually(() => gateway.records().length === 1, 'the record of the exchange')
      assert.equal(gateway.records()[0]?.reason, 'CLIENT_GONE')
      await sentinel(t, gateway)
      assert.equal(origin.requests.length, 2, 'the request is not sent again')
    })
  }
}

for (const way of ['FIN', 'RST'] as const) {
  test(`a client that leaves by ${way} while we are blocked on writing to it frees the server at once`, async (t) => {
    const origin = await startOrigin(t, (request, connection) => {
      if (request.target !== '/phase') return connection.write(OK)
      connection.write(HEAD)
      const chunk = Buffer.from(CHUNK)
      for (let i = 0; i < 1_500; i++) connection.write(chunk)
    })
    const gateway = await startGateway(t, { origin: origin.port })
    const client = await openClient(t, gateway.port)
    client.stopReading()
    client.send(get('/phase'))
    const { connection } = await origin.request(1)
    await settled(
      t,
      gateway,
      () => connection.socket.bytesWritten - connection.socket.writableLength,
    )
    assert.ok(connection.socket.writableLength > 0, 'the origin is blocked')

    const left = performance.now()
    if (way === 'RST') client.reset()
    else client.socket.destroy()
    await eventually(() => connection.socket.destroyed || !connection.isOpen(), 'its end')

    assert.ok(performance.now() - left < BOUND_MS, `gone after ${performance.now() - left} ms`)
  })
}

test('a client that leaves between two requests costs the server nothing', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/one'))
  client.reset()
  await sentinel(t, gateway)

  assert.equal(origin.connections.length, 1)
  assert.equal(gateway.records().length, 2)
})

test('a client that leaves in the middle of a head is no request', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const bytes of ['', 'GET', 'GET / HTTP/1.1\r\nHost: a.te', get('/').slice(0, -2)]) {
    const client = await openClient(t, gateway.port)
    client.send(bytes)
    client.end()
    await client.closed()
  }
  await sentinel(t, gateway)

  assert.equal(origin.requests.length, 1)
})

test('pipelined requests behind one whose client left are not sent', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/held') connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(get('/held') + get('/behind'))
  const held = await origin.request(1)
  client.reset()
  await held.connection.gone()
  await sentinel(t, gateway)

  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/held', '/sentinel'],
  )
})

test('a client that leaves gives back the place that it held at the server', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/held') connection.write(OK)
  })
  const gateway = await startGateway(t, {
    origin: origin.port,
    backend: { limits: { connections: 1 } },
  })

  for (let i = 0; i < 3; i++) {
    origin.forget()
    const client = await openClient(t, gateway.port)
    client.send(get('/held'))
    const { connection } = await origin.request(1)
    client.reset()
    await connection.gone()
    await sentinel(t, gateway)
  }
})
