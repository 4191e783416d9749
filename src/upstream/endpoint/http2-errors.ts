/** The errors of streams and connections of HTTP/2 to servers. */
import { ExchangeError } from '../../http/message/errors.ts'
import { ERROR, errorName } from '../../http2/frames.ts'
import type { ConnectTarget } from '../connecting/connect-target.ts'

/** The server has reset the stream, or this side has because of the server's `fault`. */
export function resetError(code: number, fault: string, hadHead: boolean): ExchangeError {
  if (fault !== '' && code === ERROR.ENHANCE_YOUR_CALM)
    return new ExchangeError('ANSWER_TOO_LARGE', `${fault} (limits of the backend)`)
  if (fault !== '') return new ExchangeError('BAD_ANSWER', fault)
  if (code === ERROR.REFUSED_STREAM)
    return new ExchangeError('STREAM_REFUSED', 'the server refused the request unprocessed')
  if (code === ERROR.HTTP_1_1_REQUIRED)
    return new ExchangeError('NOT_HTTP2', 'the server requires HTTP/1.1 for this request')
  const how = `the server reset the stream (${errorName(code)})`
  return hadHead
    ? new ExchangeError('ANSWER_CUT', `${how} within the response`)
    : new ExchangeError('SERVER_CLOSED', `${how} before a response`)
}

/** Nothing was sent: the server would refuse it. */
export function requestTooLarge(bytes: number, most: number): ExchangeError {
  const limit = `the server takes ${most} (SETTINGS_MAX_HEADER_LIST_SIZE)`
  return new ExchangeError('HEAD_TOO_LARGE', `the request's head has ${bytes} bytes, and ${limit}`)
}

/** The server chose another protocol in the TLS handshake, or none. */
export function notChosen(chosen: string | null): ExchangeError {
  const what = chosen === null ? 'no protocol' : chosen
  return new ExchangeError(
    'NOT_HTTP2',
    `the server chose ${what} in the TLS handshake, not h2: set protocol of its backend to http/1.1 or auto`,
  )
}

/** What came instead of SETTINGS is no HTTP/2. */
export function notHttp2(fault: string): ExchangeError {
  return new ExchangeError('NOT_HTTP2', `the server does not speak HTTP/2: ${fault}`)
}

const NO_PROTOCOL = /NO_APPLICATION_PROTOCOL/

/** A server that chose none of the protocols ends the handshake with an alert (RFC 7301 section 3.2). */
export function handshakeError(error: ExchangeError, target: ConnectTarget): ExchangeError {
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (target.tls === null || !NO_PROTOCOL.test(code)) return error
  return new ExchangeError('NOT_HTTP2', notChosen(null).message, { cause: error })
}
