// What others have reported of gRPC through proxies, tried here; each test names the report.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGrpcClient } from '../support/grpc.ts'
import { startWithGrpc } from '../support/grpc-gateway.ts'
import { dataFrame, goAwayFrame, headersFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startHttp2Server, type Http2Request } from '../support/http2/server.ts'
import { eventually } from '../support/until.ts'

const HEAD = block([':status', '200'], ['content-type', 'application/grpc'])
const EMPTY_MESSAGE = Buffer.alloc(5)
const WELL = block(['grpc-status', '0'])

function respond({ connection, streamId }: Http2Request): void {
  connection.send(
    headersFrame(streamId, HEAD),
    dataFrame(streamId, EMPTY_MESSAGE),
    headersFrame(streamId, WELL, { end: true }),
  )
}

// haproxy/haproxy#736: a response that was complete before its connection was reset was cut.
test('a call whose server resets the connection right behind the trailers is whole', async (t) => {
  const server = await startHttp2Server(t, (request) => {
    respond(request)
    request.connection.send(goAwayFrame(request.streamId))
    request.connection.socket.destroySoon()
  })
  const backend = { servers: { s: `h2c://127.0.0.1:${server.port}` } }
  const { gateway } = await startWithGrpc(t, { backend })
  const client = openGrpcClient(t, gateway.port)

  for (let call = 0; call < 10; call++) assert.equal((await client.unary('x')).code, 0)
})

// envoyproxy/envoy#36450: with many calls, those above the last stream of a GOAWAY failed. connect-rust#285: so did the first one
// after it while a stream was open.
test('no call fails when a server ends its connections in the midst of many', async (t) => {
  const ended = new Set<number>()
  let served = 0
  const server = await startHttp2Server(t, (request) => {
    const { connection, streamId } = request
    // Above the last one: not processed.
    if (ended.has(connection.number)) return
    respond(request)
    if (++served % 7 !== 0) return
    ended.add(connection.number)
    connection.send(goAwayFrame(streamId))
  })
  const backend = { servers: { s: `h2c://127.0.0.1:${server.port}` } }
  const { gateway } = await startWithGrpc(t, { backend })
  const client = openGrpcClient(t, gateway.port)

  const codes: number[] = []
  for (let round = 0; round < 10; round++) {
    const calls = Array.from({ length: 20 }, () => client.unary('x'))
    codes.push(...(await Promise.all(calls)).map(({ code }) => code))
  }

  assert.deepEqual(new Set(codes), new Set([0]))
})

// nginx/nginx#1591: a head that ends the stream although it announces a body was passed on as a whole, empty response.
test('a response of trailers only that announces a body is no response', async (t) => {
  const server = await startHttp2Server(t, ({ connection, streamId }) => {
    const fields = [':status', '200'] as const
    const head = block(fields, ['content-type', 'application/grpc'], ['content-length', '9'])
    connection.send(headersFrame(streamId, head, { end: true }))
  })
  const backend = { servers: { s: `h2c://127.0.0.1:${server.port}` } }
  const { gateway } = await startWithGrpc(t, { backend })

  const { code, details } = await openGrpcClient(t, gateway.port).unary('x')

  assert.deepEqual([code, details], [14, 'Bad Gateway (BAD_ANSWER)'])
})

// linkerd/linkerd#1696: a client that left after it had sent all was not noticed, and the server's stream stayed open.
test('a client that leaves while the server streams ends the stream of the server', async (t) => {
  const { gateway, origins } = await startWithGrpc(t, {})
  const client = openGrpcClient(t, gateway.port)
  const result = client.repeat('x*3!', { timeoutMs: 300 })

  assert.equal((await result).code, 4)
  await eventually(() => origins[0]?.cancelled() === 1, 'the server sees that it is cancelled')
})

// linkerd/linkerd#1591 and traefik/traefik#10991: a stream stopped, or was ended, after some thousand messages.
test('a stream passes thousands of small messages in both directions', async (t) => {
  const { gateway } = await startWithGrpc(t, {})
  const client = openGrpcClient(t, gateway.port)

  const down = await client.repeat('a small message*2000')
  const chat = client.chat()
  for (let message = 0; message < 300; message++) chat.send('a small message')
  chat.end()
  const both = await chat.result
  const up = await client.collect(Array.from({ length: 500 }, () => 'a small message'))

  assert.deepEqual([down.code, down.messages.length], [0, 2_000])
  assert.deepEqual([both.code, both.messages.length], [0, 300])
  assert.deepEqual([up.code, up.messages], [0, ['500 7500']])
})

// linkerd/linkerd#2334: a unary call that took longer than a time limit for ordinary responses was cancelled.
test('the time limits of ordinary responses do not end a call', async (t) => {
  const { gateway } = await startWithGrpc(t, {
    backend: { timeouts: { firstByte: '100ms', stall: '100ms' } },
  })
  const client = openGrpcClient(t, gateway.port)
  const chat = client.chat()
  chat.send('x')
  await eventually(() => chat.received.length === 1, 'the first message is back')
  const began = performance.now()

  const hanging = client.unary('hang', { timeoutMs: 600 })
  await eventually(() => performance.now() - began > 500, 'both are silent for long')
  chat.send('y')
  chat.end()

  assert.deepEqual((await chat.result).messages, ['x', 'y'])
  assert.equal((await hanging).code, 4)
})
