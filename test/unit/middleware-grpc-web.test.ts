import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BodySink, ClientSide, Exchange } from '../../src/http/exchange.ts'
import { Base64Decoder, splitTrailersOnly, toTrailersFrame } from '../../src/http/grpc/web.ts'
import { ExchangeError } from '../../src/http/message/errors.ts'
import {
  errorResponse,
  headOfLocalResponse,
  type LocalResponse,
} from '../../src/http/message/local-response.ts'
import { ResponseHead } from '../../src/http/message/response-head.ts'
import { grpcWeb } from '../../src/middleware/grpc-web.ts'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { requestOf } from '../support/middleware-context.ts'

interface Sent {
  readonly heads: { readonly head: ResponseHead; readonly ended: boolean }[]
  body: string
  trailers: string | null
  isAborted: boolean
}

/** A client's side that keeps what it is given. It takes no more once its body has `room` bytes. */
function recordClient(exchange: Exchange, room = Infinity): Sent {
  const sent: Sent = { heads: [], body: '', trailers: null, isAborted: false }
  const add = (data: Buffer | string | null): boolean => {
    if (data !== null) sent.body += typeof data === 'string' ? data : data.toString('latin1')
    return sent.body.length < room
  }
  const client: Partial<ClientSide> = {
    sendHead(head, data, ended) {
      sent.heads.push({ head, ended })
      exchange.hasResponded = true
      return add(data)
    },
    sendData: add,
    sendEnd: (trailers) => (sent.trailers = trailers),
    sendLocal(local: LocalResponse) {
      const response = exchange.inClientForm(local)
      client.sendHead?.(headOfLocalResponse(response), response.body, true)
    },
    abort: () => (sent.isAborted = true),
    holdsData: true,
  }
  exchange.client = client as ClientSide
  return sent
}

const { onRequest, onResponse } = compile(['https://app.example'])

function compile(allowOrigins: readonly string[]): ReturnType<typeof grpcWeb.compile> {
  return grpcWeb.compile({ allowOrigins }, {} as Parameters<typeof grpcWeb.compile>[1])
}

function translated(
  fields: Readonly<Record<string, string>>,
  body: number | 'chunked' = 'chunked',
): Exchange {
  const exchange = requestOf({ method: 'POST', target: '/shop.Cart/Add', fields, body })
  recordClient(exchange)
  assert.equal(onRequest?.(exchange, context), null)
  return exchange
}

const context = {} as Parameters<NonNullable<typeof onRequest>>[1]

function headOf(fields: string, status = 200): ResponseHead {
  const head = new ResponseHead()
  head.status = status
  head.fields = fields
  return head
}

const GRPC_HEAD = 'content-type: application/grpc+proto\r\nx-cart: 7\r\n'

test('a request becomes one of gRPC', () => {
  const exchange = translated({
    'Content-Type': 'application/grpc-web+proto',
    'X-Grpc-Web': '1',
    'Grpc-Timeout': '1S',
  })

  assert.equal(exchange.field('content-type'), 'application/grpc+proto')
  assert.equal(exchange.field('grpc-timeout'), '1S')
  assert.equal(exchange.head.acceptsTrailers, true)
  assert.equal(exchange.head.framing, 'chunked')
  assert.notEqual(exchange.grpc, null)
})

test('other requests pass as they are', () => {
  for (const [method, type] of [
    ['POST', 'application/grpc'],
    ['POST', 'application/json'],
    ['GET', 'application/grpc-web'],
    ['OPTIONS', 'text/plain'],
  ] as const) {
    const exchange = requestOf({ method, fields: { 'Content-Type': type } })
    const { client } = { client: exchange.client }

    assert.equal(onRequest?.(exchange, context), null)
    assert.equal(exchange.field('content-type'), type)
    assert.equal(exchange.client, client)
    assert.equal(exchange.grpc, null)
  }
})

test('trailers become the last frame of the body', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: { 'Content-Type': 'application/grpc-web+proto' },
    body: 'chunked',
  })
  const sent = recordClient(exchange)
  onRequest?.(exchange, context)

  exchange.client.sendHead(headOf(GRPC_HEAD), 'mess', false)
  exchange.client.sendData(Buffer.from('age'))
  exchange.client.sendEnd('Grpc-Status: 0\r\nx-tail: late\r\n')

  const [{ head, ended } = assert.fail()] = sent.heads
  assert.match(head.fields, /^Content-Type: application\/grpc-web\+proto\r$/m)
  assert.doesNotMatch(head.fields, /application\/grpc\+proto/)
  assert.deepEqual([head.framing, head.length, ended], ['chunked', -1, false])
  assert.equal(sent.body, 'message\x80\0\0\0\x1egrpc-status: 0\r\nx-tail: late\r\n')
  assert.equal(sent.trailers, '')
})

test('a response of trailers only has them in the body, too', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: { 'Content-Type': 'application/grpc-web' },
    body: 'chunked',
  })
  const sent = recordClient(exchange)
  onRequest?.(exchange, context)

  exchange.client.sendHead(
    headOf(`${GRPC_HEAD}grpc-status: 5\r\ngrpc-message: gone\r\n`),
    null,
    true,
  )

  const [{ head, ended } = assert.fail()] = sent.heads
  assert.equal(sent.body, '\x80\0\0\0\x24grpc-status: 5\r\ngrpc-message: gone\r\n')
  assert.deepEqual([head.framing, head.length, ended], ['length', 41, true])
  assert.match(head.fields, /^x-cart: 7\r$/m)
  assert.doesNotMatch(head.fields, /grpc-status/)
})

test('a response of text is base64, and a slow client holds its server up', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: { 'Content-Type': 'application/grpc-web-text' },
    body: 'chunked',
  })
  const sent = recordClient(exchange, 8)
  onRequest?.(exchange, context)

  const first = exchange.client.sendHead(headOf(GRPC_HEAD), Buffer.from('a'), false)
  const second = exchange.client.sendData(Buffer.from('bc\xff', 'latin1'))
  exchange.client.sendEnd('grpc-status: 0\r\n')

  assert.deepEqual([first, second], [true, false])
  assert.equal(exchange.client.holdsData, false)
  const [one, two, ...rest] = sent.body.match(/.{4}/g) ?? []
  assert.deepEqual([one, two], ['YQ==', 'YmP/'])
  assert.equal(
    Buffer.from(rest.join(''), 'base64').toString('latin1'),
    '\x80\0\0\0\x10grpc-status: 0\r\n',
  )
  assert.match(sent.heads[0]?.head.fields ?? '', /application\/grpc-web-text\+proto/)
})

test('Accept decides about the form of the response', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: {
      'Content-Type': 'application/grpc-web+proto',
      Accept: 'application/grpc-web-text+proto',
    },
    body: 'chunked',
  })
  const sent = recordClient(exchange)
  onRequest?.(exchange, context)

  exchange.client.sendHead(headOf(GRPC_HEAD), 'abc', false)

  assert.equal(sent.body, 'YWJj')
  assert.equal(exchange.field('accept'), undefined)
})

test('a response that is none of gRPC passes as it is', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: { 'Content-Type': 'application/grpc-web-text' },
    body: 'chunked',
  })
  const sent = recordClient(exchange)
  onRequest?.(exchange, context)

  exchange.client.sendHead(headOf('content-type: text/html\r\n', 502), 'bad', false)
  exchange.client.sendData('gateway')
  exchange.client.sendEnd('x: y\r\n')

  assert.equal(sent.body, 'badgateway')
  assert.equal(sent.trailers, 'x: y\r\n')
  assert.equal(sent.heads[0]?.head.fields, 'content-type: text/html\r\n')
})

test('a local response has its status in the body', () => {
  const error = errorResponse(new ExchangeError('RATE_LIMITED', 'too many requests'))
  for (const [type, isText] of [
    ['application/grpc-web', false],
    ['application/grpc-web-text', true],
  ] as const) {
    const exchange = requestOf({
      method: 'POST',
      fields: { 'Content-Type': type },
      body: 'chunked',
    })
    const sent = recordClient(exchange)
    onRequest?.(exchange, context)

    exchange.client.sendLocal(error)

    const [{ head } = assert.fail()] = sent.heads
    const frame = isText ? Buffer.from(sent.body, 'base64').toString('latin1') : sent.body
    assert.match(frame, /^\x80\0\0\0.grpc-status: 8\r\ngrpc-message: too many requests/s)
    assert.equal(head.status, 200)
    assert.equal(head.length, sent.body.length)
    assert.match(head.fields, new RegExp(`^Content-Type: ${type}\\+proto\\r$`, 'm'))
    assert.equal(exchange.grpc?.status, 8)
  }
})

test('a body in base64 that came with the head is decoded', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: { 'Content-Type': 'application/grpc-web-text' },
    body: 8,
  })
  recordClient(exchange)
  exchange.travelsWhole = true
  exchange.smallBody = Buffer.from('AAAAAAA=')

  assert.equal(onRequest?.(exchange, context), null)

  assert.deepEqual(exchange.smallBody, Buffer.alloc(5))
  assert.deepEqual([exchange.head.framing, exchange.head.length], ['length', 5])
})

test('a body that is no base64 is refused', () => {
  const exchange = requestOf({
    method: 'POST',
    fields: { 'Content-Type': 'application/grpc-web-text' },
    body: 3,
  })
  recordClient(exchange)
  exchange.travelsWhole = true
  exchange.smallBody = Buffer.from('AAA')

  const response = onRequest?.(exchange, context) as LocalResponse

  assert.deepEqual([response.status, response.reason], [400, 'BAD_FRAMING'])
})

test('a body in base64 is decoded piece by piece, for each server that is tried', () => {
  const exchange = translated({ 'Content-Type': 'application/grpc-web-text' })
  const [first, second] = [recordSink(4), recordSink(Infinity)]
  exchange.sink = first

  const goesOn = [
    exchange.sink?.bodyData(Buffer.from('AAA')),
    exchange.sink?.bodyData(Buffer.from('AAAA=')),
  ]
  exchange.sink = second
  exchange.sink?.bodyData(Buffer.from('QUJD'))
  exchange.sink?.bodyEnd('')

  assert.deepEqual(goesOn, [true, false])
  assert.equal(first.body, '\0\0\0\0\0')
  assert.equal(second.body, 'ABC')
  assert.equal(second.ended, true)
  exchange.sink = null
  assert.equal(exchange.sink, null)
})

test('a body that turns out to be no base64 ends the call', () => {
  for (const pieces of [['AAAA', '*AAA'], ['AAAA', 'AA'], ['A=AA']]) {
    const exchange = requestOf({
      method: 'POST',
      fields: { 'Content-Type': 'application/grpc-web-text' },
      body: 'chunked',
    })
    const sent = recordClient(exchange)
    onRequest?.(exchange, context)
    let left: ExchangeError | null = null
    exchange.owner = {
      headOf: headOfLocalResponse,
      clientGone: (error) => (left = error),
      fault: (error) => assert.fail(String(error)),
    }
    const server = recordSink(Infinity)
    exchange.sink = server

    for (const piece of pieces) exchange.sink?.bodyData(Buffer.from(piece))
    exchange.sink?.bodyEnd('')

    assert.equal((left as ExchangeError | null)?.reason, 'BAD_FRAMING', String(pieces))
    assert.match(Buffer.from(sent.body, 'base64').toString('latin1'), /grpc-status: 13/)
    assert.equal(server.ended, false)
  }
})

function recordSink(room: number): BodySink & { body: string; ended: boolean } {
  return {
    body: '',
    ended: false,
    holdsData: false,
    bodyData(chunk) {
      this.body += chunk.toString('latin1')
      return this.body.length < room
    },
    bodyEnd() {
      this.ended = true
    },
    resumeResponse() {},
  }
}

test('base64 in pieces of any size, padded anywhere, is what was encoded', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 20 })),
      fc.integer({ min: 1, max: 9 }),
      (segments, size) => {
        const text = segments.map((segment) => Buffer.from(segment).toString('base64')).join('')
        const decoder = new Base64Decoder()
        const decoded: Buffer[] = []

        for (let at = 0; at < text.length; at += size) {
          const piece = decoder.decode(Buffer.from(text.slice(at, at + size)))
          if (piece === null) return false
          decoded.push(piece)
        }

        return decoder.isComplete && Buffer.concat(decoded).equals(Buffer.concat(segments))
      },
    ),
  )
})

test('the frame of trailers has names in lower case', () => {
  assert.equal(
    toTrailersFrame('Grpc-Status: 0\r\nX-A: B:C\r\n').toString('latin1'),
    '\x80\0\0\0\x1agrpc-status: 0\r\nx-a: B:C\r\n',
  )
  assert.deepEqual(splitTrailersOnly('a: b\r\nGrpc-Status: 1\r\nc: d\r\ngrpc-message: e\r\n'), {
    head: 'a: b\r\nc: d\r\n',
    trailers: 'Grpc-Status: 1\r\ngrpc-message: e\r\n',
  })
})

// CORS.

function preflight(origin: string, headers = 'content-type,x-grpc-web,x-token'): Exchange {
  return requestOf({
    method: 'OPTIONS',
    fields: {
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': headers,
    },
  })
}

test('a preflight request of an allowed origin gets what it asks for', () => {
  const response = onRequest?.(preflight('https://app.example'), context) as LocalResponse

  assert.equal(response.status, 204)
  assert.deepEqual(response.fields.split('\r\n'), [
    'Access-Control-Allow-Origin: https://app.example',
    'Access-Control-Allow-Credentials: true',
    'Access-Control-Allow-Methods: POST',
    'Access-Control-Allow-Headers: content-type, x-grpc-web, x-token',
    'Access-Control-Max-Age: 600',
    'Vary: Origin',
    '',
  ])
})

test('a preflight request of another origin is allowed nothing', () => {
  const response = onRequest?.(preflight('https://evil.example'), context) as LocalResponse

  assert.deepEqual([response.status, response.fields], [204, 'Vary: Origin\r\n'])
})

test('a preflight request for something else passes', () => {
  assert.equal(onRequest?.(preflight('https://app.example', 'content-type'), context), null)
  assert.equal(compile([]).onRequest?.(requestOf({ method: 'OPTIONS' }), context), null)
})

test('a response may be read by its origin, with the names of its headers', () => {
  const fields = { 'Content-Type': 'application/grpc-web', Origin: 'https://app.example' }
  const exchange = translated(fields)
  const head = headOf(
    `${GRPC_HEAD}Access-Control-Allow-Origin: *\r\nSet-Cookie: a\r\nGrpc-Status: 0\r\n`,
  )

  onResponse?.(exchange, head)

  const lines = head.fields.split('\r\n')
  assert.ok(lines.includes('Access-Control-Allow-Origin: https://app.example'))
  assert.ok(lines.includes('Access-Control-Expose-Headers: grpc-status, grpc-message, x-cart'))
  assert.ok(lines.includes('Vary: Origin'))
  assert.ok(!lines.includes('Access-Control-Allow-Origin: *'))
})

test('a response to an origin that is not allowed says nothing of it', () => {
  const fields = { 'Content-Type': 'application/grpc-web', Origin: 'https://evil.example' }
  const head = headOf(GRPC_HEAD)

  onResponse?.(translated(fields), head)

  assert.equal(head.fields, `${GRPC_HEAD}Vary: Origin\r\n`)
})

test('"*" allows every origin, without credentials', () => {
  const open = compile(['*'])

  const response = open.onRequest?.(preflight('https://any.example'), context) as LocalResponse

  assert.match(response.fields, /^Access-Control-Allow-Origin: \*\r$/m)
  assert.doesNotMatch(response.fields, /Credentials/)
})

test('an origin is a scheme and a host', () => {
  for (const origin of ['app.example', 'https://app.example/path', 'https://*.example', '']) {
    const parsed = parseMiddleware({ kind: 'grpcWeb', options: { allowOrigins: [origin] } })

    assert.ok(!parsed.ok, origin)
    assert.match(
      parsed.problems[0]?.message ?? '',
      /must be an origin, such as https:\/\/app\.example/,
    )
  }
  assert.ok(
    parseMiddleware({ kind: 'grpcWeb', options: { allowOrigins: ['http://[::1]:8080'] } }).ok,
  )
})
