import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createHttpClient, type HttpClient } from '../../src/providers/http-client/http-client.ts'
import { SourceRefused } from '../../src/providers/provider.ts'

const CALL = { timeoutMs: 5_000 }

async function serve(t: TestContext, onRequest: RequestListener): Promise<HttpClient> {
  const server = createServer(onRequest).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = createHttpClient({
    what: 'Registry',
    origin: `http://127.0.0.1:${port}`,
    headers: { 'x-token': 'secret-of-ours' },
  })
  t.after(() => {
    client.close()
    server.close().closeAllConnections()
  })
  return client
}

test('a response is read as JSON, with its status and headers', async (t) => {
  const client = await serve(t, (request, response) => {
    response.setHeader('x-index', '7')
    response.end(JSON.stringify({ path: request.url, token: request.headers['x-token'] }))
  })

  const { status, headers, body } = await client.json('/v1/a?b', CALL)

  assert.equal(status, 200)
  assert.equal(headers['x-index'], '7')
  assert.deepEqual(body, { path: '/v1/a?b', token: 'secret-of-ours' })
})

test('another status is a failure with the start of its body, and 401 and 403 are refusals', async (t) => {
  const client = await serve(t, (request, response) => {
    response.statusCode = Number(request.url?.slice(1))
    response.end(`first\r\nsecond ${'x'.repeat(1000)}`)
  })

  const failure = await client.json('/500', CALL).catch((error: unknown) => error)
  const refusal = await client.json('/403', CALL).catch((error: unknown) => error)
  const accepted = await client.text('/404', { ...CALL, accept: [200, 404] })

  assert.ok(failure instanceof Error && !(failure instanceof SourceRefused))
  assert.match(
    failure.message,
    /^Registry at .* responds to \/500 with 500: first second x+\.\.\.$/,
  )
  assert.ok(!failure.message.includes('secret-of-ours'))
  assert.ok(refusal instanceof SourceRefused)
  assert.equal(accepted.status, 404)
})

for (const [what, length] of [
  ['a Content-Length', true],
  ['chunks', false],
] as const) {
  test(`a body over the limit is refused, with ${what}`, async (t) => {
    const client = await serve(t, (_, response) => {
      if (length) response.setHeader('content-length', 2048)
      response.end('x'.repeat(2048))
    })

    await assert.rejects(client.text('/', { ...CALL, maxBytes: 1024 }), /more than 1024 bytes/)
  })
}

for (const [what, body, message] of [
  ['text that is not JSON', '<html>', /cannot read \/ of Registry at .*: it is not JSON/],
  ['10,000 levels', '['.repeat(10_000) + ']'.repeat(10_000), /more than 64 levels/],
  ['millions of members', `[${'1,'.repeat(2_000_001)}1]`, /more than 2000000 members/],
] as const) {
  test(`JSON with ${what} is refused`, async (t) => {
    const client = await serve(t, (_, response) => void response.end(body))

    await assert.rejects(client.json('/', CALL), message)
  })
}

test('brackets and quotes inside strings do not count as levels', async (t) => {
  const value = { text: `\\"${'['.repeat(200)}"\\` }
  const client = await serve(t, (_, response) => void response.end(JSON.stringify(value)))

  assert.deepEqual((await client.json('/', CALL)).body, value)
})

test('a server that accepts and says nothing is given up in time', async (t) => {
  const server = createTcpServer(() => undefined).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = createHttpClient({ what: 'Registry', origin: `http://127.0.0.1:${port}` })
  t.after(() => {
    client.close()
    server.close()
  })

  await assert.rejects(client.text('/', { timeoutMs: 100 }), /no response in time/)
})

test('a body that arrives a byte at a time is given up in time', async (t) => {
  const client = await serve(t, (_, response) => {
    const timer = setInterval(() => response.write('x'), 10)
    response.on('close', () => clearInterval(timer))
  })

  await assert.rejects(client.text('/', { timeoutMs: 200 }), /no response in time/)
})

test('a redirect is a failure: a token must not follow it', async (t) => {
  const client = await serve(t, (_, response) => {
    response.writeHead(307, { location: 'http://elsewhere/' }).end()
  })

  await assert.rejects(client.text('/', CALL), /responds to \/ with 307/)
})

test('a refused connection says so', async () => {
  const client = createHttpClient({ what: 'Registry', origin: 'http://127.0.0.1:1' })

  await assert.rejects(client.text('/v1', CALL), /cannot read \/v1 of Registry .*ECONNREFUSED/)
  client.close()
})

test('a stream yields text as it arrives, and fails when it falls silent', async (t) => {
  const client = await serve(t, (_, response) => void response.write('{"a":1}'))
  const { body } = await client.stream('/events', { ...CALL, idleMs: 100 })
  const chunks = body[Symbol.asyncIterator]()

  const first = await chunks.next()

  assert.deepEqual(first, { done: false, value: '{"a":1}' })
  await assert.rejects(chunks.next(), /nothing has arrived for 0.1 s/)
})

test('a stream ends with the signal, and with close', async (t) => {
  const client = await serve(t, (_, response) => void response.write('.'))
  const stopping = new AbortController()
  const [one, other] = await Promise.all([
    client.stream('/', { ...CALL, signal: stopping.signal, idleMs: null }),
    client.stream('/', { ...CALL, idleMs: null }),
  ])
  const [first, second] = [one, other].map(({ body }) => body[Symbol.asyncIterator]())
  await Promise.all([first?.next(), second?.next()])

  const ends = [first?.next(), second?.next()].map((next) => assert.rejects(Promise.resolve(next)))
  stopping.abort()
  client.close()

  await Promise.all(ends)
})

test('many calls at once share a client, and a held one delays no other', async (t) => {
  const client = await serve(t, (request, response) => {
    if (request.url !== '/held') response.end('now')
  })
  const stopping = new AbortController()
  const held = assert.rejects(client.text('/held', { ...CALL, signal: stopping.signal }))

  const bodies = await Promise.all(
    Array.from({ length: 20 }, async () => (await client.text('/', CALL)).body),
  )

  assert.deepEqual(new Set(bodies), new Set(['now']))
  stopping.abort()
  await held
})
