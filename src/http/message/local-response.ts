/** Local responses, which the proxy makes itself: for errors, and by middlewares. The only place that makes them. */
import type { ErrorForm } from '../../model/settings.ts'
import { ResponseHead, statusLine } from './response-head.ts'
import { dateLine } from '../connection/clock.ts'
import { ERRORS, type ExchangeError, type Reason } from './errors.ts'
import { fieldValue, safeValue } from './fields.ts'
import { statusText } from './status-text.ts'

export interface LocalResponse {
  readonly status: number
  /** Why the proxy responded itself, for the log, the metrics and Proxy-Status. */
  readonly reason: Reason
  /** Details for the log. */
  readonly detail: string
  /** Further lines, each ended by CRLF. */
  readonly fields: string
  /** '' for none. */
  readonly contentType: string
  readonly body: Buffer
  /** For errors: what the client may know, '' for only the status. Absent if the response is intended. */
  readonly message?: string
  /** It is one to a gRPC call, in its form, and has this status. See http/grpc/local-response.ts. */
  readonly grpcStatus?: number
}

const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n'

/**
 * The response for an error. About servers it shows the client only the status: addresses stay in the log. `sentence` replaces the
 * message for the client.
 */
export function errorResponse(error: ExchangeError, sentence?: string): LocalResponse {
  const { reason, message, kind } = error
  const name = statusText(kind.status) ?? 'Error'
  const shown = kind.blame === 'client' && reason !== 'NO_ROUTE' ? message : ''
  const text = sentence ?? (shown === '' ? name : `${name}: ${shown}`)
  return {
    status: kind.status,
    reason,
    detail: message,
    fields: reason === 'METHOD_REFUSED' ? ALLOW : kind.status === 503 ? 'Retry-After: 1\r\n' : '',
    contentType: 'text/plain; charset=utf-8',
    body: Buffer.from(text),
    message: sentence ?? shown,
  }
}

/**
 * The response in the form that Accept prefers: an error is a line of text, or an object for clients that prefer JSON:
 * `{"error":"not found","status":404,"reason":"NO_ROUTE"}`. Other responses have one form only.
 */
function inFormOf(response: LocalResponse, accept: string | undefined): LocalResponse {
  const { status, reason, message } = response
  if (message === undefined || accept === undefined || !prefersJson(accept)) return response
  const error = (statusText(status) ?? 'error').toLowerCase()
  const detail = message === '' ? {} : { message }
  const body = Buffer.from(JSON.stringify({ error, status, reason, ...detail }))
  return { ...response, contentType: 'application/json', body }
}

let toForm = inFormOf

/** Of this thread, from its start on. */
export function writeErrorsAs(form: ErrorForm): void {
  toForm = form === 'vulcand' ? inFormOfVulcand : inFormOf
}

/** The response in the form in which this thread writes errors. */
export function formed(response: LocalResponse, accept: string | undefined): LocalResponse {
  return toForm(response, accept)
}

/**
 * An error as vulcand writes it: the status as Go names it, for every Accept, and without a message. A limit's text is
 * vulcand's in any case.
 */
function inFormOfVulcand({ message, ...response }: LocalResponse): LocalResponse {
  const { reason, status } = response
  if (message === undefined || reason === 'RATE_LIMITED' || reason === 'CLIENT_LIMIT')
    return response
  if (reason === 'NO_ROUTE') {
    return { ...response, contentType: 'application/json', body: Buffer.from(NOT_FOUND) }
  }
  const isOfTls = reason === 'TLS_FAILED' || reason === 'CERTIFICATE_REFUSED'
  const name = status === 413 ? 'Request Entity Too Large' : (statusText(status) ?? 'Error')
  return isOfTls
    ? { ...response, status: 500, body: Buffer.from('Internal Server Error') }
    : { ...response, body: Buffer.from(name) }
}

const NOT_FOUND = '{"error":"not found"}'

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/
const TEXT_TYPE = /^text\/(?:\*|plain|html)$/

/** Whether JSON has the highest weight of the listed types, and comes before text types of the same weight. */
function prefersJson(accept: string): boolean {
  let best = { isJson: false, weight: 0 }
  for (const item of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim())
    const isJson = JSON_TYPE.test(type)
    if (!isJson && !TEXT_TYPE.test(type)) continue
    const written = parameters.find((one) => one.startsWith('q='))
    const weight = written === undefined ? 1 : Number(written.slice(2))
    if (weight > best.weight) best = { isJson, weight }
  }
  return best.isJson
}

/** The head of a local response. */
export function headOfLocalResponse(response: LocalResponse): ResponseHead {
  const head = new ResponseHead()
  head.status = response.status
  head.line = statusLine(response.status, statusText(response.status) ?? '')
  const date = fieldValue(response.fields, 'date') === undefined ? dateLine() : ''
  head.fields = `${date}${response.fields}${proxyStatus(response)}`
  if (response.contentType !== '') head.fields += `Content-Type: ${response.contentType}\r\n`
  if (response.message !== undefined) head.fields += 'Vary: Accept\r\n'
  const { status, grpcStatus } = response
  const isTrailers = grpcStatus !== undefined && response.body.length === 0
  const bodyless = status === 204 || status === 304 || isTrailers
  head.framing = bodyless ? 'none' : 'length'
  head.length = bodyless ? -1 : response.body.length
  return head
}

/** RFC 9209. The intended response of a middleware is no error and has none. */
function proxyStatus(response: LocalResponse): string {
  const { proxyStatus: type, blame } = ERRORS[response.reason]
  if (type === null) return ''
  // The message to a client about itself is the client's to read; what was seen of a server is not.
  const details =
    blame === 'client' ? response.detail : response.reason.toLowerCase().replaceAll('_', ' ')
  return `Proxy-Status: sluice; error=${type}; details="${quotable(details)}"\r\n`
}

/** RFC 8941 strings: visible ASCII, quotes and backslashes escaped. */
function quotable(text: string): string {
  return safeValue(text)
    .replace(/[^ -~]/g, '')
    .replace(/["\\]/g, '\\$&')
}
