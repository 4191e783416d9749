/**
 * Header fields are kept as *runs* of the original text: lines `Name: value CRLF`, byte for byte as latin1. This file reads and
 * edits such text; the walks over whole heads are in request-head.ts and response-head.ts. A line contains no CR but the
 * one at its end, so the search is for CR: V8 has a fast search for a single character only.
 */
import { isNamed, trimmed } from './grammar.ts'

/**
 * RFC 9110 section 7.6.1: fields that Connection names are for this hop only. These are kept all the same: a client must not be
 * able to remove identity, framing or routing from a request by naming them there.
 */
const PROTECTED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'cache-control',
  'proxy-status',
])

/** Fields that a trailer must not carry, besides forwarding fields: framing, routing, authentication, hop-by-hop (RFC 9110 section 6.5.1). */
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

/**
 * Hop-by-hop fields (RFC 9110 section 7.6.1) and those that frame the body: removed from a request's text when its head is read,
 * and generated again when it is sent.
 */
const OF_THE_HOP: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export function isOfTheHop(name: string): boolean {
  return OF_THE_HOP.has(name)
}

/**
 * Whether a field (name in lower case) is a forwarding field, which only a trusted peer may set, or a look-alike that some servers
 * read as one (`x_forwarded_for`).
 */
export function isForwarding(name: string): boolean {
  const first = name.charCodeAt(0)
  if (first === F) return name === 'forwarded'
  if (first === C) return CLIENT_CERTIFICATE.has(name.replaceAll('_', '-'))
  if (first !== X) return false
  const plain = name.replaceAll('_', '-')
  return plain.startsWith('x-forwarded-') || plain === 'x-real-ip' || plain === 'x-request-id'
}

/** RFC 9440: the certificate that a client showed to the proxy in front of a server. */
const CLIENT_CERTIFICATE: ReadonlySet<string> = new Set(['client-cert', 'client-cert-chain'])

const COLON = 58
const C = 99
const F = 102
const X = 120

/** Calls back with the start of each line, its colon and its end (before CRLF). */
function eachField(
  fields: string,
  visit: (start: number, colon: number, end: number) => void,
): void {
  let start = 0
  while (start < fields.length) {
    const end = fields.indexOf('\r', start)
    visit(start, fields.indexOf(':', start), end)
    start = end + 2
  }
}

/** The fields that `keep` accepts, by lower-case name. */
function filterFields(fields: string, keep: (name: string) => boolean): string {
  let kept = ''
  eachField(fields, (start, colon, end) => {
    if (keep(fields.slice(start, colon).toLowerCase())) kept += fields.slice(start, end + 2)
  })
  return kept
}

/**
 * The value of a field (name in lower case), with several lines joined to one list (RFC 9110 section 5.3); undefined if there is
 * none.
 */
export function fieldValue(fields: string, name: string): string | undefined {
  let at = lineOf(fields, name, 0)
  if (at < 0) return undefined
  let value = valueAt(fields, at)
  while ((at = lineOf(fields, name, at + 1)) >= 0) value += separatorOf(name) + valueAt(fields, at)
  return value
}

/** The values of two fields, as `fieldValue` returns them, in one pass. */
export function twoFieldValues(
  fields: string,
  first: string,
  second: string,
): { readonly first: string | undefined; readonly second: string | undefined } {
  const values: { first: string | undefined; second: string | undefined } = {
    first: undefined,
    second: undefined,
  }
  let start = 0
  while (start < fields.length) {
    const end = fields.indexOf('\r', start)
    if (isLineOf(fields, start, first)) {
      values.first = joined(values.first, first, trimmed(fields, start + first.length + 1, end))
    } else if (isLineOf(fields, start, second)) {
      values.second = joined(values.second, second, trimmed(fields, start + second.length + 1, end))
    }
    start = end + 2
  }
  return values
}

function isLineOf(fields: string, start: number, name: string): boolean {
  const colon = start + name.length
  return (
    (fields.charCodeAt(start) | 32) === name.charCodeAt(0) &&
    fields.charCodeAt(colon) === COLON &&
    isNamed(fields, start, colon, name)
  )
}

function joined(list: string | undefined, name: string, value: string): string {
  return list === undefined ? value : list + separatorOf(name) + value
}

export function hasField(fields: string, name: string): boolean {
  return lineOf(fields, name, 0) >= 0
}

/**
 * Whether a field's value passes the test: the value of one of its lines, or of all lines as one list. A missing field has the
 * value ''.
 */
export function fieldHolds(
  fields: string,
  name: string,
  test: (value: string) => boolean,
): boolean {
  let at = lineOf(fields, name, 0)
  if (at < 0) return test('')
  let list = valueAt(fields, at)
  if (test(list)) return true
  let isList = false
  while ((at = lineOf(fields, name, at + 1)) >= 0) {
    const value = valueAt(fields, at)
    if (test(value)) return true
    list += separatorOf(name) + value
    isList = true
  }
  return isList && test(list)
}

/** Cookies are no comma-separated list (RFC 9113 section 8.2.3). */
function separatorOf(name: string): string {
  return name === 'cookie' ? '; ' : ', '
}

/** The begin of the field's next line at or after `from`; -1: none. */
function lineOf(fields: string, name: string, from: number): number {
  let start = from === 0 ? 0 : afterLine(fields, from)
  while (start < fields.length) {
    const colon = fields.indexOf(':', start)
    if (colon - start === name.length && fields.slice(start, colon).toLowerCase() === name)
      return start
    start = afterLine(fields, start)
  }
  return -1
}

function afterLine(fields: string, at: number): number {
  return fields.indexOf('\r', at) + 2
}

/** The value of the line that begins there. */
function valueAt(fields: string, start: number): string {
  return trimmed(fields, fields.indexOf(':', start) + 1, fields.indexOf('\r', start))
}

export function withoutFields(fields: string, names: ReadonlySet<string>): string {
  return filterFields(fields, (name) => !names.has(name))
}

/** Removes the fields that a Connection value names (a lower-case, comma-separated list). */
export function withoutConnectionOptions(fields: string, connection: string): string {
  const named = new Set<string>()
  for (const part of connection.split(',')) {
    const name = part.trim()
    if (!PROTECTED.has(name) && !isForwarding(name)) named.add(name)
  }
  return withoutFields(fields, named)
}

/** Trailer fields that may be passed on. */
export function safeTrailers(trailers: string): string {
  if (trailers === '') return ''
  // Some servers read `_` as `-`.
  return filterFields(trailers, (name) => {
    const plain = name.replaceAll('_', '-')
    return !NOT_IN_TRAILERS.has(plain) && !isForwarding(plain)
  })
}

/** Whether a comma-separated list holds a token; case is ignored. */
export function listHolds(list: string, token: string): boolean {
  for (const part of list.split(',')) if (part.trim().toLowerCase() === token) return true
  return false
}

/** Removes from a value all that could split a message. */
export function safeValue(value: string): string {
  return value.replace(/[^\t -~\x80-\xff]/g, '')
}
