// Calls of @grpc/grpc-js through the gateway, over HTTP/2 on both sides.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, constants, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { Metadata, status } from '@grpc/grpc-js'
import { frameMessage } from '../../src/http/grpc/frame.ts'
import { COUNT } from '../../src/scoreboard/layout.ts'
import { openGrpcClient, startGrpcOrigin } from '../support/grpc.ts'
import { startWithGrpc } from '../support/grpc-gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

test('every kind of call goes through', async (t) => {
  const { gateway } = await startWithGrpc(t)
  const client = openGrpcClient(t, gateway.port)

  const unary = await client.unary('hello')
  const collected = await client.collect(['a', 'bc', 'def'])
  const repeated = await client.repeat('x*4')
  const chat = client.chat()
  chat.send('one')
  await eventually(() => chat.received.length === 1, 'the first message is back')
  chat.send('two')
  await eventually(() => chat.received.length === 2, 'the second message is back')
  chat.end()
  const { code, messages } = await chat.result

  assert.deepEqual([unary.code, unary.messages], [0, ['hello']])
  assert.deepEqual([collected.code, collected.messages], [0, ['3 6']])
  assert.deepEqual([repeated.code, repeated.messages], [0, ['x', 'x', 'x', 'x']])
  assert.deepEqual([code, messages], [0, ['one', 'two']])
  await eventually(() => gateway.records().length === 4, 'all calls are logged')
  for (const { status: sent, grpcStatus, reason } of gateway.records())
    assert.deepEqual([sent, grpcStatus, reason], [200, 0, null])
  for (let call = 0; call <= 16; call++)
    assert.equal(gateway.scoreboard.grpcStatus(call), call === 0 ? 4 : 0)
})

test('metadata passes in both directions, text and bytes', async (t) => {
  const { gateway, origins } = await startWithGrpc(t)
  const metadata = new Metadata()
  metadata.set('x-text', 'plain')
  metadata.set('x-bytes-bin', Buffer.from([0, 1, 254, 255]))

  const result = await openGrpcClient(t, gateway.port).unary('trailers', { metadata })

  const seen = origins[0]?.calls[0]?.metadata
  assert.deepEqual(seen?.get('x-text'), ['plain'])
  assert.deepEqual(seen.get('x-bytes-bin'), [Buffer.from([0, 1, 254, 255])])
  assert.deepEqual(result.head?.get('x-head'), ['early'])
  assert.deepEqual(result.head.get('x-head-bin'), [Buffer.from([0, 255, 10, 13])])
  assert.deepEqual(result.trailers?.get('x-tail'), ['late'])
  assert.deepEqual(result.trailers.get('x-tail-bin'), [Buffer.from([1, 254])])
})

test('a response of trailers only passes as one', async (t) => {
  const { gateway } = await startWithGrpc(t)

  const { code, details } = await openGrpcClient(t, gateway.port).unary('fail 5 gone für immer')

  assert.deepEqual([code, details], [status.NOT_FOUND, 'gone für immer'])
  await eventually(() => gateway.records().length === 1, 'the call is logged')
  assert.deepEqual(gateway.records()[0]?.grpcStatus, 5)
})

test('large messages pass in both directions, and a slow reader slows the server down', async (t) => {
  const { gateway } = await startWithGrpc(t)
  const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
  const client = openGrpcClient(t, gateway.port, unlimited)
  const size = 3 * 1024 * 1024

  const down = await client.unary(`big ${size}`)
  const up = await client.collect(Array.from({ length: 8 }, () => Buffer.alloc(1024 * 1024)))

  assert.equal(down.messages[0]?.length, size)
  assert.deepEqual(up.messages, [`8 ${8 * 1024 * 1024}`])
})

test('what is left of the time is passed on', async (t) => {
  const { gateway, origins } = await startWithGrpc(t)
  const client = openGrpcClient(t, gateway.port)
  const before = Date.now()

  await client.unary('with', { timeoutMs: 30_000 })
  await client.unary('without')

  const [limited, free] = origins[0]?.calls ?? []
  assert.ok(limited !== undefined && free !== undefined)
  assert.ok(limited.deadline <= before + 35_000 && limited.deadline > before + 15_000)
  assert.equal(free.deadline, Infinity)
})

/** A server that never responds: what it is asked, and how each stream ends. */
async function startSilent(t: TestContext): Promise<{
  readonly port: number
  readonly timeouts: string[]
  readonly codes: number[]
}> {
  const server = createServer()
  const timeouts: string[] = []
  const codes: number[] = []
  server.on('stream', (stream, headers) => {
    timeouts.push(String(headers['grpc-timeout']))
    stream.on('error', () => undefined)
    stream.on('close', () => codes.push(stream.rstCode ?? -1))
  })
  server.on('session', (session) => t.after(() => session.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, timeouts, codes }
}

test('at the request timeout the client gets a status, and the server a CANCEL', async (t) => {
  const silent = await startSilent(t)
  const backend = {
    timeouts: { request: '300ms' },
    servers: { s: `h2c://127.0.0.1:${silent.port}` },
  }
  const { gateway } = await startWithGrpc(t, { backend })

  const { code, details } = await openGrpcClient(t, gateway.port).unary('x', { timeoutMs: 60_000 })

  assert.deepEqual([code, details], [4, 'Gateway Timeout (REQUEST_TIMEOUT)'])
  await eventually(() => silent.codes.length === 1, 'the stream of the server has ended')
  assert.deepEqual(silent.codes, [constants.NGHTTP2_CANCEL])
  const [, ms = ''] = /^(\d+)m$/.exec(silent.timeouts[0] ?? '') ?? []
  assert.ok(Number(ms) > 0 && Number(ms) <= 300)
})

test('a call in which nothing passes is ended, also while both could send', async (t) => {
  const { gateway, origins } = await startWithGrpc(t, {
    backend: { timeouts: { tunnel: '1s' } },
  })
  const chat = openGrpcClient(t, gateway.port).chat()
  const began = performance.now()

  // Longer than the limit, in all.
  for (let message = 1; message <= 5; message++) {
    chat.send('x')
    await eventually(() => chat.received.length === message, 'it is back')
    await eventually(() => performance.now() - began > message * 300, 'a while has passed')
  }
  const { code, details } = await chat.result

  assert.deepEqual([code, details], [4, 'Gateway Timeout (REQUEST_TIMEOUT)'])
  await eventually(() => origins[0]?.cancelled() === 1, 'the server sees that it is cancelled')
  const [server] = [...gateway.placed().backends].flatMap((backend) => [...backend.servers])
  assert.equal(server === undefined ? -1 : gateway.scoreboard.sum(server.slot, COUNT.failed), 0)
})

test('a time limit that the client does not keep itself is kept here', async (t) => {
  const silent = await startSilent(t)
  const backend = { servers: { s: `h2c://127.0.0.1:${silent.port}` } }
  const { gateway } = await startWithGrpc(t, { backend })
  const client = connect(`http://127.0.0.1:${gateway.port}`)
  t.after(() => client.destroy())
  const ask = async (timeout: string): Promise<unknown[]> => {
    const stream = client.request({
      ':method': 'POST',
      ':path': '/test.Echo/Unary',
      'content-type': 'application/grpc',
      'grpc-timeout': timeout,
    })
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
    stream.destroy()
    return [head[':status'], head['content-type'], head['grpc-status'], head['content-length']]
  }

  const late = await ask('200m')
  const malformed = await ask('123456789m')

  assert.deepEqual(late, [200, 'application/grpc', '4', undefined])
  assert.deepEqual(malformed, [200, 'application/grpc', '13', undefined])
  await eventually(() => silent.codes.length === 1, 'the stream of the server has ended')
  assert.deepEqual(silent.codes, [constants.NGHTTP2_CANCEL])
  assert.deepEqual(
    gateway.records().map(({ reason, grpcStatus }) => [reason, grpcStatus]),
    [
      ['GRPC_TIMEOUT', 4],
      ['BAD_FIELD', 13],
    ],
  )
})

test("a call ends with the client's own time limit, and the server's is cancelled", async (t) => {
  const { gateway, origins } = await startWithGrpc(t)
  const client = openGrpcClient(t, gateway.port)

  const { code } = await client.unary('hang', { timeoutMs: 300 })

  assert.equal(code, status.DEADLINE_EXCEEDED)
  await eventually(() => origins[0]?.cancelled() === 1, 'the server sees that it is cancelled')
  await eventually(() => gateway.records().length === 1, 'the call is logged')
  // All three have the same time limit: the first of them whose timer fires ends the call.
  const { reason, grpcStatus } = gateway.records()[0] ?? {}
  assert.ok(
    reason === 'CLIENT_GONE' ||
      reason === 'GRPC_TIMEOUT' ||
      grpcStatus === status.DEADLINE_EXCEEDED,
    `${reason} ${grpcStatus}`,
  )
})

test('a call that the client cancels is cancelled at the server', async (t) => {
  const { gateway, origins } = await startWithGrpc(t)
  const chat = openGrpcClient(t, gateway.port).chat()
  chat.send('x')
  await eventually(() => chat.received.length === 1, 'the stream is open')

  chat.cancel()

  assert.equal((await chat.result).code, status.CANCELLED)
  await eventually(() => origins[0]?.cancelled() === 1, 'the server sees that it is cancelled')
  await eventually(() => gateway.records().length === 1, 'the call is logged')
  const [record] = gateway.records()
  assert.deepEqual([record?.reason, record?.grpcStatus], ['CLIENT_GONE', 1])
})

test('errors of the proxy are statuses of gRPC', async (t) => {
  const { gateway } = await startWithGrpc(t, {
    frontend: { ratelimit: { requests: 1, period: '1h' } },
  })
  await gateway.apply({
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      none: {},
      dead: { servers: { d: 'h2c://127.0.0.1:1' } },
      old: { servers: { o: `http://127.0.0.1:${(await startOrigin(t)).port}` } },
    },
    frontends: {
      none: { route: 'Path("/none")', backend: 'none' },
      dead: { route: 'Path("/dead")', backend: 'dead' },
      old: { route: 'Path("/old")', backend: 'old' },
      closed: { route: 'Path("/closed")', respond: { status: 403, body: 'members only' } },
      login: { route: 'Path("/login")', respond: { status: 401 } },
      busy: {
        route: 'Path("/busy")',
        backend: 'none',
        ratelimit: { requests: 1, period: '1h', burst: 1 },
      },
    },
  })
  const client = openGrpcClient(t, gateway.port)
  const call = async (path: string): Promise<[number, string]> => {
    const { code, details } = await client.unary('x', { path })
    return [code, details]
  }

  assert.deepEqual(await call('/none'), [14, 'Service Unavailable (NO_SERVER)'])
  assert.deepEqual(await call('/dead'), [14, 'Bad Gateway (CONNECT_REFUSED)'])
  assert.deepEqual(await call('/old'), [13, 'Bad Gateway (HTTP2_REQUIRED)'])
  assert.deepEqual(await call('/nowhere'), [12, 'Not Found (NO_ROUTE)'])
  assert.deepEqual(await call('/closed'), [7, 'members only'])
  assert.equal((await call('/login'))[0], 16)
  await call('/busy')
  assert.equal((await call('/busy'))[0], 8)
})

test('a grpc-status of the server is judged, and not the status of HTTP', async (t) => {
  const { gateway, origins } = await startWithGrpc(t, {
    origins: 2,
  })
  const client = openGrpcClient(t, gateway.port)

  for (let call = 0; call < 4; call++) await client.unary('fail 14 away')
  for (let call = 0; call < 4; call++) await client.unary('fail 5 not found')
  for (let call = 0; call < 2; call++) await client.unary('fine')

  const servers = [...gateway.placed().backends].flatMap((backend) => [...backend.servers])
  const errors = servers.map(({ slot }) => gateway.scoreboard.sum(slot, COUNT.errors))
  assert.deepEqual(errors, [2, 2])
  assert.equal(
    origins.reduce((sum, { calls }) => sum + calls.length, 0),
    10,
  )
})

test('a predicate retries by grpc-status, and nothing does by default', async (t) => {
  const when = 'GrpcStatus() == 14 && Attempts() < 3'
  const { gateway, origins } = await startWithGrpc(t, {
    origins: 3,
    frontend: { retry: { when } },
  })
  const client = openGrpcClient(t, gateway.port)
  const called = (): number => origins.reduce((sum, { calls }) => sum + calls.length, 0)

  const retried = await client.unary('fail 14 away')
  const afterRetries = called()
  const other = await client.unary('fail 13 broken')

  assert.deepEqual([retried.code, afterRetries], [14, 3])
  assert.deepEqual([other.code, called()], [13, 4])
})

test('a server that dies ends its own streams with UNAVAILABLE, and no other', async (t) => {
  const { gateway, origins } = await startWithGrpc(t, { origins: 3 })
  const client = openGrpcClient(t, gateway.port)
  const chats = Array.from({ length: 100 }, () => client.chat())
  for (const chat of chats) chat.send('hello')
  await eventually(() => chats.every(({ received }) => received.length === 1), 'all are open')
  const victim = origins[0] ?? assert.fail()
  const lost = victim.calls.length

  victim.kill()
  const codes: number[] = []
  for (const chat of chats) void chat.result.then(({ code }) => codes.push(code))
  await eventually(() => codes.length >= lost, 'its streams have ended')
  const fresh = await Promise.all(Array.from({ length: 200 }, () => client.unary('new')))

  assert.ok(lost > 20)
  assert.deepEqual(new Set(codes), new Set([status.UNAVAILABLE]))
  assert.equal(codes.length, lost)
  assert.deepEqual(new Set(fresh.map(({ code }) => code)), new Set([0]))
  for (const chat of chats) chat.send('still there')
  const alive = chats.filter(({ received }) => received.length >= 1)
  await eventually(
    () => alive.filter(({ received }) => received.length === 2).length === chats.length - lost,
    'the others go on',
  )
  for (const chat of chats) chat.cancel()
})

test('calls that wait for a connection which is refused all go to another server', async (t) => {
  const { port } = await startGrpcOrigin(t)
  const servers = { dead: 'h2c://127.0.0.1:1', alive: `h2c://127.0.0.1:${port}` }
  const { gateway } = await startWithGrpc(t, { backend: { servers } })
  const client = openGrpcClient(t, gateway.port)

  const results = await Promise.all(Array.from({ length: 100 }, () => client.unary('x')))

  assert.deepEqual(new Set(results.map(({ code }) => code)), new Set([0]))
})

test('keepalive pings of a client are answered while a stream is quiet', async (t) => {
  const { gateway } = await startWithGrpc(t)
  const client = openGrpcClient(t, gateway.port, {
    'grpc.keepalive_time_ms': 100,
    'grpc.keepalive_timeout_ms': 2_000,
    'grpc.keepalive_permit_without_calls': 1,
  })
  const chat = client.chat()
  chat.send('before')
  const began = performance.now()

  await eventually(() => performance.now() - began > 1_000, 'ten pings are due')
  chat.send('after')
  chat.end()

  const { code, messages } = await chat.result
  assert.deepEqual([code, messages], [0, ['before', 'after']])
})

test('a browser calls by gRPC-Web, over HTTP/1.1, in bytes and in text', async (t) => {
  const { gateway, origins } = await startWithGrpc(t, {
    frontend: { grpcWeb: { allowOrigins: ['*'] } },
  })
  const call = async (path: string, type: string, body: Buffer | string): Promise<Response> =>
    await fetch(`http://127.0.0.1:${gateway.port}/test.Echo/${path}`, {
      method: 'POST',
      headers: { 'content-type': type, 'x-grpc-web': '1', origin: 'https://app.example' },
      body,
    })
  const bytesOf = async (response: Response): Promise<string> =>
    Buffer.from(await response.arrayBuffer()).toString('latin1')
  const status = (code: number): RegExp =>
    new RegExp(`\\x80\\0\\0\\0.grpc-status: ${code}\\r\\n`, 's')

  const unary = await call('Unary', 'application/grpc-web', frameMessage(Buffer.from('hi')))
  const failed = await call('Unary', 'application/grpc-web', frameMessage(Buffer.from('fail 5 no')))
  const stream = await call('Repeat', 'application/grpc-web', frameMessage(Buffer.from('ab*3')))
  const text = await call(
    'Unary',
    'application/grpc-web-text',
    frameMessage(Buffer.from('text')).toString('base64'),
  )
  const lost = await call('Nothing', 'application/grpc-web', frameMessage(Buffer.from('x')))

  assert.equal(unary.headers.get('content-type'), 'application/grpc-web+proto')
  assert.equal(unary.headers.get('access-control-allow-origin'), '*')
  const hi = await bytesOf(unary)
  assert.ok(hi.startsWith('\0\0\0\0\x02hi\x80'))
  assert.match(hi, status(0))
  assert.match(await bytesOf(failed), status(5))
  assert.ok((await bytesOf(stream)).startsWith('\0\0\0\0\x02ab'.repeat(3) + '\x80'))
  assert.equal(text.headers.get('content-type'), 'application/grpc-web-text+proto')
  const pieces = (await bytesOf(text)).match(/[^=]+={0,2}/g) ?? []
  const decoded = pieces.map((piece) => Buffer.from(piece, 'base64').toString('latin1')).join('')
  assert.ok(decoded.startsWith('\0\0\0\0\x04text'))
  assert.match(decoded, status(0))
  assert.match(await bytesOf(lost), status(12))
  assert.deepEqual(origins[0]?.calls[0]?.metadata.get('x-grpc-web'), ['1'])
})
