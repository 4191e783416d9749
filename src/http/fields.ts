/**
 * Header fields are kept as *runs* of the original text: lines `Name: value CRLF`, byte for byte as latin1. What follows
 * reads and edits such text; the walks over whole heads stand in request-head.ts and answer-head.ts.
 */
import { trimmed } from './grammar.ts'

/**
 * RFC 9110 section 7.6.1: what Connection names is for this hop only. But not these: a client must not be able to take
 * identity, framing or routing away from a request by naming them there.
 */
const PROTECTED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'forwarded',
  'cache-control',
  'x-real-ip',
  'x-request-id',
  'proxy-status',
])

/** Fields that a trailer must not carry: framing, routing, authentication, hop-by-hop (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  ...PROTECTED,
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'range',
  'max-forwards',
  'content-encoding',
  'content-type',
  'content-range',
  'www-authenticate',
  'location',
  'age',
  'date',
  'expires',
  'vary',
])

/** Calls back with the start of each line, its colon and its end (before CRLF). */
function eachField(
  fields: string,
  visit: (start: number, colon: number, end: number) => void,
): void {
  let start = 0
  while (start < fields.length) {
    const end = fields.indexOf('\r\n', start)
    visit(start, fields.indexOf(':', start), end)
    start = end + 2
  }
}

/** The fields that `keep` does not refuse, by lower-case name. */
function filterFields(fields: string, keep: (name: string) => boolean): string {
  let kept = ''
  eachField(fields, (start, colon, end) => {
    if (keep(fields.slice(start, colon).toLowerCase())) kept += fields.slice(start, end + 2)
  })
  return kept
}

/** The first value of a field (name in lower case), or undefined. */
export function fieldValue(fields: string, name: string): string | undefined {
  let start = 0
  while (start < fields.length) {
    const end = fields.indexOf('\r\n', start)
    const colon = fields.indexOf(':', start)
    if (colon - start === name.length && fields.slice(start, colon).toLowerCase() === name) {
      return trimmed(fields, colon + 1, end)
    }
    start = end + 2
  }
  return undefined
}

export function withoutFields(fields: string, names: ReadonlySet<string>): string {
  return filterFields(fields, (name) => !names.has(name))
}

/** Takes out what a Connection value names (a lower-case, comma-separated list). */
export function withoutConnectionOptions(fields: string, connection: string): string {
  const named = new Set<string>()
  for (const part of connection.split(',')) {
    const name = part.trim()
    if (!PROTECTED.has(name) && !name.startsWith('x-forwarded-')) named.add(name)
  }
  return withoutFields(fields, named)
}

/** Trailer fields that may be passed on. */
export function safeTrailers(trailers: string): string {
  if (trailers === '') return ''
  // Some servers read `_` as `-`.
  return filterFields(trailers, (name) => {
    const plain = name.replaceAll('_', '-')
    return !NOT_IN_TRAILERS.has(plain) && !plain.startsWith('x-forwarded-')
  })
}

/** Whether a comma-separated list holds a token, whatever its case. */
export function listHolds(list: string, token: string): boolean {
  for (const part of list.split(',')) if (part.trim().toLowerCase() === token) return true
  return false
}

/** A value made from input, safe to write: what could split a message is refused by leaving it out. */
export function safeValue(value: string): string {
  return value.replace(/[^\t -~\x80-\xff]/g, '')
}
