/** The errors of a connection to a server: it cannot be made, takes too long, or is closed too early. */
import { ExchangeError, type Reason } from '../../http/message/errors.ts'
import { shortageOf } from '../../http/connection/shortage.ts'
import { isSocketPath } from '../../model/server-url.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import type { ConnectTarget } from '../connecting/connect-target.ts'

const BY_CODE: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: 'CONNECT_REFUSED',
  // A unix socket that no program listens on.
  ENOENT: 'CONNECT_REFUSED',
  ETIMEDOUT: 'CONNECT_TIMEOUT',
}

/** The connection could not be made: nothing of the request was processed. */
export function connectError(
  error: NodeJS.ErrnoException | null,
  target: ConnectTarget,
): ExchangeError {
  if (error instanceof ExchangeError) return error
  const where = isSocketPath(target.host) ? target.host : `${target.host}:${target.port}`
  if (error === null)
    return new ExchangeError('CONNECT_REFUSED', `${where} closed the connection immediately`)
  if (shortageOf(error) !== null)
    return new ExchangeError('OUT_OF_RESOURCES', error.message, { cause: error })
  const { code = '' } = error
  const reason =
    BY_CODE[code] ??
    (target.tls === null
      ? 'CONNECT_FAILED'
      : /CERT|UNABLE_TO|SELF_SIGNED|ALTNAME/.test(code)
        ? 'CERTIFICATE_REFUSED'
        : 'TLS_FAILED')
  return new ExchangeError(reason, `cannot connect to ${where}: ${error.message}`, { cause: error })
}

/** HTTP/1.1 servers and gRPC: their responses have no trailers that a client could rely on. */
export function http2Required(url: string): ExchangeError {
  const how = 'declare it as h2c://, or its backend with protocol: h2'
  return new ExchangeError('HTTP2_REQUIRED', `gRPC needs HTTP/2, and ${url} is HTTP/1.1: ${how}`)
}

/** The client could have sent, too: no failure of the server. */
export function silentCall({ tunnelMs }: Timeouts): ExchangeError {
  return new ExchangeError(
    'REQUEST_TIMEOUT',
    `nothing of the call, in both directions, for ${tunnelMs} ms`,
  )
}

export function timeoutError(
  waitedFor: 'name' | 'connect' | 'handshake' | 'body' | 'response' | 'more',
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
    case 'response':
      return new ExchangeError('FIRST_BYTE_TIMEOUT', `no response within ${firstByteMs} ms`)
    case 'more':
      return new ExchangeError('STALL_TIMEOUT', `nothing of the response for ${stallMs} ms`)
  }
}

/** The server closed the connection before a response, or within it, or before the end of the request's body after a 101. */
export function closedError(
  before: 'response' | 'head' | 'body' | 'switch',
  cause: Error | null,
): ExchangeError {
  const how = cause === null ? 'the server closed the connection' : cause.message
  switch (before) {
    case 'response':
      return new ExchangeError('SERVER_CLOSED', `${how} before a response`)
    case 'head':
      return new ExchangeError('ANSWER_CUT', `${how} within the response's head`)
    case 'body':
      return new ExchangeError('ANSWER_CUT', `${how} within the response's body`)
    case 'switch':
      return new ExchangeError('ANSWER_CUT', `${how} before the request's body had ended`)
  }
}
