// Calls of gRPC and what their servers speak.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { COUNT } from '../../src/scoreboard/layout.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { openGrpcClient, startGrpcOrigin } from '../support/grpc.ts'
import { startWithGrpc } from '../support/grpc-gateway.ts'
import { ERROR, resetFrame } from '../support/http2/frames.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const CALL = [['content-type', 'application/grpc']] as const

test('a call for a server of HTTP/1.1 leaves its connections alone', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const http = await openClient(t, gateway.port)
  const client = openGrpcClient(t, gateway.port)

  assert.equal((await http.ask(get('/'))).status, 200)
  assert.equal((await client.unary('x')).code, status.INTERNAL)
  assert.equal((await http.ask(get('/'))).status, 200)

  assert.equal(origin.connections.length, 1)
  assert.equal(gateway.records()[1]?.reason, 'HTTP2_REQUIRED')
})

test('with auto a call goes by HTTP/2, also when other requests go by HTTP/1.1', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const server = await startHttp2Server(
    t,
    (received) => {
      const isCall = received.value('content-type') === 'application/grpc'
      if (isCall) received.respond({ fields: CALL, trailers: [['grpc-status', '0']] })
      else received.connection.send(resetFrame(received.streamId, ERROR.http11Required))
    },
    { tls: { cert, key, ALPNProtocols: ['h2', 'http/1.1'] } },
  )
  const backend = {
    tls: { ca: authority.certPath },
    protocol: 'auto',
    servers: { s: `https://127.0.0.1:${server.port}` },
  }
  const { gateway } = await startWithGrpc(t, { backend, frontend: { route: 'PathPrefix("/")' } })
  const http = await openClient(t, gateway.port)
  const client = openGrpcClient(t, gateway.port)

  http.send(get('/'))
  await server.until(() => server.connections.length === 2, 'it is asked by HTTP/1.1')
  const { details } = await client.unary('x')

  assert.equal(server.requests.length, 2)
  assert.doesNotMatch(details, /HTTP2_REQUIRED/)
})

test('with auto a call for a server of HTTP/1.1 fails, and other requests do not', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const origin = await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] })
  const backend = {
    tls: { ca: authority.certPath },
    protocol: 'auto',
    servers: { s: `https://127.0.0.1:${origin.port}` },
  }
  const { gateway } = await startWithGrpc(t, { backend, frontend: { route: 'PathPrefix("/")' } })
  const client = openGrpcClient(t, gateway.port)

  const [call, ...responses] = await Promise.all([
    client.unary('x'),
    ...[1, 2].map(async () => (await openClient(t, gateway.port)).ask(get('/'))),
  ])

  assert.match(call.details, /HTTP2_REQUIRED/)
  assert.deepEqual(
    responses.map(({ status: sent }) => sent),
    [200, 200],
  )
})

test('calls pass over servers of HTTP/1.1 to those that can carry them, without a retry', async (t) => {
  const [one, other] = [await startOrigin(t), await startOrigin(t)]
  const { port, calls } = await startGrpcOrigin(t)
  const servers = {
    one: `http://127.0.0.1:${one.port}`,
    other: `http://127.0.0.1:${other.port}`,
    able: `h2c://127.0.0.1:${port}`,
  }
  const backend = { servers, retry: { attempts: 1 } }
  const { gateway } = await startWithGrpc(t, { backend })
  const client = openGrpcClient(t, gateway.port)

  const results = await Promise.all(
    Array.from({ length: 30 }, (_, at) => client.collect([`call ${at}`, 'and more'])),
  )

  assert.deepEqual(new Set(results.map(({ code }) => code)), new Set([status.OK]))
  assert.equal(calls.length, 30)
  assert.deepEqual([one.connections.length, other.connections.length], [0, 0])
  await eventually(() => gateway.records().length === 30, 'all calls are logged')
  assert.deepEqual(
    new Set(gateway.records().map(({ attempts, reason }) => `${attempts} ${reason}`)),
    new Set(['1 null']),
  )
})

test('with auto a call passes over a server that chooses HTTP/1.1', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const old = await startOrigin(t, OK, { cert, key, ALPNProtocols: ['http/1.1'] })
  const { port, calls } = await startGrpcOrigin(t, { tls: { cert, key } })
  const backend = {
    tls: { ca: authority.certPath },
    protocol: 'auto',
    servers: { old: `https://127.0.0.1:${old.port}`, able: `https://127.0.0.1:${port}` },
  }
  const { gateway } = await startWithGrpc(t, { backend })
  const client = openGrpcClient(t, gateway.port)

  const results = await Promise.all(Array.from({ length: 20 }, () => client.unary('to either')))

  assert.deepEqual(new Set(results.map(({ code }) => code)), new Set([status.OK]))
  assert.equal(calls.length, 20)
  const servers = [...gateway.placed().backends].flatMap((placed) => [...placed.servers])
  for (const { slot } of servers) assert.ok(gateway.scoreboard.sum(slot, COUNT.opened) > 0)
})

test('a retry comes back to the server that can carry the call, and ends', async (t) => {
  const old = await startOrigin(t)
  const { port, calls } = await startGrpcOrigin(t)
  const backend = {
    servers: { old: `http://127.0.0.1:${old.port}`, able: `h2c://127.0.0.1:${port}` },
    retry: { attempts: 3, when: 'GrpcStatus() == 14 && Attempts() < 3' },
  }
  const { gateway } = await startWithGrpc(t, { backend })
  const client = openGrpcClient(t, gateway.port)

  const results = [await client.unary('fail 14 away'), await client.unary('fail 14 away')]

  assert.deepEqual(
    results.map(({ code, details }) => [code, details]),
    [
      [status.UNAVAILABLE, 'away'],
      [status.UNAVAILABLE, 'away'],
    ],
  )
  assert.equal(calls.length, 6)
})

test('a call ends with why the server that could carry it failed', async (t) => {
  const old = await startOrigin(t)
  const servers = { old: `http://127.0.0.1:${old.port}`, dead: 'h2c://127.0.0.1:1' }
  const retry = { attempts: 3, backoff: '1ms' }
  const { gateway } = await startWithGrpc(t, { backend: { servers, retry } })
  const client = openGrpcClient(t, gateway.port)

  const first = await client.unary('x')

  assert.deepEqual(
    [first.code, first.details],
    [status.UNAVAILABLE, 'Bad Gateway (CONNECT_REFUSED)'],
  )
})

test('servers of HTTP/1.1 alone are each asked once about a call that may be repeated', async (t) => {
  const [one, other] = [await startOrigin(t), await startOrigin(t)]
  const servers = { one: `http://127.0.0.1:${one.port}`, other: `http://127.0.0.1:${other.port}` }
  const retry = { attempts: 5, when: 'Attempts() < 5' }
  const { gateway } = await startWithGrpc(t, {
    backend: { servers, retry },
    frontend: { route: 'PathPrefix("/")' },
  })

  const { code, details } = await openGrpcClient(t, gateway.port).unary('x')

  assert.deepEqual([code, details], [status.INTERNAL, 'Bad Gateway (HTTP2_REQUIRED)'])
})
