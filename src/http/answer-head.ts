/** From the text of an answer's head to what the proxy knows of the answer. Hot path, see request-head.ts. */
import { dateLine } from './clock.ts'
import { asksForConnectionLogin } from './connection-login.ts'
import { ExchangeError, NotHttp } from './errors.ts'
import { listHolds, withoutConnectionOptions } from './fields.ts'
import { DIGITS, faultOfFields, STATUS_HEAD, trimmed } from './grammar.ts'

/** Places in `HTTP/1.1 200 OK`. */
const MINOR_VERSION = 7
const STATUS = 9
const ZERO = 48
const OF_THIS_HOP = new Set(['proxy-connection', 'proxy-authenticate', 'proxy-authorization'])

/** How an answer's end is known: `close` is the end of its connection. */
export type AnswerFraming = 'none' | 'length' | 'chunked' | 'close'

export class AnswerHead {
  status = 0
  reason = ''
  /** End-to-end fields, without framing. */
  fields = ''
  framing: AnswerFraming = 'close'
  /** Announced bytes, also where no body follows (HEAD, 304); -1 when not announced. */
  length = -1
  /** The server keeps its connection. */
  keepAlive = true
  /** Seconds of `Keep-Alive: timeout=`, 0 when not announced. */
  keepAliveSeconds = 0
  /** It asks for a login of its connection, or is a part of one, see connection-login.ts. */
  logsIn = false
  /** The Upgrade field's value, for 101. */
  upgrade = ''
  trailerLine = ''
}

/** `bodyless`: an answer to HEAD. `text` ends with the last field's CRLF, without the empty line. */
export function parseAnswerHead(
  text: string,
  bodyless: boolean,
  maxFields: number,
): AnswerHead | ExchangeError {
  if (!STATUS_HEAD.test(text)) return refuseGrammar(text)
  const head = new AnswerHead()
  const lineEnd = text.indexOf('\r\n')
  const old = text.charCodeAt(MINOR_VERSION) === ZERO
  head.status = Number(text.slice(STATUS, STATUS + 3))
  head.reason = text.slice(STATUS + 4, lineEnd)
  head.keepAlive = !old
  let runs = ''
  let start = lineEnd + 2
  let runStart = start
  let connection = ''
  let length = ''
  let coding = ''
  let count = 0
  let isDated = false
  while (start < text.length) {
    const colon = text.indexOf(':', start)
    const end = text.indexOf('\r\n', colon)
    let drop = false
    if (++count > maxFields) {
      const detail = `the answer's head has more than ${maxFields} fields (limits.fields of the backend)`
      return new ExchangeError('ANSWER_TOO_LARGE', detail)
    }
    switch (colon - start) {
      case 2:
        drop = text.slice(start, colon).toLowerCase() === 'te'
        break
      case 4:
        isDated ||= text.slice(start, colon).toLowerCase() === 'date'
        break
      case 7:
        switch (text.slice(start, colon).toLowerCase()) {
          case 'upgrade':
            head.upgrade += (head.upgrade === '' ? '' : ', ') + trimmed(text, colon + 1, end)
            drop = true
            break
          case 'trailer':
            head.trailerLine += text.slice(start, end + 2)
            drop = true
            break
        }
        break
      case 10:
        switch (text.slice(start, colon).toLowerCase()) {
          case 'connection': {
            const value = trimmed(text, colon + 1, end)
            connection = connection === '' ? value : `${connection},${value}`
            drop = true
            break
          }
          case 'keep-alive':
            head.keepAliveSeconds = shorter(
              head.keepAliveSeconds,
              Number(/timeout=([0-9]{1,6})/i.exec(text.slice(colon, end))?.[1] ?? 0),
            )
            drop = true
            break
        }
        break
      case 14:
        if (text.slice(start, colon).toLowerCase() === 'content-length') {
          if (length !== '')
            return new ExchangeError('BAD_ANSWER', 'there are two Content-Length fields')
          length = trimmed(text, colon + 1, end)
          if (!DIGITS.test(length))
            return new ExchangeError('BAD_ANSWER', 'Content-Length is not a number')
          drop = true
        }
        break
      case 16:
      case 18:
      case 19: {
        const name = text.slice(start, colon).toLowerCase()
        drop = OF_THIS_HOP.has(name)
        if (name === 'www-authenticate' || name === 'proxy-authenticate')
          head.logsIn ||= asksForConnectionLogin(trimmed(text, colon + 1, end))
        break
      }
      case 17:
        if (text.slice(start, colon).toLowerCase() === 'transfer-encoding') {
          if (coding !== '')
            return new ExchangeError('BAD_ANSWER', 'there are two Transfer-Encoding fields')
          coding = trimmed(text, colon + 1, end).toLowerCase() || 'empty'
          drop = true
        }
        break
    }
    if (drop) {
      if (start > runStart) runs += text.slice(runStart, start)
      runStart = end + 2
    }
    start = end + 2
  }
  head.fields = runStart < text.length ? runs + text.slice(runStart) : runs
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
  return frame(head, length, coding, old, bodyless) ?? head
}

/** Of several lines; 0 announces nothing. */
function shorter(seconds: number, further: number): number {
  if (seconds === 0 || further === 0) return seconds + further
  return Math.min(seconds, further)
}

/** RFC 9112 section 6.3, refusing what has two readings. */
function frame(
  head: AnswerHead,
  length: string,
  coding: string,
  old: boolean,
  bodyless: boolean,
): ExchangeError | undefined {
  if (coding !== '') {
    if (length !== '') {
      return new ExchangeError('BAD_ANSWER', 'Transfer-Encoding and Content-Length stand together')
    }
    if (coding !== 'chunked' || old) {
      return new ExchangeError('BAD_ANSWER', 'Transfer-Encoding is not "chunked" on HTTP/1.1')
    }
  }
  if (length !== '') head.length = Number(length)
  const { status } = head
  // RFC 9110 section 15.2: HTTP/1.0 knows no interim answers.
  if (status < 200 && old) {
    return new ExchangeError('BAD_ANSWER', 'an interim answer on HTTP/1.0')
  }
  if (status < 200 || status === 204) {
    head.framing = 'none'
    head.length = -1
  } else if (bodyless || status === 304) {
    head.framing = 'none'
  } else if (coding !== '') {
    head.framing = 'chunked'
  } else if (length !== '') {
    head.framing = 'length'
  } else {
    // Only its end tells that it is whole, so the connection cannot be used again.
    head.keepAlive = false
  }
  return undefined
}

function refuseGrammar(text: string): ExchangeError {
  const end = text.indexOf('\r\n')
  const line = text.slice(0, end)
  if (/^HTTP\/1\.[0-9] [1-9][0-9][0-9](?: [\t -~\x80-\xff]*)?$/.test(line))
    return new ExchangeError('BAD_ANSWER', faultOfFields(text.slice(end + 2)))
  const fault = 'the status line is not "HTTP/1.1 status reason"'
  return line.startsWith('HTTP/1.') ? new ExchangeError('BAD_ANSWER', fault) : new NotHttp(fault)
}
