/**
 * Plain HTTP on an https listener. OpenSSL fails at the first bytes; the client gets a 400 in plain HTTP on the TCP socket below the
 * TLS socket, and has a moment to read it.
 */
import { Socket } from 'node:net'
import { errorResponse, headOfLocalResponse } from '../http/message/local-response.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { RequestHead } from '../http/message/request-head.ts'
import { NOWHERE } from '../http/message/target.ts'
import { NO_CLIENT } from './no-client.ts'
import { responseText } from './response-text.ts'
import type { ClientPeer } from './client-peer.ts'

const STAY_MS = 1_000

const WRONG_VERSION = 'ERR_SSL_WRONG_VERSION_NUMBER'
const OR_PROXY_HEADER =
  " (or it was a PROXY header; name its sender in the listener's proxyProtocol.trusted)"
/** OpenSSL recognizes GET, HEAD, POST, PUT and CONNECT; other methods are a wrong version to it, as everything that is no TLS. */
const NO_TLS = new Set(['ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST', WRONG_VERSION])

/** The TCP socket, if the handshake failed because the client does not speak TLS; else null. */
export function plainHttpBelow(error: NodeJS.ErrnoException, tls: Socket): Socket | null {
  if (!NO_TLS.has(error.code ?? '')) return null
  const raw = '_parent' in tls ? tls._parent : null
  return raw instanceof Socket && raw.writable ? raw : null
}

/** Responds with 400; returns the exchange for the log. */
export function refusePlainHttp(
  raw: Socket,
  { code }: NodeJS.ErrnoException,
  clientPeer: ClientPeer,
  listener: string,
): Exchange {
  const message = `a plain HTTP request was sent to an https port; use https://${code === WRONG_VERSION ? OR_PROXY_HEADER : ''}`
  const response = errorResponse(new ExchangeError('PLAIN_HTTP', message))
  const exchange = clientPeer.createExchange(NO_CLIENT, listener, new RequestHead(), NOWHERE)
  exchange.hasResponded = true
  exchange.status = response.status
  exchange.reason = response.reason
  exchange.detail = response.detail
  exchange.bytesOut = response.body.length
  const { text } = responseText(headOfLocalResponse(response), 1, false)
  raw.end(text + response.body.toString('latin1'), 'latin1')
  // Node destroys it with the TLS socket. Bytes that the client sends after that would cause a reset, which discards the response.
  const destroy = raw.destroy.bind(raw)
  raw.destroy = () => raw
  setTimeout(destroy, STAY_MS).unref()
  return exchange
}
