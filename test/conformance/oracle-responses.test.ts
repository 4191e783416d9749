// Differential: what Node's own client makes of a response through us is what it makes of it directly.
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { startGateway } from '../support/gateway.ts'
import type { Field } from '../support/message.ts'
import { startOrigin, toFields } from '../support/origin.ts'

/** Written anew on every hop; the body and its end are compared instead. */
const BY_DESIGN = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'trailer',
])

const content = fc
  .stringMatching(/^[\t -~\x80-\xff]{0,40}$/)
  .map((text) => text.replace(/^[\t ]+|[\t ]+$/g, ''))
const field: fc.Arbitrary<Field> = fc.tuple(
  fc.oneof(
    fc.stringMatching(/^X-[A-Za-z0-9!#$%&'*+.^`|~_-]{1,12}$/),
    fc.constantFrom('Set-Cookie', 'set-cookie', 'ETag', 'VARY', 'Content-Type', 'Location', 'Date'),
  ),
  content,
)

interface Generated {
  readonly method: string
  readonly status: number
  readonly reason: string
  readonly fields: readonly Field[]
  readonly framing: 'length' | 'chunked' | 'close'
  readonly body: string
  readonly chunk: number
  readonly cuts: readonly number[]
}

const generated: fc.Arbitrary<Generated> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'HEAD', 'DELETE'),
  status: fc.oneof(
    fc.constantFrom(200, 204, 206, 301, 304, 404, 500),
    fc.integer({ min: 206, max: 999 }),
  ),
  reason: fc.stringMatching(/^[A-Za-z0-9 '()-]{0,20}$/),
  fields: fc.array(field, { maxLength: 12 }),
  framing: fc.constantFrom('length' as const, 'chunked' as const, 'close' as const),
  body: fc.uint8Array({ maxLength: 400 }).map((body) => Buffer.from(body).toString('latin1')),
  chunk: fc.integer({ min: 1, max: 100 }),
  cuts: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 4 }),
})

function write(one: Generated): string[] {
  const isBodyless = one.method === 'HEAD' || one.status === 204 || one.status === 304
  const lines = one.fields.map(([name, value]) => `${name}: ${value}`)
  let body = isBodyless ? '' : one.body
  if (one.status !== 204) {
    if (one.framing === 'length') lines.push(`Content-Length: ${one.body.length}`)
    if (one.framing === 'chunked') {
      lines.push('Transfer-Encoding: chunked')
      const chunks = body.match(new RegExp(`[^]{1,${one.chunk}}`, 'g')) ?? []
      const parts = chunks.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`)
      if (!isBodyless) body = `${parts.join('')}0\r\n\r\n`
    }
  }
  let rest = [`HTTP/1.1 ${one.status} ${one.reason}`, ...lines, '', body].join('\r\n')
  const pieces: string[] = []
  for (const at of one.cuts) {
    if (at >= rest.length) break
    pieces.push(rest.slice(0, at))
    rest = rest.slice(at)
  }
  return [...pieces, rest]
}

interface Answer {
  readonly status: number
  readonly reason: string
  readonly fields: readonly Field[]
  readonly body: string
  readonly complete: boolean
}

function ask(port: number, method: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', method, agent: false }, (response) => {
      const body: Buffer[] = []
      response.on('data', (bytes: Buffer) => body.push(bytes))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? '',
          fields: toFields(response.rawHeaders).filter(
            ([name]) => !BY_DESIGN.has(name.toLowerCase()),
          ),
          body: Buffer.concat(body).toString('latin1'),
          complete: response.complete,
        }),
      )
    })
    request.on('error', reject)
    request.end()
  })
}

/** RFC 9110 6.6.1: a response without Date gets one from us, behind its own fields. */
function withDate(direct: Answer, through: Answer): Answer {
  if (direct.fields.some(([name]) => name.toLowerCase() === 'date')) return direct
  const [name = '', value = ''] = through.fields.at(-1) ?? []
  assert.equal(name, 'Date')
  assert.ok(Math.abs(Date.parse(value) - Date.now()) < 5_000, value)
  return { ...direct, fields: [...direct.fields, [name, value]] }
}

test("Node's client sees the same response through us and directly", async (t) => {
  let current: Generated | null = null
  const origin = await startOrigin(t, async (request, connection) => {
    await request.whole()
    assert.ok(current !== null)
    await connection.writePieces(write(current))
    if (current.framing === 'close') connection.end()
  })
  const gateway = await startGateway(t, { origin: origin.port })

  await fc.assert(
    fc.asyncProperty(generated, async (one) => {
      current = one
      origin.forget()

      const direct = await ask(origin.port, one.method)
      const through = await ask(gateway.port, one.method)

      assert.deepEqual(through, withDate(direct, through))
      assert.equal(through.complete, true)
    }),
    { numRuns: 400 },
  )
})
