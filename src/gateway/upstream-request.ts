/** The request as it is written to a server: one text, with its own framing. */
import { chunkSizeLine, lastChunk } from '../http/message/chunked.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Endpoint } from '../upstream/endpoint/endpoint.ts'
import type { UpstreamRequest } from '../upstream/endpoint/request-writer.ts'

export function toUpstreamRequest(
  exchange: Exchange,
  endpoint: Endpoint,
  passHost: boolean,
): UpstreamRequest {
  const { head, to, smallBody } = exchange
  const line = to.target === head.target ? head.line : `${head.method} ${to.target} HTTP/1.1\r\n`
  const hostLine = passHost && to.authority !== '' ? exchange.hostLine : endpoint.hostLine
  let text = line + hostLine + head.fields + exchange.added
  if (head.acceptsTrailers) text += 'TE: trailers\r\n'
  const wantsUpgrade = head.upgrade !== ''
  if (wantsUpgrade) text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
  else if (head.acceptsTrailers) text += 'Connection: TE\r\n'
  const toHead = head.method === 'HEAD'
  const { length } = head
  if (head.framing === 'none')
    return { text: text + '\r\n', toHead, wantsUpgrade, waitsFor100: false, length, body: 'none' }
  if (exchange.travelsWhole) {
    const data = smallBody === null ? '' : smallBody.toString('latin1')
    if (head.framing === 'length') text += `Content-Length: ${head.length}\r\n\r\n${data}`
    else {
      const chunk = data === '' ? '' : `${chunkSizeLine(data.length)}${data}\r\n`
      text += `Transfer-Encoding: chunked\r\n\r\n${chunk}${lastChunk('')}`
    }
    return { text, toHead, wantsUpgrade, waitsFor100: false, length, body: 'none' }
  }
  if (head.expectContinue) text += 'Expect: 100-continue\r\n'
  text +=
    head.framing === 'length'
      ? `Content-Length: ${head.length}\r\n\r\n`
      : `${head.trailerLine}Transfer-Encoding: chunked\r\n\r\n`
  return {
    text,
    toHead,
    wantsUpgrade,
    waitsFor100: head.expectContinue,
    length,
    body: head.framing,
  }
}
