/**
 * Plain HTTP that comes to an https listener. OpenSSL reads its first bytes and gives up; the client gets the reason in plain
 * HTTP on the TCP socket below, and has a moment to read it.
 */
import { Socket } from 'node:net'
import { errorResponse, headOfLocalResponse } from '../http/local-response.ts'
import { ExchangeError } from '../http/errors.ts'
import { type ClientSide, Exchange } from '../http/exchange.ts'
import { RequestHead } from '../http/request-head.ts'
import { NOWHERE } from '../http/target.ts'
import { responseText } from './response-text.ts'
import type { ClientPeer } from './client-peer.ts'

const STAY_MS = 1_000

/** OpenSSL knows GET, HEAD, POST, PUT and CONNECT; other methods have a wrong version to it, as all that is no TLS record. */
const NO_TLS = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
])

/** The socket below a TLS socket whose handshake failed because its client does not speak TLS; else null. */
export function plainHttpBelow(error: NodeJS.ErrnoException, tls: Socket): Socket | null {
  if (!NO_TLS.has(error.code ?? '')) return null
  const raw = '_parent' in tls ? tls._parent : null
  return raw instanceof Socket && raw.writable ? raw : null
}

/** Answers 400; gives the exchange that this was, for the log. */
export function refusePlainHttp(raw: Socket, clientPeer: ClientPeer, listener: string): Exchange {
  const message = 'a plain HTTP request was sent to an https port; use https://'
  const response = errorResponse(new ExchangeError('PLAIN_HTTP', message))
  const exchange = clientPeer.createExchange(UNHEARD, listener, new RequestHead(), NOWHERE)
  exchange.hasResponded = true
  exchange.status = response.status
  exchange.reason = response.reason
  exchange.detail = response.detail
  exchange.bytesOut = response.body.length
  const { text } = responseText(headOfLocalResponse(response), 1, false)
  raw.end(text + response.body.toString('latin1'), 'latin1')
  // Node destroys it with the TLS socket above, and what the client still sends would then reset the response away.
  const destroy = raw.destroy.bind(raw)
  raw.destroy = () => raw
  setTimeout(destroy, STAY_MS).unref()
  return exchange
}

/** Of an exchange that is over: nothing more is sent to its client. */
const UNHEARD: ClientSide = {
  holdsData: false,
  resumeBody: () => {},
  sendInterim: () => true,
  sendHead: () => true,
  sendData: () => true,
  sendEnd: () => {},
  sendLocal: () => {},
  becomeTunnel: () => {
    throw new Error('an exchange that is over becomes no tunnel')
  },
  abort: () => {},
  pinned: null,
}
