/** Parses the text of a response head. Hot path, see request-head.ts. */
import { dateLine } from '../connection/clock.ts'
import { requestsConnectionLogin } from './connection-login.ts'
import { ExchangeError, NotHttp } from './errors.ts'
import { listHolds, withoutConnectionOptions } from './fields.ts'
import { digitsIn, faultOfFields, isNamed, trimmed } from './grammar.ts'
import type { HeadLines } from './head-lines.ts'

/** Positions in `HTTP/1.1 200 OK`. */
const MINOR_VERSION = 7
const STATUS = 9
const REASON = 13
const ZERO = 48
const ONE = 49
const CRLF = 2

/** How the body ends; `close`: with the connection. */
export type ResponseFraming = 'none' | 'length' | 'chunked' | 'close'

export class ResponseHead {
  status = 0
  /** As it is sent, with its CRLF. */
  line = ''
  /** End-to-end fields, without framing. */
  fields = ''
  framing: ResponseFraming = 'close'
  /** Content-Length, also if no body follows (HEAD, 304); -1 without one. */
  length = -1
  /** The server keeps the connection open. */
  keepAlive = true
  /** Seconds of `Keep-Alive: timeout=`, 0 without it. */
  keepAliveSeconds = 0
  /** It is part of an authentication of the connection, see connection-login.ts. */
  logsIn = false
  /** The Upgrade field's value, for 101. */
  upgrade = ''
  trailerLine = ''
  /** Names of fields that came by HTTP/2 as never indexed, and go on so (RFC 7541 section 6.2.3); null: none did. */
  neverIndexed: ReadonlySet<string> | null = null
}

/** `text` begins with a head, `lines` are those of its bytes. `bodyless`: a response to HEAD. */
export function parseResponseHead(
  text: string,
  lines: HeadLines,
  bodyless: boolean,
  maxFields: number,
): ResponseHead | ExchangeError {
  const { first, count, colons, ends, fieldsEnd } = lines
  if (count > maxFields) {
    const detail = `the response's head has more than ${maxFields} fields (limits.fields of the backend)`
    return new ExchangeError('ANSWER_TOO_LARGE', detail)
  }
  const head = new ResponseHead()
  const minor = text.charCodeAt(MINOR_VERSION)
  const old = minor === ZERO
  head.status = digitsIn(text, STATUS, STATUS + 3)
  head.line =
    minor === ONE && first >= REASON + CRLF
      ? text.slice(0, first)
      : statusLine(head.status, text.slice(REASON, first - CRLF))
  head.keepAlive = !old
  let runs = ''
  let start = first
  let runStart = first
  let connection = ''
  let coding = ''
  let isDated = false
  for (let field = 0; field < count; field++) {
    const colon = colons[field] ?? 0
    const end = ends[field] ?? 0
    let drop = false
    switch (colon - start) {
      case 2:
        drop = isNamed(text, start, colon, 'te')
        break
      case 4:
        isDated ||= isNamed(text, start, colon, 'date')
        break
      case 7:
        if (isNamed(text, start, colon, 'upgrade')) {
          head.upgrade += (head.upgrade === '' ? '' : ', ') + trimmed(text, colon + 1, end)
          drop = true
        } else if (isNamed(text, start, colon, 'trailer')) {
          head.trailerLine += text.slice(start, end + 2)
          drop = true
        }
        break
      case 10:
        if (isNamed(text, start, colon, 'connection')) {
          const value = trimmed(text, colon + 1, end)
          connection = connection === '' ? value : `${connection},${value}`
          drop = true
        } else if (isNamed(text, start, colon, 'keep-alive')) {
          head.keepAliveSeconds = shorter(
            head.keepAliveSeconds,
            Number(/timeout=([0-9]{1,6})/i.exec(text.slice(colon, end))?.[1] ?? 0),
          )
          drop = true
        }
        break
      case 14:
        if (isNamed(text, start, colon, 'content-length')) {
          if (head.length >= 0)
            return new ExchangeError('BAD_ANSWER', 'there are two Content-Length fields')
          head.length = digitsIn(text, colon + 1, end)
          if (head.length < 0)
            return new ExchangeError('BAD_ANSWER', 'Content-Length is not a number')
          drop = true
        }
        break
      case 16:
        if (isNamed(text, start, colon, 'www-authenticate'))
          head.logsIn ||= requestsConnectionLogin(trimmed(text, colon + 1, end))
        else drop = isNamed(text, start, colon, 'proxy-connection')
        break
      case 17:
        if (isNamed(text, start, colon, 'transfer-encoding')) {
          if (coding !== '')
            return new ExchangeError('BAD_ANSWER', 'there are two Transfer-Encoding fields')
          coding = trimmed(text, colon + 1, end).toLowerCase() || 'empty'
          drop = true
        }
        break
      case 18:
        if (isNamed(text, start, colon, 'proxy-authenticate')) {
          head.logsIn ||= requestsConnectionLogin(trimmed(text, colon + 1, end))
          drop = true
        }
        break
      case 19:
        drop = isNamed(text, start, colon, 'proxy-authorization')
        break
    }
    if (drop) {
      if (start > runStart) runs += text.slice(runStart, start)
      runStart = end + 2
    }
    start = end + 2
  }
  head.fields = runStart < fieldsEnd ? runs + text.slice(runStart, fieldsEnd) : runs
  if (connection !== '' && connection !== 'keep-alive') {
    const options = connection.toLowerCase()
    head.keepAlive =
      !listHolds(options, 'close') && (head.keepAlive || listHolds(options, 'keep-alive'))
    head.fields = withoutConnectionOptions(head.fields, options)
    isDated &&= !listHolds(options, 'date')
  } else if (connection === 'keep-alive') {
    head.keepAlive = true
  }
  if (!isDated && head.status >= 200) head.fields += dateLine()
  return frame(head, coding, old, bodyless) ?? head
}

export function statusLine(status: number, reason: string): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`
}

/** May have several lines; 0 means none. */
function shorter(seconds: number, further: number): number {
  if (seconds === 0 || further === 0) return seconds + further
  return Math.min(seconds, further)
}

/** RFC 9112 section 6.3, strictly: ambiguous framing is refused. */
function frame(
  head: ResponseHead,
  coding: string,
  old: boolean,
  bodyless: boolean,
): ExchangeError | undefined {
  if (coding !== '') {
    if (head.length >= 0) {
      return new ExchangeError('BAD_ANSWER', 'there are both Transfer-Encoding and Content-Length')
    }
    if (coding !== 'chunked' || old) {
      return new ExchangeError('BAD_ANSWER', 'Transfer-Encoding is not "chunked" on HTTP/1.1')
    }
  }
  const { status } = head
  // RFC 9110 section 15.2: HTTP/1.0 has no interim responses.
  if (status < 200 && old) {
    return new ExchangeError('BAD_ANSWER', 'an interim response on HTTP/1.0')
  }
  if (status < 200 || status === 204) {
    head.framing = 'none'
    head.length = -1
  } else if (bodyless || status === 304) {
    head.framing = 'none'
  } else if (coding !== '') {
    head.framing = 'chunked'
  } else if (head.length >= 0) {
    head.framing = 'length'
  } else {
    // Only the connection's end ends the body, so the connection cannot be reused.
    head.keepAlive = false
  }
  return undefined
}

/** The error of an invalid head. `text` ends with its last field's CRLF, without the empty line. */
export function refuseResponseHead(text: string): ExchangeError {
  const end = text.indexOf('\r\n')
  const line = text.slice(0, end)
  if (/^HTTP\/1\.[0-9] [1-9][0-9][0-9](?: [\t -~\x80-\xff]*)?$/.test(line))
    return new ExchangeError('BAD_ANSWER', faultOfFields(text.slice(end + 2)))
  const fault = 'the status line is not "HTTP/1.1 status reason"'
  return line.startsWith('HTTP/1.') ? new ExchangeError('BAD_ANSWER', fault) : new NotHttp(fault)
}
