// Differential: for well-formed traffic an origin sees the same through http-proxy-3 and through us (DESIGN.md section 1).
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createProxyServer } from 'http-proxy-3'
import { connectClient, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import type { Field } from '../support/message.ts'
import { listen, startEchoOrigin, type HttpRequestSeen } from '../support/origin.ts'

/**
 * Where the two differ by design:
 * - http-proxy-3 writes names in lower case and joins what comes twice: compared so (ours are byte for byte, see fields.test.ts);
 * - fields of one hop and framing are written anew by both, each in its own way: the body is compared instead;
 * - forwarding fields are ours to set (see forwarding-fields.test.ts), http-proxy-3 sets some with `xfwd`;
 * - Expect, Upgrade and TE have rules of their own and are not generated;
 * - http-proxy-3 sends a DELETE or OPTIONS with chunks without its body, so chunks are generated for other methods only.
 */
const BY_DESIGN = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'trailer', 'x-request-id'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip'],
])

const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^`|~-]{1,12}$/)
const caseOf = (name: string): fc.Arbitrary<string> =>
  fc.constantFrom(name, name.toLowerCase(), name.toUpperCase())
const content = fc
  .stringMatching(/^[\t -~\x80-\xff]{0,40}$/)
  .map((text) => text.replace(/^[\t ]+|[\t ]+$/g, ''))
const field = fc.oneof(
  fc.tuple(
    fc.oneof(
      token.map((name) => `X-${name}`),
      caseOf('Accept'),
      caseOf('Cache-Control'),
      caseOf('X-Twice'),
      caseOf('Accept-Language'),
    ),
    content,
  ),
)
const segment = fc
  .stringMatching(/^[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]{0,8}$/)
  .map((text) => text.replace(/;/g, '%3D'))
const target = fc
  .tuple(
    fc.array(segment, { maxLength: 4 }),
    fc.option(fc.stringMatching(/^[A-Za-z0-9/?%&=._~-]{1,20}$/)),
  )
  .map(([path, query]) => `/${path.join('/')}${query === null ? '' : `?${query}`}`)
const bytes = fc.uint8Array({ maxLength: 300 }).map((body) => Buffer.from(body).toString('latin1'))

interface Generated {
  readonly method: string
  readonly target: string
  readonly fields: readonly Field[]
  readonly framing: 'none' | 'length' | 'chunked'
  readonly body: string
  readonly chunk: number
  readonly cuts: readonly number[]
}

const generated: fc.Arbitrary<Generated> = fc
  .record({
    method: fc.constantFrom(
      'GET',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'PROPFIND',
      'QUERY',
    ),
    target,
    fields: fc.array(field, { maxLength: 12 }),
    framing: fc.constantFrom('none' as const, 'length' as const, 'chunked' as const),
    body: bytes,
    chunk: fc.integer({ min: 1, max: 100 }),
    cuts: fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 4 }),
  })
  .map((one) => {
    const framing =
      one.framing === 'chunked' && !/^P(OST|UT|ATCH)$/.test(one.method) ? 'length' : one.framing
    return { ...one, framing, body: framing === 'none' ? '' : one.body }
  })

function write(one: Generated): string[] {
  const lines = one.fields.map(([name, content]) => `${name}: ${content}`)
  let body = one.body
  if (one.framing === 'length') lines.push(`Content-Length: ${body.length}`)
  if (one.framing === 'chunked') {
    lines.push('Transfer-Encoding: chunked')
    const chunks = body.match(new RegExp(`[^]{1,${one.chunk}}`, 'g')) ?? []
    body = `${chunks.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join('')}0\r\n\r\n`
  }
  let rest = [`${one.method} ${one.target} HTTP/1.1`, 'Host: a.test', ...lines, '', body].join(
    '\r\n',
  )
  const pieces: string[] = []
  for (const at of one.cuts) {
    if (at >= rest.length) break
    pieces.push(rest.slice(0, at))
    rest = rest.slice(at)
  }
  return [...pieces, rest]
}

test('an origin sees the same request through http-proxy-3 and through us', async (t) => {
  const origin = await startEchoOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const proxy = await startHttpProxy(t, origin.url)
  const ours = await openClient(t, gateway.port)

  await fc.assert(
    fc.asyncProperty(generated, async (one) => {
      origin.requests.length = 0
      // Ours carries everything on one connection; http-proxy-3 closes its own after each response.
      const theirs = await connectClient(proxy)
      for (const client of [ours, theirs]) {
        await client.sendPieces(write(one))
        const response = await client.readResponse(one.method)
        assert.equal(response.status, 200)
        assert.equal(response.body.toString('latin1'), one.body)
      }
      theirs.socket.destroy()

      assert.deepEqual(comparable(origin.requests[0]), comparable(origin.requests[1]))
      assert.equal(origin.requests[0]?.method, one.method)
      assert.equal(origin.requests[0]?.target, one.target)
      assert.equal(origin.requests[0]?.body, one.body)
    }),
    { numRuns: 400 },
  )
})

function comparable(seen: HttpRequestSeen | undefined): object {
  assert.ok(seen !== undefined)
  const fields = new Map<string, string>()
  for (const [given, content] of seen.fields) {
    const name = given.toLowerCase()
    if (BY_DESIGN.has(name)) continue
    const before = fields.get(name)
    fields.set(name, before === undefined ? content : `${before},${content}`)
  }
  return {
    ...seen,
    fields: Object.fromEntries(
      [...fields]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, list]) => [name, list.replace(/[\t ]*,[\t ]*/g, ',')]),
    ),
  }
}

async function startHttpProxy(t: TestContext, target: string): Promise<number> {
  const proxy = createProxyServer({ target, xfwd: true })
  const server = createServer((request, response) => {
    void proxy.web(request, response)
  })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return listen(server)
}
