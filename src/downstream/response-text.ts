/** The text of a response's head for an HTTP/1 client. Framing is generated, never copied. */
import type { ResponseHead } from '../http/message/response-head.ts'

export interface ResponseText {
  readonly text: string
  /** The body is sent chunked. */
  readonly chunked: boolean
  /** The connection ends after this response. */
  readonly closing: boolean
  /** The body must not be sent (205). */
  readonly dropsBody: boolean
}

/** `minorVersion` is the client's; `closing` whether the connection ends anyway. */
export function responseText(
  head: ResponseHead,
  minorVersion: number,
  keptAlive: boolean,
): ResponseText {
  let closing = !keptAlive
  let chunked = false
  let framing = ''
  const dropsBody = head.status === 205
  if (dropsBody) {
    framing = 'Content-Length: 0\r\n'
  } else if (head.framing === 'length' || head.framing === 'none') {
    if (head.length >= 0) framing = `Content-Length: ${head.length}\r\n`
  } else if (minorVersion === 1) {
    chunked = true
    framing = `${head.trailerLine}Transfer-Encoding: chunked\r\n`
  } else {
    // For HTTP/1.0 only the end of the connection ends such a body.
    closing = true
  }
  let connection = closing ? 'close' : minorVersion === 0 ? 'keep-alive' : ''
  if (head.status === 426 && head.upgrade !== '') {
    // RFC 9110 section 15.5.22: the required protocols; section 7.8: Connection lists the field.
    framing += `Upgrade: ${head.upgrade}\r\n`
    connection = connection === '' ? 'Upgrade' : `${connection}, Upgrade`
  }
  if (connection !== '') framing += `Connection: ${connection}\r\n`
  const text = `${head.line}${head.fields}${framing}\r\n`
  return { text, chunked, closing, dropsBody }
}
