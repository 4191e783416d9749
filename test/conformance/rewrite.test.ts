// facts/vulcand.md 5.4, in bytes: what a server is asked for, and what becomes of its response.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { exchange, type ReceivedResponse } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin, type Script } from '../support/origin.ts'

interface Site {
  readonly origin: Origin
  ask(head: string): Promise<ReceivedResponse>
}

async function startSite(
  t: TestContext,
  rewrite: object,
  script: Script | string = OK,
): Promise<Site> {
  const origin = await startOrigin(t, script)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', paths: 'preserve' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', rewrite } },
  })
  return { origin, ask: (head) => exchange(t, gateway.port, `${head}\r\n\r\n`) }
}

const RULE = { regexp: '^http://a.test/old(.*)', replacement: 'http://b.test/new$1' }

test('a server gets the new path and query, and the Host as before', async (t) => {
  const { origin, ask } = await startSite(t, RULE)

  await ask('GET /old/a%20b?c={d} HTTP/1.1\r\nHost: a.test')
  await ask('GET http://a.test/old/x HTTP/1.1\r\nHost: a.test')
  await ask('GET /other HTTP/1.1\r\nHost: a.test')

  assert.deepEqual(
    origin.requests.map(({ line }) => line),
    ['GET /new/a%20b?c=%7Bd%7D HTTP/1.1', 'GET /new/x HTTP/1.1', 'GET /other HTTP/1.1'],
  )
  assert.equal(value(origin.requests[0] ?? { fields: [] }, 'x-forwarded-host'), 'a.test')
})

test('a redirect has a 302 with the new URL', async (t) => {
  const { origin, ask } = await startSite(t, { ...RULE, redirect: true })

  const moved = await ask('GET /old/x?y HTTP/1.1\r\nHost: a.test')

  assert.deepEqual([moved.status, value(moved, 'location')], [302, 'http://b.test/new/x?y'])
  assert.equal(origin.requests.length, 0)
})

const BODY = { body: true }
const PAGE = 'I am {{.Request.Host}}'

function page(fields: string, body = PAGE, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\n${fields}Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

test('a body that comes with its head gets its new length', async (t) => {
  const fields = 'ETag: "1"\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nDigest: y\r\n'
  const { ask } = await startSite(t, BODY, page(fields))

  const response = await ask('GET / HTTP/1.1\r\nHost: a.test')

  assert.equal(response.body.toString(), 'I am a.test')
  assert.equal(value(response, 'content-length'), '11')
  assert.equal(value(response, 'etag'), 'W/"1"')
  for (const name of ['accept-ranges', 'content-md5', 'digest'])
    assert.equal(value(response, name), null, name)
})

test('a body in pieces is rewritten across them, and its trailers follow', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n'
  const { ask } = await startSite(t, BODY, async (_request, connection) => {
    await connection.writePieces([
      head,
      '6\r\nI am {\r\n',
      'd\r\n{.Request.Hos\r\n',
      '4\r\nt}}{\r\n',
      '0\r\nX-Sum: 1\r\n\r\n',
    ])
  })

  const response = await ask('GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE')

  assert.equal(response.body.toString(), 'I am a.test{')
})

test('a body with a length that comes in pieces has no length any more', async (t) => {
  const { ask } = await startSite(t, BODY, async (_request, connection) => {
    await connection.writePieces([
      `HTTP/1.1 200 OK\r\nContent-Length: ${PAGE.length}\r\n\r\n`,
      PAGE,
    ])
  })

  assert.equal((await ask('GET / HTTP/1.1\r\nHost: a.test')).body.toString(), 'I am a.test')
  const old = await ask('GET / HTTP/1.0\r\nHost: a.test')
  assert.equal(old.body.toString(), 'I am a.test')
  assert.equal(value(old, 'transfer-encoding'), null)
})

test('a server is not asked for parts or other codings', async (t) => {
  const { origin, ask } = await startSite(t, BODY, page(''))

  await ask(
    'GET / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\nRange: bytes=0-3\r\nIf-Range: "1"',
  )

  const seen = origin.requests[0] ?? { fields: [] }
  assert.equal(value(seen, 'accept-encoding'), 'identity')
  for (const name of ['range', 'if-range']) assert.equal(value(seen, name), null, name)
})

test('what cannot be rewritten passes as it is', async (t) => {
  const site = await startSite(t, BODY)
  const zipped = gzipSync(PAGE)
  const gzip = `HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`
  site.origin.follow((_request, connection) =>
    connection.write(Buffer.concat([Buffer.from(gzip), zipped])),
  )
  const compressed = await site.ask('GET / HTTP/1.1\r\nHost: a.test')
  assert.equal(gunzipSync(compressed.body).toString(), PAGE)
  assert.equal(value(compressed, 'etag'), '"1"')

  site.origin.follow(page('Content-Range: bytes 0-21/22\r\n', PAGE, '206 Partial Content'))
  assert.equal((await site.ask('GET / HTTP/1.1\r\nHost: a.test')).body.toString(), PAGE)

  site.origin.follow(page('Cache-Control: private, no-transform\r\n'))
  assert.equal((await site.ask('GET / HTTP/1.1\r\nHost: a.test')).body.toString(), PAGE)
})

test('a response to HEAD and a 304 name no length of another body', async (t) => {
  const site = await startSite(
    t,
    BODY,
    'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 22\r\n\r\n',
  )
  const head = await site.ask('HEAD / HTTP/1.1\r\nHost: a.test')
  assert.deepEqual(
    [head.status, value(head, 'content-length'), value(head, 'etag')],
    [200, null, 'W/"1"'],
  )

  site.origin.follow('HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
  const same = await site.ask('GET / HTTP/1.1\r\nHost: a.test\r\nIf-None-Match: W/"1"')
  assert.equal(same.status, 304)
})

test('a large body passes through whole', async (t) => {
  const text = `${'x'.repeat(70_000)}{{.Request.Host}}`.repeat(20)
  const { ask } = await startSite(t, BODY, page('', text))

  const response = await ask('GET / HTTP/1.1\r\nHost: a.test')

  assert.ok(response.body.equals(Buffer.from(text.replaceAll('{{.Request.Host}}', 'a.test'))))
})

test('only requests in which the expression is found have their bodies rewritten', async (t) => {
  const { ask } = await startSite(t, { ...RULE, body: true }, page(''))

  assert.equal((await ask('GET /x HTTP/1.1\r\nHost: a.test')).body.toString(), PAGE)
  assert.equal((await ask('GET /old HTTP/1.1\r\nHost: a.test')).body.toString(), 'I am a.test')
})
