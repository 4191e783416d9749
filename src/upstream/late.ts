/** What a server did not do, or not in time. */
import { ExchangeError } from '../http/errors.ts'
import type { Timeouts } from '../model/snapshot.ts'

export function lateError(
  waitedFor: 'name' | 'connect' | 'handshake' | 'body' | 'answer' | 'more',
  { connectMs, handshakeMs, firstByteMs, stallMs }: Timeouts,
): ExchangeError {
  switch (waitedFor) {
    case 'name':
      return new ExchangeError('DNS_FAILED', `the name was not resolved within ${connectMs} ms`)
    case 'connect':
      return new ExchangeError('CONNECT_TIMEOUT', `not connected within ${connectMs} ms`)
    case 'handshake':
      return new ExchangeError('CONNECT_TIMEOUT', `no TLS handshake within ${handshakeMs} ms`)
    case 'body':
      return new ExchangeError('STALL_TIMEOUT', `the server took no request body for ${stallMs} ms`)
    case 'answer':
      return new ExchangeError('FIRST_BYTE_TIMEOUT', `no response within ${firstByteMs} ms`)
    case 'more':
      return new ExchangeError('STALL_TIMEOUT', `nothing of the response for ${stallMs} ms`)
  }
}

/** A server that is gone before a response, or within the response's head or body, or while the request's body was sent. */
export function cutError(
  before: 'answer' | 'head' | 'body' | 'switch',
  cause: Error | null,
): ExchangeError {
  const how = cause === null ? 'the server closed the connection' : cause.message
  switch (before) {
    case 'answer':
      return new ExchangeError('SERVER_CLOSED', `${how} before a response`)
    case 'head':
      return new ExchangeError('ANSWER_CUT', `${how} within the response's head`)
    case 'body':
      return new ExchangeError('ANSWER_CUT', `${how} within the response's body`)
    case 'switch':
      return new ExchangeError('ANSWER_CUT', `${how} before the request's body had ended`)
  }
}
