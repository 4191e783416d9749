/** The head of a request as HTTP/2 has it: pseudo-fields, and fields as text. */
import type { Exchange } from '../../http/exchange.ts'
import { withoutFields } from '../../http/message/fields.ts'
import type { RequestLine } from '../../http2/hpack/head-encoder.ts'

/** Whether the client requests a WebSocket, which HTTP/2 carries in a stream if the server allows it (RFC 8441). */
export function isWebSocket({ head }: Exchange): boolean {
  return (
    head.upgrade !== '' &&
    head.upgrade.toLowerCase() === 'websocket' &&
    head.method === 'GET' &&
    head.framing === 'none'
  )
}

/**
 * `scheme` is that of the connection to the server: servers that compare it with their own TLS refuse another one. An Upgrade other
 * than that to WebSocket is left out, as a server may ignore it (RFC 9110 section 7.8).
 */
export function requestLine(
  exchange: Exchange,
  scheme: string,
  ownAuthority: string,
  passHost: boolean,
): RequestLine {
  const { head, to } = exchange
  const isTunnel = isWebSocket(exchange)
  return {
    method: isTunnel ? 'CONNECT' : head.method,
    scheme,
    authority: passHost && to.authority !== '' ? to.authority : ownAuthority,
    path: to.target,
    protocol: isTunnel ? 'websocket' : '',
    contentLength: head.framing === 'length' ? head.length : -1,
  }
}

/** RFC 8441 section 5: HTTP/2 has no handshake of WebSocket. */
const OF_HANDSHAKE: ReadonlySet<string> = new Set(['sec-websocket-key', 'sec-websocket-accept'])

/** The client's fields. */
export function requestFields(exchange: Exchange): string {
  const { clientFields } = exchange
  return isWebSocket(exchange) ? withoutFields(clientFields, OF_HANDSHAKE) : clientFields
}

/** What is added to them, with the request's id at the end in most cases. */
export function addedFields(exchange: Exchange): string {
  const { head, added } = exchange
  if (isWebSocket(exchange)) return withoutFields(added, OF_HANDSHAKE)
  const te = head.acceptsTrailers ? 'te: trailers\r\n' : ''
  if (exchange.isWhole) return te + added
  const trailer = head.framing === 'chunked' ? head.trailerLine : ''
  const expect = head.expectContinue ? 'expect: 100-continue\r\n' : ''
  return te + trailer + expect + added
}
