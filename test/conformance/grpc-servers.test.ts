// Calls of gRPC and what their servers speak.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { createAuthority } from '../support/certificates.ts'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { openGrpcClient } from '../support/grpc.ts'
import { startWithGrpc } from '../support/grpc-gateway.ts'
import { ERROR, resetFrame } from '../support/http2/frames.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

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
