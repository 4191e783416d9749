/** The forwarding fields of a trusted peer: taken out of its requests, because they are continued and not passed on as they are. */
import { trimmed } from './grammar.ts'

export interface ForwardedFields {
  /** X-Forwarded-For, several lines joined; '' if absent. */
  for: string
  /** Forwarded (RFC 7239), likewise. */
  forwarded: string
  /** The first X-Forwarded-Proto. */
  proto: string
  /** The unchanged lines of the forwarding fields other than X-Forwarded-For and X-Request-Id. */
  runs: string
  requestId: string
  has: { proto: boolean; host: boolean; port: boolean; realIp: boolean }
}

/** Adds the line from `start` to `end` (before its CRLF), a forwarding field by `isForwarding` of fields.ts. */
export function takeForwarded(
  known: ForwardedFields | null,
  text: string,
  start: number,
  colon: number,
  end: number,
): ForwardedFields {
  const forwarded = known ?? none()
  const value = trimmed(text, colon + 1, end)
  switch (text.slice(start, colon).toLowerCase()) {
    case 'x-forwarded-for':
      forwarded.for = forwarded.for === '' ? value : `${forwarded.for}, ${value}`
      return forwarded
    case 'x-request-id':
      forwarded.requestId ||= value
      return forwarded
    case 'forwarded':
      forwarded.forwarded = forwarded.forwarded === '' ? value : `${forwarded.forwarded},${value}`
      break
    case 'x-forwarded-proto':
      if (!forwarded.has.proto) forwarded.proto = value
      forwarded.has.proto = true
      break
    case 'x-forwarded-host':
      forwarded.has.host = true
      break
    case 'x-forwarded-port':
      forwarded.has.port = true
      break
    case 'x-real-ip':
      forwarded.has.realIp = true
      break
  }
  forwarded.runs += text.slice(start, end + 2)
  return forwarded
}

/** Of lines that are all forwarding fields; '' has none. */
export function readForwarded(lines: string): ForwardedFields | null {
  let forwarded: ForwardedFields | null = null
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf('\r', start)
    forwarded = takeForwarded(forwarded, lines, start, lines.indexOf(':', start), end)
    start = end + 2
  }
  return forwarded
}

function none(): ForwardedFields {
  return {
    for: '',
    forwarded: '',
    proto: '',
    runs: '',
    requestId: '',
    has: { proto: false, host: false, port: false, realIp: false },
  }
}
