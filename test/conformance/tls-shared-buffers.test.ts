// TLS clients are read into buffers that all sockets of a thread share (http/connection/tls-reads.ts): no byte of one may reach another.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { Server } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { readsOfTls } from '../../src/http/connection/tls-reads.ts'
import { createAuthority } from '../support/certificates.ts'
import { openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { listen } from '../support/origin.ts'
import { request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const BODY_BYTES = 400_000

/** Servers that send back what they get; HTTP/1.1 also in tunnels. */
async function startEchoes(t: TestContext): Promise<readonly [number, number]> {
  const http1 = createHttpServer((message, response) => void message.pipe(response))
  http1.on('upgrade', (_message, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {})
    socket.write(SWITCH)
    socket.write(head)
    socket.pipe(socket)
  })
  const http2 = createHttp2Server((message, response) => void message.pipe(response))
  const start = async (server: Server): Promise<number> => {
    const open = new Set<Duplex>()
    server.on('connection', (socket: Duplex) => open.add(socket))
    t.after(() => {
      for (const socket of open) socket.destroy()
      server.close()
    })
    return await listen(server)
  }
  return [await start(http1), await start(http2 as unknown as Server)]
}

async function startEdge(t: TestContext): Promise<number> {
  const [http1, http2] = await startEchoes(t)
  const { cert, key } = createAuthority(t).issue('a.test')
  const gateway = await startGateway(t, {
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert, key }] },
      },
    },
    backends: {
      one: { servers: { s: `http://127.0.0.1:${http1}` } },
      two: { servers: { s: `h2c://127.0.0.1:${http2}` } },
    },
    frontends: {
      one: { route: 'PathPrefix("/1")', backend: 'one' },
      two: { route: 'PathPrefix("/2")', backend: 'two' },
    },
  })
  return gateway.ports['secure'] ?? 0
}

async function openTls(t: TestContext, port: number, protocol: string): Promise<TLSSocket> {
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false },
    ALPNProtocols: [protocol],
  })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

/** Reads in fits and starts. */
async function readAll(source: Readable, bytes = Infinity): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  source.on('data', (piece: Buffer) => {
    pieces.push(piece)
    length += piece.length
    source.pause()
    setImmediate(() => source.resume())
  })
  let hasEnded = false
  source.on('end', () => (hasEnded = true))
  await eventually(() => hasEnded || length >= bytes, 'the end of the echo')
  return Buffer.concat(pieces)
}

function same(received: Buffer, sent: Buffer, what: string): void {
  const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex')
  assert.equal(hash(received), hash(sent), `${what}: ${received.length} bytes`)
}

async function askByHttp2(t: TestContext, port: number): Promise<void> {
  const socket = await openTls(t, port, 'h2')
  const session = connectHttp2('https://a.test', { createConnection: () => socket })
  session.on('error', () => {})
  t.after(() => session.destroy())
  const paths = ['/1', '/2', '/1', '/2', '/1']
  await Promise.all(
    paths.map(async (path, index) => {
      const sent = randomBytes(index === 0 ? 9_000 : BODY_BYTES)
      const stream = session.request({ ':method': 'POST', ':path': path })
      stream.end(sent)
      same(await readAll(stream), sent, `HTTP/2 ${path}`)
    }),
  )
}

async function askByHttp1(t: TestContext, port: number): Promise<void> {
  for (const path of ['/1', '/2', '/1']) {
    // The echo begins before the end of the body, so it is the last response of its connection.
    const client = await openTlsClient(t, port, { servername: 'a.test', rejectUnauthorized: false })
    const sent = randomBytes(BODY_BYTES)
    client.send(request('POST', path, `Content-Length: ${sent.length}`))
    client.send(sent)
    const { body } = await client.readResponse()
    same(Buffer.from(body), sent, `HTTP/1.1 ${path}`)
  }
}

async function tunnel(t: TestContext, port: number): Promise<void> {
  const socket = await openTls(t, port, 'http/1.1')
  const sent = randomBytes(BODY_BYTES)
  const head =
    'GET /1 HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  socket.write(Buffer.concat([Buffer.from(head), sent.subarray(0, 1000)]))
  socket.write(sent.subarray(1000))
  const received = await readAll(socket, sent.length + SWITCH.length)
  const from = received.indexOf('\r\n\r\n') + 4
  same(received.subarray(from, from + sent.length), sent, 'the tunnel')
}

async function askInEveryWay(t: TestContext, port: number): Promise<void> {
  await Promise.all(
    [askByHttp2, askByHttp1, tunnel, askByHttp2, askByHttp1, tunnel].map((ask) => ask(t, port)),
  )
}

test('every TLS client gets back its own bytes, whatever else is read in the same turn', async (t) => {
  await askInEveryWay(t, await startEdge(t))
})

test('a Node whose TLS sockets take no buffers serves the same', async (t) => {
  const port = await startEdge(t)
  const probe = await openTls(t, port, 'http/1.1')
  const handle = '_handle' in probe ? (probe._handle as object) : {}
  const shape = Object.getPrototypeOf(handle) as object
  Object.defineProperty(shape, 'useUserBuffer', { value: undefined, configurable: true })
  t.after(() => Reflect.deleteProperty(shape, 'useUserBuffer'))
  assert.equal(readsOfTls(probe), null)

  await askInEveryWay(t, port)
})
