/** The head of a response that came by HTTP/2, as the rest of Sluice has heads. */
import { dateLine } from '../../http/connection/clock.ts'
import { ResponseHead, statusLine } from '../../http/message/response-head.ts'
import { statusText } from '../../http/message/status-text.ts'
import { fieldValue } from '../../http/message/fields.ts'
import { websocketAccept } from '../../http/message/websocket-accept.ts'
import type { HeadDecoder } from '../../http2/hpack/head-decoder.ts'

/** `bodyless`: a response to HEAD. `ended`: nothing follows. */
export function toResponseHead(
  decoder: HeadDecoder,
  bodyless: boolean,
  ended: boolean,
): ResponseHead {
  const head = new ResponseHead()
  const { status, contentLength } = decoder
  head.status = status
  head.line = lineOf(status)
  head.fields = decoder.isDated || status < 200 ? decoder.fields : decoder.fields + dateLine()
  head.trailerLine = decoder.trailerLine
  head.neverIndexed = decoder.neverIndexed
  if (status < 200 || status === 204) head.framing = 'none'
  else if (bodyless || status === 304) {
    head.framing = 'none'
    head.length = contentLength
  } else if (contentLength >= 0) {
    head.framing = 'length'
    head.length = contentLength
  } else if (ended) {
    head.framing = 'length'
    head.length = 0
  } else head.framing = 'chunked'
  return head
}

const LINES = new Map<number, string>()

function lineOf(status: number): string {
  const known = LINES.get(status)
  if (known !== undefined) return known
  const line = statusLine(status, statusText(status) ?? '')
  LINES.set(status, line)
  return line
}

/** The response of HTTP/1.1 to a WebSocket's handshake with these fields, which the server has accepted in its own way. */
export function toSwitchingHead(decoder: HeadDecoder, requestFields: string): ResponseHead {
  const head = new ResponseHead()
  const key = fieldValue(requestFields, 'sec-websocket-key') ?? ''
  const accept = websocketAccept(key)
  head.status = 101
  head.line = lineOf(101)
  head.fields = `${decoder.fields}Sec-WebSocket-Accept: ${accept}\r\n`
  head.neverIndexed = decoder.neverIndexed
  head.framing = 'none'
  head.upgrade = 'websocket'
  return head
}
