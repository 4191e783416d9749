/**
 * The status codes of gRPC, and their relation to HTTP: which one a local response of the proxy has, and as which HTTP status a
 * gRPC status is counted and judged. The tables are Envoy's, except where the proxy knows more than an HTTP status says.
 */
import type { Reason } from '../message/errors.ts'
import { fieldValue } from '../message/fields.ts'

export const GRPC = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

/** By code. */
export const GRPC_STATUS_NAMES: readonly string[] = Object.keys(GRPC)

/** No grpc-status was seen. */
export const NO_GRPC_STATUS = -1

/** Of trailers, or of a response that consists of them: -1 if there is no grpc-status, UNKNOWN if it is no known code. */
export function grpcStatusIn(fields: string): number {
  const value = fieldValue(fields, 'grpc-status')
  if (value === undefined) return NO_GRPC_STATUS
  return /^(?:1[0-6]|[0-9])$/.test(value) ? Number(value) : GRPC.UNKNOWN
}

/** For clients that would see no grpc-status: what an HTTP status means. */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
    case 431:
      return GRPC.INTERNAL
    case 401:
      return GRPC.UNAUTHENTICATED
    case 403:
      return GRPC.PERMISSION_DENIED
    case 404:
      return GRPC.UNIMPLEMENTED
    case 429:
      // By Envoy's table UNAVAILABLE, which clients try again.
      return GRPC.RESOURCE_EXHAUSTED
    case 502:
    case 503:
    case 504:
      return GRPC.UNAVAILABLE
    default:
      return GRPC.UNKNOWN
  }
}

/** Reasons that say more than their HTTP status. UNAVAILABLE invites clients to try again, so limits are RESOURCE_EXHAUSTED. */
const OF_REASON: Partial<Record<Reason, number>> = {
  HEAD_TOO_LARGE: GRPC.RESOURCE_EXHAUSTED,
  TARGET_TOO_LONG: GRPC.RESOURCE_EXHAUSTED,
  BODY_TOO_LARGE: GRPC.RESOURCE_EXHAUSTED,
  METHOD_REFUSED: GRPC.UNIMPLEMENTED,
  EXPECTATION_FAILED: GRPC.INTERNAL,
  BODY_TIMEOUT: GRPC.DEADLINE_EXCEEDED,
  TOO_MANY_CONNECTIONS: GRPC.RESOURCE_EXHAUSTED,
  CLIENT_GONE: GRPC.CANCELLED,
  SERVER_LIMIT: GRPC.RESOURCE_EXHAUSTED,
  FIRST_BYTE_TIMEOUT: GRPC.DEADLINE_EXCEEDED,
  STALL_TIMEOUT: GRPC.DEADLINE_EXCEEDED,
  TRY_TIMEOUT: GRPC.DEADLINE_EXCEEDED,
  REQUEST_TIMEOUT: GRPC.DEADLINE_EXCEEDED,
  INTERNAL: GRPC.INTERNAL,
  LEADS_BACK_TO_PROXY: GRPC.INTERNAL,
  RATE_LIMITED: GRPC.RESOURCE_EXHAUSTED,
  CLIENT_LIMIT: GRPC.RESOURCE_EXHAUSTED,
  QUEUE_FULL: GRPC.RESOURCE_EXHAUSTED,
  QUEUE_TIMEOUT: GRPC.RESOURCE_EXHAUSTED,
  OVERLOADED: GRPC.RESOURCE_EXHAUSTED,
  BREAKER_OPEN: GRPC.UNAVAILABLE,
  OUT_OF_RESOURCES: GRPC.UNAVAILABLE,
  GRPC_TIMEOUT: GRPC.DEADLINE_EXCEEDED,
  HTTP2_REQUIRED: GRPC.INTERNAL,
  ANSWER_REFUSED: GRPC.RESOURCE_EXHAUSTED,
  COLD_START_FULL: GRPC.RESOURCE_EXHAUSTED,
}

/** Of a local response with this reason and HTTP status. */
export function grpcStatusOf(reason: Reason, status: number): number {
  return OF_REASON[reason] ?? grpcStatusOfHttp(status)
}

// By code.
const HTTP = [
  ...[200, 499, 500, 400, 504, 404, 409, 403, 429],
  ...[400, 409, 400, 501, 500, 503, 500, 401],
]

/** The HTTP status as which a call is counted; 200 without a grpc-status. */
export function httpStatusOfGrpc(status: number): number {
  return HTTP[status] ?? 200
}

/**
 * The HTTP status as which the result of a server is judged by breakers and ejection: UNKNOWN, DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE and DATA_LOSS are failures. The others are about the call, and so is UNIMPLEMENTED.
 */
export function judgedStatusOfGrpc(status: number): number {
  if (status === GRPC.RESOURCE_EXHAUSTED) return 503
  if (status === GRPC.UNIMPLEMENTED) return 404
  return httpStatusOfGrpc(status)
}
