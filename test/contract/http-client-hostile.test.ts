/** The client of registries against servers that break HTTP, or use all that it allows. Each call fails in time, with a reason. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createSseParser } from '../../src/http/server-sent-events.ts'
import { createHttpClient, type HttpClient } from '../../src/providers/http-client/http-client.ts'

const CALL = { timeoutMs: 1_500 }
const PASSWORD = 'c2x1aWNlOnNlY3JldA=='

/** A server that writes as it is told once the first bytes of a request are there. */
async function serve(t: TestContext, write: (socket: Socket) => void): Promise<HttpClient> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => write(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const headers = { authorization: `Basic ${PASSWORD}` }
  const client = createHttpClient({ what: 'Registry', origin, headers })
  t.after(() => {
    client.close()
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return client
}

/** The text again and again, as fast as it is read. */
const pour =
  (text: string, head = '') =>
  (socket: Socket): void => {
    socket.write(head)
    const on = (): void => {
      while (!socket.destroyed && socket.write(text));
      if (!socket.destroyed) socket.once('drain', on)
    }
    on()
  }

/** A character every few milliseconds. */
const drip =
  (text: string, head = '') =>
  (socket: Socket): void => {
    socket.write(head)
    let at = 0
    const timer = setInterval(() => {
      if (socket.destroyed || at >= text.length) clearInterval(timer)
      else socket.write(text[at++] ?? '')
    }, 50)
  }

const end =
  (text: string) =>
  (socket: Socket): void =>
    void socket.end(text)

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`
const ONE_BYTE = '1\r\nx\r\n'

for (const [what, write, reason] of [
  ['a head without an end', pour(`X-A: ${'a'.repeat(1_000)}\r\n`, OK), /Headers Overflow/],
  ['a head of one byte at a time', drip(`${OK}Content-Length: 2\r\n\r\n{}`), /no response in time/],
  ['interim responses without an end', pour('HTTP/1.1 103 Early Hints\r\n\r\n'), /in time/],
  ['100 (Continue) without an end', pour('HTTP/1.1 100 Continue\r\n\r\n'), /bad response|in time/],
  ['another protocol', end('SSH-2.0-OpenSSH_9.2\r\n'), /does not match the HTTP/],
  ['an upgrade', end('HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'), /upgrade/],
  ['nothing', end(''), /other side closed/],
  ['half of a body', end(`${OK}Content-Length: 100\r\n\r\n{}`), /other side closed/],
  [
    'two framings of a body',
    end(`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
    /content-length/,
  ],
  ['chunks of one byte', pour(ONE_BYTE.repeat(10_000), CHUNKED), /tiny chunks|in time/],
  ['a body that is too large', end(`${OK}Content-Length: 99999999999\r\n\r\n`), /more than \d+ b/],
  [
    'a compressed body',
    end(`${OK}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x7f\b\0`),
    /is not JSON/,
  ],
  ['control characters', end(`${OK}Content-Length: 6\r\n\r\n\x1b[31m\x07`), /is not JSON/],
] as const) {
  test(`${what} is a failure with a reason, in time`, async (t) => {
    const client = await serve(t, write)

    const failure = await client
      .json('/v1/list?token=secret', CALL)
      .catch((error: unknown) => error)

    assert.ok(failure instanceof Error)
    assert.match(
      failure.message,
      /^cannot read \/v1\/list of Registry at http:\/\/127\.0\.0\.1:\d+: /,
    )
    assert.match(failure.message, reason)
    assert.doesNotMatch(failure.message, /[\x00-\x1f]|token=/)
  })
}

test('an error response that shows the request shows no secret in the message', async (t) => {
  const page = `GET / HTTP/1.1 Authorization: Basic ${PASSWORD} X: ${PASSWORD}`
  const write = end(`HTTP/1.1 500 X\r\nContent-Length: ${page.length}\r\n\r\n${page}`)
  const client = await serve(t, write)

  const failure = await client.json('/', CALL).catch((error: unknown) => error)

  assert.ok(failure instanceof Error)
  assert.match(failure.message, /with 500: GET \/ HTTP\/1\.1 Authorization: \*\*\* X: \*\*\*$/)
})

test('an error response that shows the query of the request shows no secret in the message', async (t) => {
  const page = 'no /doc?token=s3cret/x%2B+y here, nor token=s3cret/x%2B+y or s3cret/x+ y'
  const write = end(`HTTP/1.1 403 X\r\nContent-Length: ${page.length}\r\n\r\n${page}`)
  const client = await serve(t, write)

  const failure = await client
    .json('/doc?token=s3cret/x%2B+y&page=1', CALL)
    .catch((error: unknown) => error)

  assert.ok(failure instanceof Error)
  assert.match(
    failure.message,
    /with 403: no \/doc\?token=\*\*\* here, nor token=\*\*\* or \*\*\*$/,
  )
})

test('the page of an error that comes a byte at a time is not waited for', async (t) => {
  const client = await serve(
    t,
    drip('x'.repeat(3_000), 'HTTP/1.1 503 X\r\nContent-Length: 3000\r\n\r\n'),
  )
  const began = performance.now()

  const failure = await client.json('/', CALL).catch((error: unknown) => error)

  assert.ok(failure instanceof Error)
  assert.match(failure.message, /with 503/)
  assert.ok(performance.now() - began < CALL.timeoutMs + 1_000)
})

test('a body in pieces of one byte takes no more memory than its bytes', async (t) => {
  const size = 64 * 1_024
  const client = await serve(t, end(`${CHUNKED}${ONE_BYTE.repeat(size)}0\r\n\r\n`))

  const { body } = await client.text('/', { timeoutMs: 10_000 })

  assert.equal(body, 'x'.repeat(size))
})

// In quadratic time, 4 million pieces would take minutes.
test('an event in pieces of one character is read in time', { timeout: 60_000 }, () => {
  const length = 4_000_000
  const parse = createSseParser(1 << 23)

  for (const char of 'data: ') parse(char)
  for (let i = 0; i < length; i++) parse('x')

  assert.equal(parse('\n\n')[0]?.data.length, length)
})
