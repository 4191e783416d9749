import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestBody } from '../../src/downstream/request-body.ts'
import { ExchangeError } from '../../src/http/message/errors.ts'
import { bodylimit } from '../../src/middleware/bodylimit.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
} from '../support/middleware-context.ts'
import { parseOptions } from '../support/options.ts'

function compile(size: number | string): ReturnType<typeof bodylimit.compile> {
  const parsed = parseOptions(bodylimit, { size })
  if (!parsed.ok) throw new Error(parsed.message)
  const [compileContext] = openThreads(1, () => 0).compileContexts
  if (compileContext === undefined) throw new Error('there is a thread')
  return bodylimit.compile(parsed.value, compileContext)
}

test('refuses a length above it before anything of the body is taken', () => {
  const middleware = compile('1KiB')

  const within = ask(middleware, requestOf({ body: 1024 }), createMiddlewareContext())
  const above = localResponse(ask(middleware, requestOf({ body: 1025 }), createMiddlewareContext()))

  assert.equal(within, null)
  assert.equal(above.status, 413)
  assert.equal(above.reason, 'BODY_TOO_LARGE')
  assert.match(above.body.toString(), /larger than the 1024 bytes/)
})

test('refuses what came with the head and is above it', () => {
  const middleware = compile(10)
  const exchange = requestOf({ body: 'chunked' })
  exchange.bytesIn = 11

  const response = localResponse(ask(middleware, exchange, createMiddlewareContext()))

  assert.equal(response.status, 413)
})

test('a chunked body is refused with the byte that passes the limit, in whatever pieces it comes', () => {
  for (const pieces of [
    ['b\r\n0123456789', 'a\r\n'],
    ['5\r\n01234\r\n', '6\r\n567890\r\n'],
    ['b\r\n0123456789a\r\n'],
  ]) {
    const exchange = requestOf({ body: 'chunked' })
    ask(compile(10), exchange, createMiddlewareContext())
    const body = new RequestBody(exchange.head)

    const reads = pieces.map((piece) => body.read(Buffer.from(piece), exchange))

    const last = reads.pop()
    assert.ok(last instanceof ExchangeError && last.reason === 'BODY_TOO_LARGE')
    assert.ok(reads.every((read) => !(read instanceof ExchangeError)))
  }
})

test('a body of exactly the limit passes', () => {
  const exchange = requestOf({ body: 'chunked' })
  ask(compile(10), exchange, createMiddlewareContext())

  const read = new RequestBody(exchange.head).read(
    Buffer.from('a\r\n0123456789\r\n0\r\n\r\n'),
    exchange,
  )

  assert.ok(!(read instanceof ExchangeError))
  assert.equal(exchange.bodyEnded, true)
})

test('the least of several limits holds', () => {
  const exchange = requestOf({ body: 'chunked' })

  ask(compile(10), exchange, createMiddlewareContext())
  ask(compile(20), exchange, createMiddlewareContext())

  assert.equal(exchange.maxBodyBytes, 10)
})

test('reads the options that it has parsed once more, and says what is wrong with others', () => {
  const message = (options: unknown): string => {
    const parsed = parseOptions(bodylimit, options)
    return parsed.ok ? JSON.stringify(parsed.value) : parsed.message
  }

  assert.equal(message({ size: '1MiB' }), '{"size":1048576}')
  assert.equal(message({ size: 1_048_576 }), '{"size":1048576}')
  assert.match(message({ size: -1 }), /^size: must be from 0 to/)
  assert.match(message({ size: 'big' }), /^size: must be a size such as 32KiB/)
  assert.match(message({}), /^size: /)
  assert.match(message({ size: 1, sise: 2 }), /unknown key "sise"/)
})
