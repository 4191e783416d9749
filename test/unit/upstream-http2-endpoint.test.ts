import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Exchange, ResponseSink } from '../../src/http/exchange.ts'
import type { TunnelEnd } from '../../src/http/connection/tunnel.ts'
import type { ExchangeError } from '../../src/http/message/errors.ts'
import type { Backend, Timeouts } from '../../src/model/snapshot.ts'
import { NegotiatedEndpoint } from '../../src/upstream/endpoint/negotiated-endpoint.ts'
import { Http2Endpoint } from '../../src/upstream/endpoint/http2-endpoint.ts'
import type { ServerStream } from '../../src/upstream/endpoint/http2-stream.ts'
import { StreamTunnel } from '../../src/upstream/endpoint/stream-tunnel.ts'
import { createAuthority } from '../support/certificates.ts'
import { makeBackend, openBoard, type TestBoard } from '../support/endpoints.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { DEFAULT_TLS_TO_SERVERS } from '../support/objects.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { eventually } from '../support/until.ts'

const TIMEOUTS: Timeouts = {
  connectMs: 5_000,
  handshakeMs: 5_000,
  firstByteMs: 5_000,
  stallMs: 5_000,
  tryMs: 0,
  requestMs: 0,
  tunnelMs: 0,
}

interface Opened {
  readonly board: TestBoard
  readonly endpoint: Http2Endpoint
}

function endpointTo(t: TestContext, port: number, rest: Partial<Backend> = {}): Opened {
  const board = openBoard(t)
  const server = { scheme: 'h2c', host: '127.0.0.1', port } as const
  const [endpoint] = board.endpoints(makeBackend({ s: server }, rest))
  assert.ok(endpoint instanceof Http2Endpoint)
  return { board, endpoint }
}

/** Of a client with this port. */
function exchangeOf(port: number): Exchange {
  const source = { host: '192.0.2.1', port }
  const destination = { host: '192.0.2.2', port: 80 }
  const clientPeer = { addresses: { source, destination } }
  return { head: { upgrade: '' }, client: { clientPeer }, grpc: null } as unknown as Exchange
}

function limitsOf(idle: number): Partial<Backend> {
  return { limits: { connections: 0, idle, idleMs: 200, headBytes: 32_768, fields: 100 } }
}

/** Waits for a connection, and leaves before there is one. */
function leaveEarly(endpoint: Http2Endpoint, port = 1): void {
  endpoint.acquire(exchangeOf(port), false, TIMEOUTS)?.abandon()
}

test('a connection that no exchange was left for closes when it was idle for too long', async (t) => {
  const server = await startHttp2Server(t)
  const { board, endpoint } = endpointTo(t, server.port, limitsOf(1))

  leaveEarly(endpoint)
  const connection = await server.until(() => server.connections[0], 'a connection')
  await connection.goAway()
  await connection.closed()

  await eventually(() => board.shared('s', 'connections') === 0, 'none is counted')
  assert.equal(board.count('s', 'connectFailures'), 0)
})

test('a server that is removed is not connected to once no exchange waits for it', async (t) => {
  const server = await startHttp2Server(t)
  const { board, endpoint } = endpointTo(t, server.port)
  const waiting = endpoint.acquire(exchangeOf(1), false, TIMEOUTS)

  endpoint.retire()
  assert.equal(board.shared('s', 'connections'), 1)
  waiting?.abandon()

  assert.equal(board.shared('s', 'connections'), 0)
})

test('a server that refuses connections keeps nothing of the clients that had PROXY headers', async (t) => {
  const { endpoint } = endpointTo(t, await choosePort(), { proxyProtocol: 1 })
  const failures: ExchangeError[] = []

  for (const port of [1, 2, 3]) {
    const sink = { failed: (error: ExchangeError) => void failures.push(error) }
    const exchange = exchangeOf(port)
    const waiting = endpoint.acquire(exchange, false, TIMEOUTS)
    waiting?.send(exchange, true, sink as unknown as ResponseSink, TIMEOUTS, false)
  }
  assert.equal(endpoint.groupCount, 3)
  await eventually(() => failures.length === 3, 'all are refused')

  assert.equal(endpoint.groupCount, 0)
})

test('a connection that cannot be taken over is closed, and not counted any more', async (t) => {
  const server = await startHttp2Server(t)
  const { board, endpoint } = endpointTo(t, server.port)
  const faults: unknown[] = []
  const fault = new Error('no options')
  Object.assign(endpoint, {
    linkOptions: () => {
      throw fault
    },
    onFault: (thrown: unknown) => void faults.push(thrown),
  })

  leaveEarly(endpoint)
  const connection = await server.until(() => server.connections[0], 'a connection')
  await connection.closed()

  assert.deepEqual(faults, [fault])
  assert.equal(board.shared('s', 'connections'), 0)
})

test('a connection of HTTP/1.1 that cannot be taken over is closed, and what waited for it ends', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const origin = await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] })
  const board = openBoard(t)
  const { host, port, scheme } = { host: '127.0.0.1', port: origin.port, scheme: 'https' } as const
  const tls = { ...DEFAULT_TLS_TO_SERVERS, ca: authority.cert }
  const [endpoint] = board.endpoints(
    makeBackend({ s: { host, port, scheme } }, { protocol: 'auto', tls }),
  )
  assert.ok(endpoint instanceof NegotiatedEndpoint)
  const faults: unknown[] = []
  const fault = new Error('no options')
  Object.assign(endpoint, { onFault: (thrown: unknown) => void faults.push(thrown) })
  const exchange = exchangeOf(1)
  const waiting = endpoint.acquire(exchange, false, TIMEOUTS)
  const sink = { fault: (thrown: unknown) => void faults.push(thrown) }
  waiting?.send(exchange, true, sink as unknown as ResponseSink, TIMEOUTS, false)
  Object.defineProperty(endpoint, 'own', {
    get() {
      throw fault
    },
  })

  await eventually(() => faults.length === 2, 'both are told')

  assert.deepEqual(faults, [fault, fault])
  assert.equal(board.shared('s', 'connections'), 0)
  await eventually(() => origin.open() === 0, 'the connection closes')
})

test('a tunnel passes on what came of the server before the end of the client', () => {
  const calls: string[] = []
  const stream = { deadlineAt: 0, resumeReceiving: () => void calls.push('resume') }
  const tunnel = new StreamTunnel(stream as unknown as ServerStream, 0)
  const client: TunnelEnd = {
    tunnelData: (chunk) => calls.push(chunk.toString()) > 0,
    tunnelFinish: () => void calls.push('finish'),
    tunnelResume() {},
    tunnelAbort() {},
  }

  assert.equal(tunnel.received(Buffer.from('early'), true), false)
  tunnel.join(client)

  assert.deepEqual(calls, ['early', 'resume', 'finish'])
})
