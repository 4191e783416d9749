// What a request of HTTP/2 is to routes, middlewares and servers: the head that HTTP/1.1 would have.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusalOf, toRequestHead } from '../../src/downstream/http2-request.ts'
import type { RequestHead } from '../../src/http/message/request-head.ts'
import { HeadDecoder, OK } from '../../src/http2/hpack/head-decoder.ts'
import { block } from '../support/http2/hpack.ts'
import { requestFields, type RequestShape } from '../support/http2/client.ts'

function decoded(shape: RequestShape): HeadDecoder {
  const decoder = new HeadDecoder('request', { fields: 100, headBytes: 32_768 }, true)
  const bytes = block(...requestFields(shape))
  assert.equal(decoder.decode(bytes, 0, bytes.length, false), OK, decoder.fault)
  return decoder
}

function headOf(shape: RequestShape, ended = true, trusted = false): RequestHead {
  return toRequestHead(decoded(shape), ended, trusted)
}

function reasonOf(decoder: HeadDecoder, ended = true): string | null {
  return refusalOf(decoder, toRequestHead(decoder, ended, false), 64)?.reason ?? null
}

test('has the request line, the Host and the fields of HTTP/1.1', () => {
  const head = headOf({
    path: '/vote?choice=cat',
    authority: 'vote.test:8080',
    fields: [
      ['accept', '*/*'],
      ['host', 'vote.test:8080'],
      ['user-agent', 'a'],
    ],
  })

  assert.deepEqual(
    [head.line, head.host, head.fields, head.majorVersion, head.minorVersion],
    [
      'GET /vote?choice=cat HTTP/1.1\r\n',
      'vote.test:8080',
      'accept: */*\r\nuser-agent: a\r\n',
      2,
      1,
    ],
  )
})

test('takes Host where there is no :authority', () => {
  const decoder = decoded({ fields: [['host', 'other.test']], authority: 'other.test' })
  decoder.authority = ''

  assert.equal(toRequestHead(decoder, true, false).host, 'other.test')
  decoder.host = ''
  assert.equal(reasonOf(decoder), 'BAD_HOST')
})

test('joins the crumbs of Cookie', () => {
  const { fields } = headOf({
    fields: [
      ['cookie', 'a=1'],
      ['accept', '*/*'],
      ['cookie', 'b=2'],
    ],
  })

  assert.equal(fields, 'accept: */*\r\ncookie: a=1; b=2\r\n')
})

test('frames the body by Content-Length, else in chunks, else not at all', () => {
  const framing = (shape: RequestShape, ended: boolean): unknown[] => {
    const head = headOf(shape, ended)
    return [head.framing, head.length]
  }

  assert.deepEqual(framing({}, true), ['none', 0])
  assert.deepEqual(framing({ method: 'POST' }, true), ['length', 0])
  assert.deepEqual(framing({ method: 'DELETE' }, true), ['none', 0])
  assert.deepEqual(framing({ method: 'POST' }, false), ['chunked', 0])
  assert.deepEqual(framing({ fields: [['content-length', '7']] }, false), ['length', 7])
})

test('shows the fields of the framing and of the hop to routes, and does not pass them on', () => {
  const head = headOf(
    {
      method: 'POST',
      fields: [
        ['content-length', '7'],
        ['te', 'trailers'],
        ['expect', '100-continue'],
        ['trailer', 'x-sum'],
        ['proxy-authorization', 'Basic YTpi'],
      ],
    },
    false,
  )

  assert.equal(head.fields, '')
  assert.deepEqual(
    [head.acceptsTrailers, head.expectContinue, head.trailerLine],
    [true, true, 'trailer: x-sum\r\n'],
  )
  assert.match(head.textWith('content-length'), /content-length: 7\r\n/)
  assert.match(head.textWith('te'), /te: trailers\r\n/)
})

test('takes forwarding fields from a trusted peer only', () => {
  const fields = [
    ['x-forwarded-for', '10.1.1.1'],
    ['x_forwarded_for', '10.6.6.6'],
    ['x-request-id', 'abc'],
    ['x-forwarded-proto', 'https'],
  ] as const
  const stranger = headOf({ fields }, true, false)
  const trusted = headOf({ fields }, true, true)

  assert.deepEqual([stranger.fields, stranger.forwarded], ['', null])
  assert.equal(stranger.textWith('x-forwarded-for'), '')
  assert.deepEqual(
    [trusted.forwarded?.for, trusted.forwarded?.requestId, trusted.forwarded?.proto],
    ['10.1.1.1', 'abc', 'https'],
  )
  assert.match(trusted.textWith('x-forwarded-for'), /x-forwarded-for: 10\.1\.1\.1\r\n/)
})

test('knows a login of the connection', () => {
  const logsIn = (value: string): boolean => headOf({ fields: [['authorization', value]] }).logsIn

  assert.deepEqual(['NTLM TlRM', 'Negotiate YII', 'Basic YTpi', 'Bearer ntlm'].map(logsIn), [
    true,
    true,
    false,
    false,
  ])
})

test('knows a login of the connection beside other credentials', () => {
  const logsIn = (...values: readonly string[]): boolean =>
    headOf({ fields: values.map((value) => ['authorization', value]) }).logsIn

  assert.equal(logsIn('NTLM TlRM', 'Basic YTpi'), true)
  assert.equal(logsIn('Basic YTpi', 'negotiate YII'), true)
  assert.equal(logsIn('Basic YTpi', 'NTLM', 'Bearer x'), true)
  assert.equal(logsIn('Basic YTpi', 'Bearer ntlm'), false)
})

test('refuses what HTTP/1 refuses, too', () => {
  assert.equal(reasonOf(decoded({ path: `/${'a'.repeat(64)}` })), 'TARGET_TOO_LONG')
  assert.equal(reasonOf(decoded({ path: `/${'a'.repeat(63)}` })), null)
  assert.equal(reasonOf(decoded({ fields: [['expect', 'a miracle']] })), 'EXPECTATION_FAILED')
})

test('is the handshake of HTTP/1.1 for a WebSocket', () => {
  const fields = [[':protocol', 'websocket']] as const
  const decoder = decoded({ method: 'CONNECT', path: '/chat', fields })
  const head = toRequestHead(decoder, false, false)

  assert.deepEqual(
    [head.method, head.line, head.upgrade, head.framing],
    ['GET', 'GET /chat HTTP/1.1\r\n', 'websocket', 'none'],
  )
  assert.equal(reasonOf(decoder, false), null)
  decoder.protocol = 'connect-udp'
  assert.equal(reasonOf(decoder, false), 'METHOD_REFUSED')
})
