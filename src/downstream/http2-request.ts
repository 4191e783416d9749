/**
 * The head of a request of HTTP/2, in the form in which HTTP/1.1 has it: one form for routes, middlewares and servers. What RFC 9113
 * calls malformed never comes here; what HTTP/1 refuses is refused for the same reasons.
 *
 * Hot path: the decoder has made the text of the fields, and most requests need nothing but it.
 */
import type { HeadDecoder } from '../http2/hpack/head-decoder.ts'
import { isConnectionLogin } from '../http/message/connection-login.ts'
import { ExchangeError } from '../http/message/errors.ts'
import { readForwarded } from '../http/message/forwarded-fields.ts'
import { RequestHead } from '../http/message/request-head.ts'

/** `ended`: the request has no body. `decoder` keeps its result for this call only. */
export function toRequestHead(decoder: HeadDecoder, ended: boolean, trusted: boolean): RequestHead {
  const head = new RequestHead()
  const { method, path, authority, host, contentLength, te, expect, authorization } = decoder
  head.majorVersion = 2
  head.isTrusted = trusted
  head.method = method
  head.target = path
  head.line = `${method} ${path} HTTP/1.1\r\n`
  // RFC 9113 section 8.3.1: Host is a copy of :authority.
  head.host = authority || host || null
  head.fields = decoder.fieldsWithCookie
  head.acceptsTrailers = te
  head.neverIndexed = decoder.neverIndexed
  head.logsIn = authorization !== '' && isConnectionLogin(authorization)
  frame(head, contentLength, ended)
  const { trailerLine, forwarding } = decoder
  head.trailerLine = trailerLine
  if (expect !== '') head.expectContinue = head.framing === 'chunked' || head.length > 0
  if (trusted && forwarding !== '') head.forwarded = readForwarded(forwarding)
  if (contentLength >= 0 || te || expect !== '' || trailerLine !== '' || forwarding !== '')
    head.received = removedFields(decoder)
  if (decoder.protocol !== '') upgrade(head, decoder.protocol)
  return head
}

/** What HTTP/1 refuses, too; null: nothing. */
export function refusalOf(
  { expect, protocol }: HeadDecoder,
  { target, host, framing }: RequestHead,
  targetBytes: number,
): ExchangeError | null {
  if (target.length > targetBytes)
    return new ExchangeError('TARGET_TOO_LONG', `the target is longer than ${targetBytes} bytes`)
  if (host === null)
    return new ExchangeError('BAD_HOST', 'the request has neither :authority nor Host')
  if (expect !== '' && expect.toLowerCase() !== '100-continue')
    return new ExchangeError(
      'EXPECTATION_FAILED',
      'the only expectation understood here is 100-continue',
    )
  if (protocol !== '' && protocol !== 'websocket')
    return new ExchangeError('METHOD_REFUSED', 'CONNECT is offered for websocket only')
  return framing === 'none' || protocol === '' ? null : NO_TUNNEL
}

const NO_TUNNEL = new ExchangeError('BAD_FRAMING', 'a CONNECT with :protocol has no Content-Length')

/** Their lines, for the conditions of routes; forwarding fields are seen only if they are trusted. */
function removedFields({
  contentLength,
  te,
  expect,
  trailerLine,
  forwarding,
}: HeadDecoder): string {
  let lines = forwarding + trailerLine
  if (contentLength >= 0) lines += `content-length: ${contentLength}\r\n`
  if (te) lines += 'te: trailers\r\n'
  return expect === '' ? lines : `${lines}expect: ${expect}\r\n`
}

function frame(head: RequestHead, contentLength: number, ended: boolean): void {
  if (contentLength >= 0) {
    // A zero length is still announced to the server: some refuse a POST without one.
    head.framing = 'length'
    head.length = contentLength
  } else if (!ended) head.framing = 'chunked'
  else if (head.method === 'POST' || head.method === 'PUT' || head.method === 'PATCH') {
    // RFC 9110 section 8.6: these announce that they have no content.
    head.framing = 'length'
  }
}

/** RFC 8441 section 5: to routes and servers it is the handshake of HTTP/1.1, whose key the stream adds. */
function upgrade(head: RequestHead, protocol: string): void {
  head.method = 'GET'
  head.line = `GET ${head.target} HTTP/1.1\r\n`
  head.framing = head.framing === 'chunked' ? 'none' : head.framing
  head.upgrade = protocol
}
