import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passTimeLeft, takeTimeLimit } from '../../src/gateway/call.ts'
import { GrpcCall } from '../../src/http/grpc/call.ts'
import fc from 'fast-check'
import { isGrpcType, parseGrpcWebType } from '../../src/http/grpc/content-type.ts'
import { firstMessage, frameMessage } from '../../src/http/grpc/frame.ts'
import { grpcTrailersFor, toGrpcResponse } from '../../src/http/grpc/local-response.ts'
import { decodeStatusMessage, encodeStatusMessage } from '../../src/http/grpc/status-message.ts'
import {
  GRPC,
  GRPC_STATUS_NAMES,
  grpcStatusIn,
  grpcStatusOf,
  grpcStatusOfHttp,
  httpStatusOfGrpc,
  judgedStatusOfGrpc,
} from '../../src/http/grpc/status.ts'
import { formatGrpcTimeout, parseGrpcTimeout } from '../../src/http/grpc/timeout.ts'
import { ExchangeError, REASON_NAMES, ERRORS } from '../../src/http/message/errors.ts'
import {
  errorResponse,
  headOfLocalResponse,
  type LocalResponse,
} from '../../src/http/message/local-response.ts'
import { requestOf } from '../support/middleware-context.ts'

test('the codes are those of the gRPC specification', () => {
  assert.equal(GRPC_STATUS_NAMES.length, 17)
  assert.equal(GRPC_STATUS_NAMES[4], 'DEADLINE_EXCEEDED')
  assert.equal(GRPC_STATUS_NAMES[14], 'UNAVAILABLE')
  assert.equal(GRPC_STATUS_NAMES[16], 'UNAUTHENTICATED')
})

test('an HTTP status that a client of gRPC would see has the gRPC status of the specification', () => {
  const statuses = [400, 401, 403, 404, 429, 431, 500, 502, 503, 504, 200, 302]

  assert.deepEqual(statuses.map(grpcStatusOfHttp), [13, 16, 7, 12, 8, 13, 2, 14, 14, 14, 2, 2])
})

test('reasons say more than their HTTP status', () => {
  const statusOf = (reason: (typeof REASON_NAMES)[number]): number =>
    grpcStatusOf(reason, ERRORS[reason].status)

  assert.equal(statusOf('NO_ROUTE'), GRPC.UNIMPLEMENTED)
  assert.equal(statusOf('NO_SERVER'), GRPC.UNAVAILABLE)
  assert.equal(statusOf('CONNECT_REFUSED'), GRPC.UNAVAILABLE)
  assert.equal(statusOf('REQUEST_TIMEOUT'), GRPC.DEADLINE_EXCEEDED)
  assert.equal(statusOf('GRPC_TIMEOUT'), GRPC.DEADLINE_EXCEEDED)
  assert.equal(statusOf('RATE_LIMITED'), GRPC.RESOURCE_EXHAUSTED)
  assert.equal(statusOf('QUEUE_FULL'), GRPC.RESOURCE_EXHAUSTED)
  assert.equal(statusOf('BREAKER_OPEN'), GRPC.UNAVAILABLE)
  assert.equal(statusOf('BAD_FIELD'), GRPC.INTERNAL)
  assert.equal(grpcStatusOf('RESPOND', 401), GRPC.UNAUTHENTICATED)
  assert.equal(grpcStatusOf('RESPOND', 403), GRPC.PERMISSION_DENIED)
})

test('no reason is reported as OK', () => {
  const ok = REASON_NAMES.filter((reason) => grpcStatusOf(reason, ERRORS[reason].status) === 0)

  assert.deepEqual(ok, [])
})

test('a gRPC status is counted as the HTTP status that means the same', () => {
  const counted = GRPC_STATUS_NAMES.map((_, status) => httpStatusOfGrpc(status))

  assert.deepEqual(counted, [
    ...[200, 499, 500, 400, 504, 404, 409, 403, 429],
    ...[400, 409, 400, 501, 500, 503, 500, 401],
  ])
  assert.equal(httpStatusOfGrpc(-1), 200)
})

test('six statuses are failures of the server', () => {
  const failures = GRPC_STATUS_NAMES.filter((_, status) => judgedStatusOfGrpc(status) >= 500)

  assert.deepEqual(failures, [
    ...['UNKNOWN', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'],
    ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'],
  ])
})

test('the status is read from trailers, and one that is not known is UNKNOWN', () => {
  assert.equal(grpcStatusIn('grpc-message: x\r\nGrpc-Status: 14\r\n'), 14)
  assert.equal(grpcStatusIn('grpc-status: 0\r\n'), 0)
  assert.equal(grpcStatusIn('x-status: 3\r\n'), -1)
  for (const value of ['17', '99', '-1', 'UNAVAILABLE', '', '1, 2', '014'])
    assert.equal(grpcStatusIn(`grpc-status: ${value}\r\n`), GRPC.UNKNOWN, value)
})

test('gRPC is told from gRPC-Web by its media type', () => {
  const types = ['application/grpc', 'application/grpc+proto', 'Application/GRPC; x=1']
  const others = ['application/grpc-web', 'application/grpc-web+proto', 'application/grpcx', '']

  assert.deepEqual(types.map(isGrpcType), [true, true, true])
  assert.deepEqual(others.map(isGrpcType), [false, false, false, false])
  assert.equal(isGrpcType(undefined), false)
  assert.deepEqual(parseGrpcWebType('application/grpc-web'), { isText: false, codec: '' })
  assert.deepEqual(parseGrpcWebType('application/grpc-web-text+proto; charset=x'), {
    isText: true,
    codec: '+proto',
  })
  for (const other of [...types, 'application/grpc-webx', 'text/grpc-web', undefined])
    assert.equal(parseGrpcWebType(other), null)
})

test('a time limit is at most eight digits and a unit', () => {
  const texts = ['1H', '2M', '3S', '4m', '5u', '6n', '99999999S', '0m']

  assert.deepEqual(
    texts.map(parseGrpcTimeout),
    [3_600_000, 120_000, 3000, 4, 0.005, 6e-6, 99_999_999_000, 0],
  )
  for (const text of ['', 'S', '1', '1s', '100000000m', '-1S', '1.5S', '1 S', ' 1S', '1SS', '1H1M'])
    assert.ok(Number.isNaN(parseGrpcTimeout(text)), text)
})

test('what is left of a time limit is rounded down, and never 0', () => {
  assert.equal(formatGrpcTimeout(1500.9), '1500m')
  assert.equal(formatGrpcTimeout(0.2), '1m')
  assert.equal(formatGrpcTimeout(-5), '1m')
  assert.equal(formatGrpcTimeout(99_999_999), '99999999m')
  assert.equal(formatGrpcTimeout(100_000_000), '100000S')
  assert.equal(formatGrpcTimeout(3_600_000 * 99_999_999), '99999999H')
  fc.assert(
    fc.property(fc.double({ min: 1, max: 3.6e14, noNaN: true }), (ms) => {
      const read = parseGrpcTimeout(formatGrpcTimeout(ms))
      return read <= ms && read > ms * 0.95 - 1
    }),
  )
})

test('a status message is printable ASCII on the wire, and comes back as it was', () => {
  assert.equal(encodeStatusMessage('50% of ünits\r\n'), '50%25 of %C3%BCnits%0D%0A')
  assert.equal(encodeStatusMessage(' a '), '%20a%20')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
      const encoded = encodeStatusMessage(text)
      assert.match(encoded, /^[!-~]?(?:[ -~]*[!-~])?$/)
      assert.equal(decodeStatusMessage(encoded), text.toWellFormed())
    }),
  )
})

test('a long status message is cut between two characters', () => {
  const encoded = encodeStatusMessage('ü'.repeat(1000))

  assert.equal(encoded.length, 1020)
  assert.equal(decodeStatusMessage(encoded), 'ü'.repeat(170))
  assert.equal(decodeStatusMessage('%E2%82'), '%E2%82')
})

test('a message is read once it is complete', () => {
  const frame = frameMessage(Buffer.from('hello'))

  assert.equal(frame.toString('latin1'), '\0\0\0\0\x05hello')
  assert.equal(firstMessage(frame.subarray(0, 4), 100), null)
  assert.equal(firstMessage(frame.subarray(0, 9), 100), null)
  assert.equal(firstMessage(Buffer.concat([frame, frame]), 100)?.toString(), 'hello')
  assert.equal(firstMessage(frame, 4), 'bad')
  assert.equal(firstMessage(frameMessage(Buffer.alloc(1), 1), 100), 'bad')
})

test('a local response to a gRPC call consists of trailers', () => {
  const head = headOfLocalResponse(
    toGrpcResponse(errorResponse(new ExchangeError('NO_SERVER', 'all servers are down'))),
  )

  assert.equal(head.status, 200)
  assert.equal(head.framing, 'none')
  assert.equal(head.length, -1)
  assert.match(head.fields, /^grpc-status: 14\r$/m)
  assert.match(head.fields, /^grpc-message: Service Unavailable \(NO_SERVER\)\r$/m)
  assert.match(head.fields, /^Content-Type: application\/grpc\r$/m)
  assert.match(head.fields, /^Retry-After: 1\r$/m)
  assert.match(head.fields, /^Proxy-Status: /m)
  assert.doesNotMatch(head.fields, /Vary|all servers/)
})

test("the text of a middleware's response is its status message", () => {
  const response: LocalResponse = {
    status: 403,
    reason: 'RESPOND',
    detail: '',
    fields: 'X-Why: private\r\n',
    contentType: 'text/plain; charset=utf-8',
    body: Buffer.from('nicht für 100%\n'),
  }

  assert.deepEqual(toGrpcResponse(response), {
    status: 200,
    reason: 'RESPOND',
    detail: '',
    fields: 'X-Why: private\r\ngrpc-status: 7\r\ngrpc-message: nicht f%C3%BCr 100%25\r\n',
    contentType: 'application/grpc',
    body: Buffer.alloc(0),
    grpcStatus: 7,
  })
})

test('a local response with a grpc-status of its own keeps it', () => {
  const response: LocalResponse = {
    status: 200,
    reason: 'RESPOND',
    detail: '',
    fields: 'grpc-status: 5\r\ngrpc-message: gone\r\n',
    contentType: '',
    body: Buffer.alloc(0),
  }

  assert.equal(toGrpcResponse(response).fields, response.fields)
  assert.equal(toGrpcResponse(response).grpcStatus, 5)
})

test('the end of a response that has begun shows the client no addresses of servers', () => {
  const cut = grpcTrailersFor(new ExchangeError('ANSWER_CUT', '10.0.0.1 closed the connection'))
  const late = grpcTrailersFor(new ExchangeError('GRPC_TIMEOUT', 'no end within 100 ms'))

  assert.equal(cut, 'grpc-status: 14\r\ngrpc-message: Bad Gateway (ANSWER_CUT)\r\n')
  assert.equal(late, 'grpc-status: 4\r\ngrpc-message: no end within 100 ms (GRPC_TIMEOUT)\r\n')
})

test('the time limit of a call stays visible, and the server gets what is left of it', () => {
  const exchange = requestOf({ fields: { 'grpc-timeout': '30S', 'x-a': '1' } })
  const call = new GrpcCall()
  exchange.grpc = call

  assert.equal(takeTimeLimit(call, exchange), null)
  passTimeLeft(call, exchange, call.deadlineAt, call.deadlineAt - 2_000)

  assert.equal(exchange.field('grpc-timeout'), '30S')
  assert.equal(exchange.fieldsToServer, 'x-a: 1\r\ngrpc-timeout: 2000m\r\n')
})
