/** Errors of a head that is not complete yet, so that an invalid one is refused before the time limit. */
import { ExchangeError, NotHttp } from './errors.ts'
import {
  BROKEN_LINE,
  faultOfRequestHead,
  PROXY_HEADER,
  REQUEST_LINE,
  TOKEN_CHARACTER,
  UNEXPECTED_PROXY_HEADER,
} from './grammar.ts'
import type { HeadLimits } from './request-head.ts'

const LONGEST_METHOD = 32
/** RFC 8446 section 5.1: the type of the first record of a TLS client. */
const TLS_HANDSHAKE = 0x16

export function errorOfPartialHead(text: string, limits: HeadLimits): ExchangeError | null {
  if (!TOKEN_CHARACTER.test(text.charAt(0))) {
    return new ExchangeError('BAD_REQUEST_LINE', faultOfBegin(text))
  }
  if (BROKEN_LINE.test(text)) {
    return new ExchangeError('BAD_REQUEST_LINE', 'a line of the head does not end with CRLF')
  }
  const end = text.indexOf('\r\n')
  if (end < 0 && text.length > limits.targetBytes + LONGEST_METHOD + ' HTTP/1.1'.length) {
    return new ExchangeError(
      'TARGET_TOO_LONG',
      `the target is longer than ${limits.targetBytes} bytes`,
    )
  }
  if (end < 0 || REQUEST_LINE.test(text.slice(0, end))) return null
  return new ExchangeError('BAD_REQUEST_LINE', faultOfRequestHead(text.slice(0, end + 2)).detail)
}

function faultOfBegin(text: string): string {
  if (PROXY_HEADER.test(text)) return UNEXPECTED_PROXY_HEADER
  return text.charCodeAt(0) === TLS_HANDSHAKE
    ? 'a TLS handshake was sent to a port for plain HTTP; use http://'
    : 'the request does not begin with a method'
}

/** The same for the head of a response. */
export function errorOfPartialResponse(text: string): ExchangeError | null {
  if (!'HTTP/1.'.startsWith(text.slice(0, 7)))
    return new NotHttp('the response does not begin with HTTP/1')
  return BROKEN_LINE.test(text)
    ? new ExchangeError('BAD_ANSWER', "a line of the response's head does not end with CRLF")
    : null
}
