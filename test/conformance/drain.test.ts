// facts/wire.md 4 (tunnels end with the drain limit, not before) and issue point 5: what is in flight is finished.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { openClient, openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'

test('a drain closes idle connections, finishes what is in flight and says Connection: close', async (t) => {
  const origin = await startOrigin(t, async (seen, connection) => {
    if (seen.target === '/held') return
    await seen.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const idle = await openClient(t, gateway.port)
  await idle.ask(get('/'))
  const waiting = await openClient(t, gateway.port)
  waiting.send(get('/held'))
  const held = await origin.until(
    () => origin.requests.find(({ target }) => target === '/held'),
    'the held request',
  )
  const uploading = await openClient(t, gateway.port)
  uploading.send(`${request('POST', '/upload', 'Content-Length: 10')}hello`)
  await origin.until(
    () => origin.requests.some(({ target, body }) => target === '/upload' && body() === 'hello'),
    'the upload',
  )

  const drained = gateway.drain()
  assert.equal(await idle.closed(), 'fin')
  uploading.send('world')
  held.connection.write(OK)

  for (const client of [waiting, uploading]) {
    const response = await client.readResponse()
    assert.equal(response.status, 200)
    assert.equal(value(response, 'connection'), 'close')
    assert.equal(await client.closed(), 'fin')
  }
  await drained
})

test('a drain takes no new connections', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await gateway.drain()

  const refused = await new Promise<string>((resolve) => {
    const socket = connect(gateway.port, '127.0.0.1')
    socket.once('error', ({ message }) => resolve(message))
    socket.once('close', () => resolve('closed'))
    socket.resume()
  })
  assert.match(refused, /ECONNREFUSED|ECONNRESET|closed/)
})

test('a tunnel goes on while a drain waits, until its parties end it', async (t) => {
  const origin = await startOrigin(t, (_seen, connection) => {
    connection.tunnel()
    connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    )
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  await client.ask(get('/', 'Connection: Upgrade', 'Upgrade: x'))
  const { connection } = await origin.request(1)

  const drained = gateway.drain()
  client.send('ping')
  await origin.until(() => connection.tunnelled() === 'ping', 'the ping')
  connection.write('pong')
  assert.equal(await client.bytes(4), 'pong')
  client.end()
  connection.end()

  await drained
})

test('a connection that was accepted before a drain is served, though its handshake ends later', async (t) => {
  const origin = await startOrigin(t, async (seen, connection) => {
    await seen.whole()
    connection.write(OK)
  })
  const { certPath, keyPath, options } = secureFor(t)
  const tls = { certificates: [{ cert: certPath, key: keyPath }] }
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { protocol: 'https', tls },
  })
  const early = await openSocket(t, gateway.port)
  // Connections are accepted in their order.
  const next = await openTlsClient(t, gateway.port, options)
  await next.ask(get('/', 'Connection: close'))

  const drained = gateway.drain()
  const client = await openTlsClient(t, gateway.port, { ...options, socket: early })
  const response = await client.ask(get('/'))

  assert.equal(response.status, 200)
  assert.equal(value(response, 'connection'), 'close')
  await drained
})

test('a connection that was accepted before a drain is served, though its PROXY header comes later', async (t) => {
  const origin = await startOrigin(t, async (seen, connection) => {
    await seen.whole()
    connection.write(OK)
  })
  const header = 'PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n'
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { proxyProtocol: { trusted: ['127.0.0.1'] } },
  })
  const early = await openClient(t, gateway.port)
  const next = await openClient(t, gateway.port)
  await next.ask(`${header}${get('/', 'Connection: close')}`)

  const drained = gateway.drain()
  const response = await early.ask(`${header}${get('/')}`)

  assert.equal(response.status, 200)
  await drained
})

function secureFor(t: TestContext): {
  readonly certPath: string
  readonly keyPath: string
  readonly options: { readonly ca: string; readonly servername: string }
} {
  const authority = createAuthority(t)
  const issued = authority.issue('a.test')
  return { ...issued, options: { ca: authority.cert, servername: 'a.test' } }
}

async function openSocket(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}
