/** The head of a request as it is written to an HTTP/1.1 server: one text, with its own framing and a body that came with it. */
import type { Exchange } from '../../http/exchange.ts'
import { chunkSizeLine, lastChunk } from '../../http/message/chunked.ts'

/** `hostLine`: of the server, if the client's is not passed on. */
export function requestText(exchange: Exchange, hostLine: string, passHost: boolean): string {
  const { head, to, smallBody } = exchange
  const line = to.target === head.target ? head.line : `${head.method} ${to.target} HTTP/1.1\r\n`
  const host = passHost && to.authority !== '' ? exchange.hostLine : hostLine
  let text = line + host + exchange.fieldsToServer
  if (head.acceptsTrailers) text += 'TE: trailers\r\n'
  if (head.upgrade !== '') text += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`
  else if (head.acceptsTrailers) text += 'Connection: TE\r\n'
  if (head.framing === 'none') return text + '\r\n'
  if (exchange.travelsWhole) {
    const data = smallBody === null ? '' : smallBody.toString('latin1')
    if (head.framing === 'length') return `${text}Content-Length: ${head.length}\r\n\r\n${data}`
    const chunk = data === '' ? '' : `${chunkSizeLine(data.length)}${data}\r\n`
    return `${text}Transfer-Encoding: chunked\r\n\r\n${chunk}${lastChunk('')}`
  }
  if (head.expectContinue) text += 'Expect: 100-continue\r\n'
  return head.framing === 'length'
    ? `${text}Content-Length: ${head.length}\r\n\r\n`
    : `${text}${head.trailerLine}Transfer-Encoding: chunked\r\n\r\n`
}
