// `proxyProtocol.required: false`: connections with and without a PROXY header on one listener, as vulcand has them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const V1 = 'PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n'
/** 203.0.113.9:5000 to 192.0.2.1:80. */
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb007109c000020113880050', 'hex')
const CLOSING = get('/', 'Connection: close')
const EVERYONE = { trusted: ['0.0.0.0/0', '::/0'], required: false }

async function exchangeOn(socket: Socket, ...parts: readonly (string | Buffer)[]): Promise<string> {
  let received = ''
  socket.on('error', () => {})
  socket.on('data', (data: Buffer) => (received += data.toString('latin1')))
  for (const part of parts) socket.write(part)
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return received
}

async function startWith(
  t: TestContext,
  listener: object,
): Promise<{ port: number; clients(): readonly (string | null)[]; notices(): readonly string[] }> {
  const origin = await startOrigin(t, OK)
  const gateway = await startGateway(t, { origin: origin.port, listener })
  return {
    port: gateway.port,
    clients: () => origin.requests.map((one) => value(one, 'x-forwarded-for')),
    notices: () => gateway.notices(),
  }
}

test('a connection has the address of its header, of either version, or of its peer', async (t) => {
  const { port, clients, notices } = await startWith(t, { proxyProtocol: EVERYONE })

  for (const parts of [[V1, CLOSING], [V2, CLOSING], [CLOSING], [V1 + CLOSING]])
    assert.match(await exchangeOn(connect(port, '127.0.0.1'), ...parts), /^HTTP\/1\.1 200 /)

  assert.deepEqual(clients(), ['203.0.113.9', '203.0.113.9', '127.0.0.1', '203.0.113.9'])
  assert.deepEqual(notices(), [])
})

test('requests that begin like a header are none, in any pieces', async (t) => {
  const { port, clients } = await startWith(t, { proxyProtocol: EVERYONE })
  const body = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi'
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  await once(socket, 'connect')
  socket.write('P')
  const done = exchangeOn(socket, body.slice(1))

  assert.match(await done, /^HTTP\/1\.1 200 /)
  // Blank lines before a request are the beginning of a header of version 2, too.
  assert.match(await exchangeOn(connect(port, '127.0.0.1'), '\r\n', CLOSING), /^HTTP\/1\.1 200 /)
  assert.deepEqual(clients(), ['127.0.0.1', '127.0.0.1'])
})

test('a header that is malformed, or has no end, is refused', async (t) => {
  const { port, clients, notices } = await startWith(t, { proxyProtocol: EVERYONE })

  for (const sent of ['PROXY TCP4 a b 1 2\r\n', `PROXY TCP4 ${'1'.repeat(200)}`])
    assert.equal(await exchangeOn(connect(port, '127.0.0.1'), sent), '')

  assert.deepEqual(clients(), [])
  assert.match(notices()[0] ?? '', /begins with a malformed PROXY header/)
})

test('a client that is silent is served once it speaks', async (t) => {
  const { port, clients } = await startWith(t, {
    proxyProtocol: EVERYONE,
    timeouts: { head: '100ms' },
    paths: 'reject',
  })
  // The time for a head begins again behind the time for a header: 408 tells that HTTP serves it.
  assert.match(await exchangeOn(connect(port, '127.0.0.1')), /^(HTTP\/1\.1 408 |$)/)
  assert.match(await exchangeOn(connect(port, '127.0.0.1'), 'P'), /^HTTP\/1\.1 408 /)
  assert.deepEqual(clients(), [])
})

test('a peer that is not trusted sends none, required or not', async (t) => {
  const { port, clients } = await startWith(t, {
    proxyProtocol: { trusted: ['192.0.2.1'], required: false },
  })

  assert.match(await exchangeOn(connect(port, '127.0.0.1'), V1, CLOSING), /^HTTP\/1\.1 400 /)
  assert.match(await exchangeOn(connect(port, '127.0.0.1'), CLOSING), /^HTTP\/1\.1 200 /)
  assert.deepEqual(clients(), ['127.0.0.1'])
})

test('it holds before TLS and for streams', async (t) => {
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  t.after(() => echo.close())
  const address = echo.address()
  assert.ok(address !== null && typeof address === 'object')
  const authority = createAuthority(t)
  const { certPath: cert, keyPath: key } = authority.issue('localhost')
  const origin = await startOrigin(t, OK)
  const gateway = await startGateway(t, {
    listeners: {
      secure: {
        ...{ address: '127.0.0.1:0', protocol: 'https', proxyProtocol: EVERYONE },
        tls: { certificates: [{ cert, key }] },
      },
      stream: {
        ...{ address: '127.0.0.1:0', protocol: 'tcp', backend: 'echo' },
        proxyProtocol: EVERYONE,
      },
    },
    backends: {
      b: { servers: { s: `http://127.0.0.1:${origin.port}` } },
      echo: { servers: { s: `tcp://127.0.0.1:${address.port}` } },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  for (const header of [V1, '']) {
    const raw = connect(gateway.ports['secure'] ?? 0, '127.0.0.1')
    if (header !== '') raw.write(header)
    const tls = connectTls({ socket: raw, ca: authority.cert, servername: 'localhost' })
    assert.match(await exchangeOn(tls, CLOSING), /^HTTP\/1\.1 200 /)

    const stream = connect(gateway.ports['stream'] ?? 0, '127.0.0.1')
    stream.end(`${header}hello`)
    assert.equal(await exchangeOn(stream), 'hello')
  }

  const clients = origin.requests.map((one) => value(one, 'x-forwarded-for'))
  assert.deepEqual(clients, ['203.0.113.9', '127.0.0.1'])
})
