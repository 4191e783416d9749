/** The one place that makes the proxy's own answers: of errors, and of middlewares that answer themselves. */
import { STATUS_CODES } from 'node:http'
import { AnswerHead } from './answer-head.ts'
import { dateLine } from './clock.ts'
import { ERRORS, type ExchangeError, type Reason } from './errors.ts'
import { fieldValue, safeValue } from './fields.ts'

/** An answer that no server made. */
export interface OwnAnswer {
  readonly status: number
  /** Why the proxy answered itself, for the log, the metrics and Proxy-Status. */
  readonly reason: Reason
  /** What was seen, for people. */
  readonly detail: string
  /** Further lines, each ended by CRLF. */
  readonly fields: string
  /** '' for none. */
  readonly contentType: string
  readonly body: Buffer
}

const NOT_FOUND = Buffer.from('{"error":"not found"}')
const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n'

/** What the client is told of an error. Of servers it learns no more than the status: addresses stay in the log. */
export function answerOfError(error: ExchangeError): OwnAnswer {
  const { reason, message, kind } = error
  const fields =
    reason === 'METHOD_REFUSED' ? ALLOW : kind.status === 503 ? 'Retry-After: 1\r\n' : ''
  if (reason === 'NO_ROUTE') {
    const contentType = 'application/json'
    return { status: kind.status, reason, detail: message, fields, contentType, body: NOT_FOUND }
  }
  const name = STATUS_CODES[kind.status] ?? 'Error'
  return {
    status: kind.status,
    reason,
    detail: message,
    fields,
    contentType: 'text/plain; charset=utf-8',
    body: Buffer.from(kind.blame === 'client' ? `${name}: ${message}\n` : name),
  }
}

/** The head of an own answer. */
export function headOfOwnAnswer(answer: OwnAnswer): AnswerHead {
  const head = new AnswerHead()
  head.status = answer.status
  head.reason = STATUS_CODES[answer.status] ?? ''
  const date = fieldValue(answer.fields, 'date') === undefined ? dateLine() : ''
  head.fields = `${date}${answer.fields}${proxyStatus(answer)}`
  if (answer.contentType !== '') head.fields += `Content-Type: ${answer.contentType}\r\n`
  const bodyless = answer.status === 204 || answer.status === 304
  head.framing = bodyless ? 'none' : 'length'
  head.length = bodyless ? -1 : answer.body.length
  return head
}

/** RFC 9209; a middleware's wanted answer is no error and carries none. */
function proxyStatus(answer: OwnAnswer): string {
  const { proxyStatus: type, blame } = ERRORS[answer.reason]
  if (type === null) return ''
  // The message to a client about itself is the client's to read; what was seen of a server is not.
  const details =
    blame === 'client' ? answer.detail : answer.reason.toLowerCase().replaceAll('_', ' ')
  return `Proxy-Status: sluice; error=${type}; details="${quotable(details)}"\r\n`
}

/** RFC 8941 strings: visible ASCII, quotes and backslashes escaped. */
function quotable(text: string): string {
  return safeValue(text)
    .replace(/[^ -~]/g, '')
    .replace(/["\\]/g, '\\$&')
}
