/**
 * What a client gets is the response that an HTTP/2 server gave, or a clear error: frames of a response in any order, with fields that are
 * not allowed, lengths that are wrong, and ends in every place. A model written from RFC 9113 section 8.1 decides which.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { connectClient } from '../support/client.ts'
import { openHttp2Client, type Http2Client } from '../support/http2/client.ts'
import { dataFrame, headersFrame, resetFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { content, hostile, token } from '../support/http2/meaning.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { startGateway } from '../support/gateway.ts'
import type { Field } from '../support/message.ts'

/** A frame of the response. */
type Piece =
  | { readonly kind: 'head'; readonly fields: readonly Field[]; readonly end: boolean }
  | { readonly kind: 'data'; readonly bytes: string; readonly end: boolean }

/** What a client has of a response. */
interface Got {
  readonly status: number
  readonly fields: readonly Field[]
  readonly body: string
  readonly trailers: readonly Field[]
}

/** Null: there is no whole response. */
interface Meaning {
  readonly got: Got | null
  /** A proxy may be stricter than that, or may be as lenient. */
  readonly isDebatable: boolean
  /** All of its length came before it was reset, or turned out to be wrong: a client of HTTP/1 has it by then. */
  readonly byLength: Got | null
}

const plain: fc.Arbitrary<Field> = fc.tuple(
  fc.oneof(
    token.map((name) => `x-a${name}`),
    fc.constantFrom('set-cookie', 'etag', 'vary', 'x-twice'),
  ),
  content,
)
const length = fc
  .constantFrom(
    '0',
    '1',
    '2',
    '4',
    '04',
    '+4',
    '-1',
    '4, 4',
    '4,5',
    '',
    '4x',
    '99999999999999999999',
  )
  .map((value): Field => ['content-length', value])
const wrong: fc.Arbitrary<Field> = fc.oneof(
  fc
    .constantFrom('connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade')
    .map((name): Field => [name, 'chunked']),
  token.map((name): Field => [`X-A${name}`, 'b']),
  hostile.map((text): Field => [`x-a${text}`, 'b']),
  hostile.map((text): Field => ['x-a', `b${text}c`]),
  fc.constantFrom<Field>([':status', '200'], [':path', '/'], [':x', 'y'], ['', 'b']),
)
const status = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('200', '201', '404', '503') },
  { weight: 3, arbitrary: fc.constantFrom('204', '304') },
  { weight: 3, arbitrary: fc.constantFrom('100', '103', '101', '199') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '20', '2000', ' 200', '200 ', 'abc', '099', '-20', '20\r'),
  },
)
const fieldsOfHead = fc
  .tuple(
    fc.array(plain, { maxLength: 3 }),
    fc.option(length, { nil: null, freq: 3 }),
    fc.option(wrong, { nil: null, freq: 6 }),
    fc.nat({ max: 4 }),
  )
  .map(([fields, length, wrong, at]) => {
    const all = length === null ? fields : [...fields, length]
    return wrong === null ? all : all.toSpliced(at, 0, wrong)
  })
const head = fc
  .tuple(fc.option(status, { nil: null, freq: 20 }), fieldsOfHead)
  .map(([status, fields]): Field[] => (status === null ? fields : [[':status', status], ...fields]))
const trailers = fc
  .tuple(fc.array(plain, { maxLength: 2 }), fc.option(wrong, { nil: null, freq: 3 }))
  .map(([fields, wrong]) => (wrong === null ? fields : [...fields, wrong]))

const isEnd = fc.boolean()
const heads = fc.record({ kind: fc.constant('head' as const), fields: head, end: isEnd })
const data = fc.record({
  kind: fc.constant('data' as const),
  bytes: fc.constantFrom('', 'a', 'ab', 'abcd', 'HTTP/1.1 200 OK\r\n\r\n', '0\r\n\r\n'),
  end: isEnd,
})
const last = fc.record({ kind: fc.constant('head' as const), fields: trailers, end: isEnd })
const response: fc.Arbitrary<readonly Piece[]> = fc.oneof(
  // In the usual order, and in any.
  fc
    .tuple(heads, fc.array(data, { maxLength: 2 }), fc.array(last, { maxLength: 1 }))
    .map(([first, bodies, lasts]) => [first, ...bodies, ...lasts]),
  fc.array(fc.oneof(heads, data, last), { minLength: 1, maxLength: 5 }),
)

for (const [what, ask] of [
  ['HTTP/1', askByHttp1],
  ['HTTP/2', askByHttp2],
] as const) {
  test(`a client of ${what} gets the response of an HTTP/2 server, or an error`, async (t) => {
    let pieces: readonly Piece[] = []
    const server = await startHttp2Server(t, ({ value, respond, connection, streamId }) => {
      if (value(':path') === '/good') return respond()
      connection.send(...pieces.map((piece) => frameOf(streamId, piece)), resetFrame(streamId))
    })
    const gateway = await startGateway(t, {
      origin: 0,
      listener: { protocol: 'http', paths: 'preserve' },
      backend: { servers: { one: `h2c://127.0.0.1:${server.port}` }, retry: { attempts: 1 } },
    })

    await fc.assert(
      fc.asyncProperty(response, fc.constantFrom('GET', 'HEAD'), async (all, method) => {
        pieces = all
        const got = await ask(t, gateway.port, method, '/one')
        const good = await ask(t, gateway.port, 'GET', '/good')
        assert.deepEqual([good?.status, good?.body], [200, 'ok'])

        const { got: meant, isDebatable, byLength } = meaningOf(all, method)
        const isError = got === null || got.status === 502
        if (isError && (meant === null || isDebatable)) return
        const expected = meant ?? (what === 'HTTP/1' ? byLength : null)
        assert.deepEqual(got, expected === null ? null : asReceived(expected, what, method))
      }),
      { numRuns: 600 },
    )
  })
}

function frameOf(streamId: number, piece: Piece): Buffer {
  return piece.kind === 'data'
    ? dataFrame(streamId, piece.bytes, { end: piece.end })
    : headersFrame(streamId, block(...piece.fields), { end: piece.end })
}

/** Null: cut. */
async function askByHttp1(
  _t: TestContext,
  port: number,
  method: string,
  path: string,
): Promise<Got | null> {
  const client = await connectClient(port)
  try {
    client.send(
      `${method} ${path} HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n`,
    )
    await client.closed()
    const { status, fields, body, trailers, complete } = await client.readResponse(method)
    assert.ok(complete)
    assert.equal(client.rest(), '', 'bytes follow the response')
    return { status, fields: kept(fields), body: body.toString('latin1'), trailers: kept(trailers) }
  } catch (error) {
    if (error instanceof Error && /before a whole response/.test(error.message)) return null
    throw error
  } finally {
    client.socket.destroy()
  }
}

const clients = new WeakMap<TestContext, Http2Client>()

async function askByHttp2(
  t: TestContext,
  port: number,
  method: string,
  path: string,
): Promise<Got | null> {
  const client = clients.get(t) ?? (await openHttp2Client(t, port))
  clients.set(t, client)
  const id = client.request({ method, path, fields: [['te', 'trailers']] })
  const { isComplete, resetCode, head, body, trailers } = await client.ended(id)
  client.forget()
  if (!isComplete) {
    assert.notEqual(resetCode, null)
    return null
  }
  return {
    status: Number(head.find(([name]) => name === ':status')?.[1]),
    fields: kept(head),
    body: body.toString('latin1'),
    trailers: kept(trailers ?? []),
  }
}

/** Of this test's own. */
function kept(fields: readonly Field[]): Field[] {
  return fields
    .map(([name, value]): Field => [name.toLowerCase(), value])
    .filter(([name]) => /^(x-a|x-twice|set-cookie|etag|vary)/.test(name))
}

// The model.

/** Of the names of this test: a client that merges trailers into the head would take them for it. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set(['set-cookie', 'vary'])
const FORBIDDEN = /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/

function meaningOf(pieces: readonly Piece[], method: string): Meaning {
  // Frames behind the end are an error, which may come before the response has left.
  let isDebatable = pieces.slice(0, -1).some(({ end }) => end)
  let status = 0
  let fields: readonly Field[] = []
  let left = Infinity
  let body = ''
  for (const piece of pieces) {
    if (piece.kind === 'data') {
      if (status === 0 || (body += piece.bytes).length > left) return nothing()
      if (!piece.end) continue
      return left !== Infinity && body.length < left ? nothing() : whole([])
    }
    const pseudo = piece.fields.filter(([name]) => name.startsWith(':'))
    const others = piece.fields.filter(([name]) => !name.startsWith(':'))
    if (piece.fields.slice(0, pseudo.length).some(([name]) => !name.startsWith(':')))
      return nothing()
    if (!others.every(isAllowed)) return nothing()
    isDebatable ||= others.some(isOdd)
    if (status > 0) {
      if (!piece.end || pseudo.length > 0) return nothing()
      return left !== Infinity && body.length < left ? nothing() : whole(others)
    }
    const [[name, code] = ['', '']] = pseudo
    if (pseudo.length !== 1 || name !== ':status' || !/^[1-9]\d\d$/.test(code)) return nothing()
    const lengths = others.filter(([name]) => name === 'content-length').map(([, value]) => value)
    if (lengths.some((value) => !/^\d{1,15}$/.test(value))) return nothing()
    isDebatable ||= lengths.length > 1
    if (code.startsWith('1')) {
      if (piece.end || code === '101') return nothing()
      // RFC 9110 section 8.6.
      isDebatable ||= lengths.length > 0
      continue
    }
    status = Number(code)
    fields = others
    const hasNone = method === 'HEAD' || status === 204 || status === 304
    if (hasNone) left = 0
    else if (lengths[0] !== undefined) left = Number(lengths[0])
    isDebatable ||= status === 204 && lengths.length > 0
    if (piece.end) return left !== Infinity && left > 0 ? nothing() : whole([])
  }
  return nothing()

  function nothing(): Meaning {
    const isWhole = status > 0 && body.length >= left
    const got = { status, fields, body: body.slice(0, left), trailers: [] }
    return { got: null, isDebatable, byLength: isWhole ? got : null }
  }

  function whole(trailers: readonly Field[]): Meaning {
    return { got: { status, fields, body, trailers }, isDebatable, byLength: null }
  }
}

function isAllowed([name, value]: Field): boolean {
  return /^[a-z\d!#$%&'*+.^_`|~-]+$/.test(name) && !FORBIDDEN.test(name) && !/[\0\r\n]/.test(value)
}

/** RFC 9113 section 8.2.1 and RFC 9110 section 5.5 leave these to the recipient. */
function isOdd([, value]: Field): boolean {
  return /^[\t ]|[\t ]$|[\x01-\x08\x0b-\x1f\x7f]/.test(value)
}

function asReceived(meant: Got, what: string, method: string): Got {
  const hasLength = meant.fields.some(([name]) => name === 'content-length')
  const hasBody = method !== 'HEAD' && meant.status !== 204 && meant.status !== 304
  // In HTTP/1 only a chunked body has trailers.
  const takesTrailers = what === 'HTTP/2' || (hasBody && !hasLength)
  const passed = kept(meant.trailers).filter(([name]) => !NOT_IN_TRAILERS.has(name))
  const trailers = takesTrailers ? passed : []
  return { ...meant, fields: kept(meant.fields), trailers }
}
