import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createProbe, type ProbeResult, type ProbeTarget } from '../../src/health/probe.ts'
import { createAuthority } from '../support/certificates.ts'
import { startGrpcOrigin } from '../support/grpc.ts'
import { HEALTH } from '../support/monitored.ts'
import { systemLookup } from '../support/names.ts'
import { DEFAULT_TLS_TO_SERVERS } from '../support/objects.ts'

const probe = createProbe('1.2.3', systemLookup)

function ask(
  port: number,
  service = '',
  { scheme = 'h2c', ca = null }: { scheme?: 'h2c' | 'https'; ca?: string | null } = {},
  signal = new AbortController().signal,
): Promise<ProbeResult> {
  const url = `${scheme}://localhost:${port}`
  const rest = { weight: 1, backup: false, drain: false, labels: null }
  const target: ProbeTarget = {
    server: { id: 's', url, scheme, host: '127.0.0.1', hostname: 'localhost', port, ...rest },
    check: { ...HEALTH, http: null, grpc: { service } },
    tls: { ...DEFAULT_TLS_TO_SERVERS, ca },
    proxyProtocol: null,
    wire: 'http/1.1',
  }
  return probe(target, signal)
}

async function reasonOf(result: Promise<ProbeResult>): Promise<string> {
  const outcome = await result
  assert.ok(!outcome.ok, 'the probe fails')
  return outcome.reason
}

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** A server over HTTP/2 that answers by hand. */
function startByHand(t: TestContext, answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createHttp2Server()
  server.on('stream', (stream) => {
    stream.on('error', () => undefined)
    answer(stream as ServerHttp2Stream)
  })
  server.on('session', (session) => t.after(() => session.destroy()))
  return listen(t, server)
}

test('a server that is SERVING is well', async (t) => {
  const origin = await startGrpcOrigin(t)
  origin.health.set('shop.Cart', 1)

  assert.ok((await ask(origin.port)).ok)
  assert.ok((await ask(origin.port, 'shop.Cart')).ok)
})

test('a server that is not SERVING fails with its state', async (t) => {
  const origin = await startGrpcOrigin(t)
  origin.health.set('', 2).set('shop.Cart', 0)

  assert.equal(await reasonOf(ask(origin.port)), 'the server is NOT_SERVING')
  assert.equal(await reasonOf(ask(origin.port, 'shop.Cart')), 'the service "shop.Cart" is UNKNOWN')
})

test('an unknown service, and a server without the health service, are told apart', async (t) => {
  const origin = await startGrpcOrigin(t)
  const bare = await startGrpcOrigin(t, { hasHealth: false })

  const unknown = await reasonOf(ask(origin.port, 'shop.Nothing'))
  const missing = await reasonOf(ask(bare.port))

  assert.equal(unknown, '/grpc.health.v1.Health/Check does not know the service "shop.Nothing"')
  assert.match(missing, /^the server has no grpc\.health\.v1\.Health: register/)
})

test('over TLS the server has to choose HTTP/2', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('localhost')
  const origin = await startGrpcOrigin(t, { tls: { cert, key } })

  const trusted = await ask(origin.port, '', { scheme: 'https', ca: authority.cert })
  const foreign = ask(origin.port, '', { scheme: 'https', ca: createAuthority(t).cert })

  assert.ok(trusted.ok, trusted.ok ? '' : trusted.reason)
  assert.match(await reasonOf(foreign), /^cannot connect to /)
})

test('a server that speaks HTTP/1.1 only is told apart from one that is down', async (t) => {
  const port = await listen(
    t,
    createServer((_request, response) => response.end()),
  )
  const closing = createServer()
  const closed = await listen(t, closing)
  closing.close()

  const old = await reasonOf(ask(port))

  assert.match(old, /^\/grpc\.health\.v1\.Health\/Check got no complete response: /)
  assert.match(old, /does not speak HTTP\/2, which gRPC needs|the connection was closed/)
  assert.match(await reasonOf(ask(closed)), /^cannot connect to /)
})

test('responses that are no health are explained', async (t) => {
  const answers: ((stream: ServerHttp2Stream) => void)[] = [
    (stream) => {
      stream.respond({ ':status': 404 })
      stream.end('not here')
    },
    (stream) => {
      const trailers = { 'grpc-status': '14', 'grpc-message': 'try %5Blater%5D' }
      stream.respond({ ':status': 200, ...trailers }, { endStream: true })
    },
    (stream) => {
      stream.respond({ ':status': 200 }, { endStream: true })
    },
    (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end('nonsense')
    },
    (stream) => {
      stream.respond({ ':status': 200 })
      stream.write(Buffer.alloc(4096))
    },
    (stream) => stream.close(2),
  ]
  const port = await startByHand(t, (stream) => answers.shift()?.(stream))
  const reasons: string[] = []

  while (answers.length > 0) reasons.push(await reasonOf(ask(port)))

  assert.deepEqual(reasons.slice(0, 5), [
    '/grpc.health.v1.Health/Check returned HTTP status 404',
    '/grpc.health.v1.Health/Check returned UNAVAILABLE: try [later]',
    '/grpc.health.v1.Health/Check returned no grpc-status',
    '/grpc.health.v1.Health/Check returned a malformed message',
    '/grpc.health.v1.Health/Check got no complete response: it has more than 1024 bytes',
  ])
  assert.match(reasons[5] ?? '', /got no complete response: Stream closed with error code/)
})

test('a probe that is called off ends soon', async (t) => {
  const began = Promise.withResolvers<undefined>()
  const port = await startByHand(t, () => began.resolve(undefined))
  const calling = new AbortController()
  const result = ask(port, '', {}, calling.signal)
  await began.promise

  calling.abort()

  assert.match(await reasonOf(result), /it was called off|the connection was closed/)
})
