/**
 * When a request is retried, in vulcand's language: `(IsNetworkError() || ResponseCode() == 503) && Attempts() <= 2`.
 *
 *   term = IsNetworkError() | Attempts() cmp number | ResponseCode() cmp number | RequestMethod() ("==" | "!=") string
 */
import { compare, evaluate, parseExpression, type TokenReader } from '../expression.ts'
import { isNetworkError } from '../breaking/response-counters.ts'

export interface Attempt {
  /** 1 after the first attempt. */
  readonly attempts: number
  /** The status of the response, or of the error instead of one. */
  readonly status: number
  readonly method: string
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
    default:
      return tokens.refuse('one of IsNetworkError, Attempts, ResponseCode, RequestMethod')
  }
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
