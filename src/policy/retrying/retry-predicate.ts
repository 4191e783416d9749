/**
 * When a request is retried, in vulcand's language: `(IsNetworkError() || ResponseCode() == 503) && Attempts() <= 2`.
 *
 *   term = IsNetworkError() | Attempts() cmp number | ResponseCode() cmp number | RequestMethod() ("==" | "!=") string
 *        | GrpcStatus() cmp number
 *
 * GrpcStatus() of anything but a gRPC call that has ended without a message holds in no comparison.
 */
import { compare, evaluate, parseExpression, type TokenReader } from '../expression.ts'
import { GRPC_STATUS_NAMES, NO_GRPC_STATUS } from '../../http/grpc/status.ts'
import { isNetworkError } from '../breaking/response-counters.ts'

export interface Attempt {
  /** 1 after the first attempt. */
  readonly attempts: number
  /** The status of the response, or of the error instead of one. */
  readonly status: number
  readonly method: string
  /** Of a gRPC call that has ended without a message; -1 or absent: there is none. */
  readonly grpcStatus?: number
}

/** Whether to retry. The caller limits the number of attempts. */
export type RetryPredicate = (attempt: Attempt) => boolean

export type ParsedRetryPredicate =
  | { readonly ok: true; readonly predicate: RetryPredicate }
  /** `position` counts characters from 0. */
  | { readonly ok: false; readonly message: string; readonly position: number }

export function parseRetryPredicate(text: string): ParsedRetryPredicate {
  const parsed = parseExpression(text, 'predicate', readTerm)
  if (!parsed.ok) return parsed
  const { logic } = parsed
  return { ok: true, predicate: (attempt) => evaluate(logic, (holds) => holds(attempt)) }
}

function readTerm(tokens: TokenReader): RetryPredicate {
  const { text } = tokens.current
  switch (text) {
    case 'IsNetworkError':
      tokens.call('IsNetworkError()')
      return ({ status }) => isNetworkError(status)
    case 'Attempts':
      return readNumeric(tokens, 'Attempts() <= 2', ({ attempts }) => attempts)
    case 'ResponseCode':
      return readNumeric(tokens, 'ResponseCode() == 503', ({ status }) => status)
    case 'RequestMethod':
      return readMethod(tokens)
    case 'GrpcStatus':
      return readGrpcStatus(tokens)
    default:
      return tokens.refuse(
        'one of IsNetworkError, Attempts, ResponseCode, RequestMethod, GrpcStatus',
      )
  }
}

function readGrpcStatus(tokens: TokenReader): RetryPredicate {
  const usage = 'GrpcStatus() == 14'
  tokens.call(usage)
  const comparison = tokens.comparison(usage)
  const wanted = tokens.number(`a status from 0 to 16, as in ${usage}`, isGrpcStatus)
  return ({ grpcStatus = NO_GRPC_STATUS }) =>
    grpcStatus >= 0 && compare(grpcStatus, comparison, wanted)
}

function isGrpcStatus(value: number): boolean {
  return Number.isInteger(value) && value < GRPC_STATUS_NAMES.length
}

function readNumeric(
  tokens: TokenReader,
  usage: string,
  valueOf: (attempt: Attempt) => number,
): RetryPredicate {
  tokens.call(usage)
  const comparison = tokens.comparison(usage)
  const wanted = tokens.number(`a whole number, as in ${usage}`, Number.isSafeInteger)
  return (attempt) => compare(valueOf(attempt), comparison, wanted)
}

function readMethod(tokens: TokenReader): RetryPredicate {
  const usage = 'RequestMethod() == "GET"'
  tokens.call(usage)
  const isEqual = tokens.skips('==')
  if (!isEqual) tokens.take('!=', `"==" or "!=", as in ${usage}`)
  if (tokens.current.kind !== 'string') tokens.refuse(`a string, as in ${usage}`)
  const wanted = tokens.next().text
  return ({ method }) => (method === wanted) === isEqual
}
