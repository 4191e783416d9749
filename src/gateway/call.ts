/** What the forwarder does for a gRPC call beside what it does for every request. */
import type { Exchange } from '../http/exchange.ts'
import type { GrpcCall } from '../http/grpc/call.ts'
import { formatGrpcTimeout, parseGrpcTimeout } from '../http/grpc/timeout.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { fieldValue, hasField, withoutFields } from '../http/message/fields.ts'
import type { ResponseHead } from '../http/message/response-head.ts'
import type { Timeouts } from '../model/snapshot.ts'

const GRPC_TIMEOUT = 'grpc-timeout'
const TIMEOUT_FIELD: ReadonlySet<string> = new Set([GRPC_TIMEOUT])

/** Takes the client's time limit, which the server gets anew with each attempt; the error if it is malformed. */
export function takeTimeLimit(call: GrpcCall, exchange: Exchange): ExchangeError | null {
  const { head } = exchange
  call.added = exchange.added
  const text = fieldValue(head.fields, GRPC_TIMEOUT)
  if (text === undefined) return null
  const limitMs = parseGrpcTimeout(text)
  if (Number.isNaN(limitMs))
    return new ExchangeError(
      'BAD_FIELD',
      'grpc-timeout is not a number of at most 8 digits with H, M, S, m, u or n behind it',
    )
  call.fieldsToServer = withoutFields(head.fields, TIMEOUT_FIELD)
  call.deadlineAt = exchange.startedAt + limitMs
  return null
}

/** Passes on to the server what is left of the time, before each attempt. */
export function passTimeLeft(
  call: GrpcCall,
  exchange: Exchange,
  deadlineAt: number,
  now: number,
): void {
  exchange.added =
    deadlineAt === Infinity
      ? call.added
      : `${call.added}${GRPC_TIMEOUT}: ${formatGrpcTimeout(deadlineAt - now)}\r\n`
}

/** Why the exchange ends at its deadline. */
export function lateError({ grpc, startedAt }: Exchange, deadlineAt: number): ExchangeError {
  const tookMs = Math.round(deadlineAt - startedAt)
  return grpc?.deadlineAt === deadlineAt
    ? new ExchangeError('GRPC_TIMEOUT', `the call has not ended within the client's ${tookMs} ms`)
    : new ExchangeError('REQUEST_TIMEOUT', `no whole response within ${tookMs} ms`)
}

/**
 * The messages of a stream may be any time apart, in both directions, so that only silence in both limits it, as of a tunnel.
 * The client's time limit, `request` and `try` hold for a call, too.
 */
export function timeoutsOfCall(timeouts: Timeouts): Timeouts {
  const idleMs = timeouts.tunnelMs === 0 ? Infinity : timeouts.tunnelMs
  return { ...timeouts, firstByteMs: idleMs, stallMs: idleMs }
}

/**
 * When the server wants the call to be sent again: after so many ms; Infinity: never, for which it sends a negative
 * number; null: it does not say.
 */
export function pushbackMs({ fields }: ResponseHead): number | null {
  if (!hasField(fields, PUSHBACK)) return null
  const text = fieldValue(fields, PUSHBACK) ?? ''
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) : Infinity
  return ms <= LONGEST_PUSHBACK_MS ? ms : Infinity
}

const PUSHBACK = 'grpc-retry-pushback-ms'
/** A call is not kept waiting here for longer. */
const LONGEST_PUSHBACK_MS = 60_000
