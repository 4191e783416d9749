/** The functions of the route language: the subject of each, the number of its arguments, and how they are parsed. */
import { bracketedHost } from '../http/message/authority.ts'
import { canonicalEscapes } from '../http/message/path-policy.ts'
import { parseIp, parseNetwork } from '../model/ip.ts'
import { refuseId, TCHAR } from '../model/names.ts'
import type { Frontend } from '../model/snapshot.ts'
import type { Matcher, Subject } from './expression.ts'
import { foreignHost, foreignMethod, foreignPath, foreignRegexp } from './foreign.ts'
import { ANY, LABELS, type PatternElement, REST, parsePattern, patternText } from './pattern.ts'
import { compileRegexp } from '../policy/regexp.ts'

export interface RouteFunction {
  readonly subject: Subject
  /** The first argument names a header or a query parameter. */
  readonly named: boolean
  /** The number of values after the name. */
  readonly least: number
  readonly most: number
  /** For error messages. */
  readonly usage: string
  readonly read: ReadValue
}

/** If the text is invalid, it calls `refuse` with the reason; `refuse` throws. */
export type ReadValue = (text: string, refuse: Refuse) => Matcher
type Refuse = (message: string) => never

/** What a route is about: requests, or connections. */
export type RouteProtocol = Frontend['protocol']

const CLIENT_IP = anyOf('clientIp', 'ClientIP("address or block", ...)', readNetwork)
const LISTENER = one('listener', 'Listener("id")', readListener)

const OF_REQUESTS: ReadonlyMap<string, RouteFunction> = new Map([
  ['Host', anyOf('host', 'Host("name", ...)', readHost)],
  ['HostRegexp', anyOf('host', 'HostRegexp("expression", ...)', placeRegexp(true))],
  ['Path', anyOf('path', 'Path("/path", ...)', readPath)],
  ['PathPrefix', anyOf('path', 'PathPrefix("/path", ...)', readPrefix)],
  ['PathRegexp', anyOf('path', 'PathRegexp("expression", ...)', readPathRegexp)],
  ['Method', anyOf('method', 'Method("NAME", ...)', readMethod)],
  ['MethodRegexp', anyOf('method', 'MethodRegexp("expression", ...)', regexp(false))],
  ['Header', named('header', 1, 'Header("name", "value")', readHeader)],
  ['HeaderRegexp', named('header', 1, 'HeaderRegexp("name", "expression")', regexp(false))],
  ['Query', named('query', 0, 'Query("name") or Query("name", "value")', readQuery)],
  ['ClientIP', CLIENT_IP],
  ['Listener', LISTENER],
])

const OF_CONNECTIONS: ReadonlyMap<string, RouteFunction> = new Map([
  ['HostSNI', anyOf('host', 'HostSNI("name", ...)', readServerName)],
  ['HostSNIRegexp', anyOf('host', 'HostSNIRegexp("expression", ...)', readNameRegexp)],
  ['ALPN', anyOf('alpn', 'ALPN("protocol", ...)', readProtocol)],
  ['ClientIP', CLIENT_IP],
  ['Listener', LISTENER],
])

export const ROUTE_FUNCTIONS: Readonly<Record<RouteProtocol, ReadonlyMap<string, RouteFunction>>> =
  { http: OF_REQUESTS, tcp: OF_CONNECTIONS }

/** What to write instead of a function that is of the other protocol; null: it is of neither. */
export function elsewhere(name: string, protocol: RouteProtocol): string | null {
  if (protocol === 'http') {
    if (!OF_CONNECTIONS.has(name)) return null
    return `${name} routes connections, which needs "protocol: tcp"; a request is routed by Host("name") or HostRegexp("expression")`
  }
  if (!OF_REQUESTS.has(name)) return null
  const instead = name === 'HostRegexp' ? 'HostSNIRegexp("expression")' : 'HostSNI("name")'
  return name.startsWith('Host')
    ? `${name} is about requests; a tcp route has ${instead}, the server name of TLS`
    : `${name} is about requests, which a tcp route does not read; it has ${[...OF_CONNECTIONS.keys()].join(', ')}`
}

const TOKEN = new RegExp(`^${TCHAR}+$`)

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

function anyOf(subject: Subject, usage: string, read: ReadValue): RouteFunction {
  return { subject, named: false, least: 1, most: Infinity, usage, read }
}

function one(subject: Subject, usage: string, read: ReadValue): RouteFunction {
  return { subject, named: false, least: 1, most: 1, usage, read }
}

function named(subject: Subject, least: number, usage: string, read: ReadValue): RouteFunction {
  return { subject, named: true, least, most: 1, usage, read }
}

function regexp(caseInsensitive: boolean): ReadValue {
  return (text, refuse) => ({
    kind: 'regexp',
    text,
    regexp: compileRegexp(text, caseInsensitive, refuse),
  })
}

/** For a host or a path. */
function placeRegexp(caseInsensitive: boolean): ReadValue {
  const read = regexp(caseInsensitive)
  return (text, refuse) => {
    const hint = foreignRegexp(text)
    if (hint !== null) refuse(`the expression "${text}" can never match: ${hint}`)
    return read(text, refuse)
  }
}

function readPathRegexp(text: string, refuse: Refuse): Matcher {
  const upperCase = text.replace(/%[0-9A-Fa-f]{2}/g, (escape) => escape.toUpperCase())
  return placeRegexp(false)(upperCase, refuse)
}

function readHost(text: string, refuse: Refuse): Matcher {
  if (NOT_ASCII.test(text)) refuse(`the host "${text}" is not ASCII; write it in its "xn--" form`)
  if (text.startsWith('[')) return readAddress(text, refuse)
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  const [wildcard = ''] = /^\*{1,2}\.(?=.)/.exec(name) ?? []
  const rest = name.slice(wildcard.length)
  const bare = rest.replace(/<[^>]*>/g, 'x')
  const hint = foreignHost(bare)
  if (hint !== null) refuse(`the host "${text}" can never match: ${hint}`)
  if (bare.includes(':')) {
    refuse(`the host "${text}" must have no port, and brackets when it is an IPv6 address`)
  }
  const elements = parsePattern(rest, '.', refuse)
  if (elements.includes(REST)) {
    refuse('"<path:name>" is for paths; "<name>" stands for one label of a host')
  }
  if (!HOST.test(bare)) {
    refuse(`the host "${text}" can never match: it is no name of letters, digits, ".", "-" and "_"`)
  }
  if (wildcard === '**.' && elements.length !== 1) {
    refuse(`the host "${text}" has a pattern behind "**."; only a plain name can follow it`)
  }
  return literalOrPattern(withWildcard(wildcard, elements).map(toLowerCase), '.')
}

// As http/message/authority.ts reads hosts. A request without a host has ''.
const HOST = /^(?:[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*)?$/

function readAddress(text: string, refuse: Refuse): Matcher {
  const host = text.includes('%') ? null : bracketedHost(text)
  if (host === null) refuse(`the host "${text}" can never match: it is no IPv6 address in brackets`)
  return literalOrPattern([host], '.')
}

function withWildcard(
  wildcard: string,
  [first = '', ...more]: readonly PatternElement[],
): PatternElement[] {
  if (wildcard === '') return [first, ...more]
  const labels = wildcard === '*.' ? ANY : LABELS
  return typeof first === 'string' ? [labels, `.${first}`, ...more] : [labels, '.', first, ...more]
}

function toLowerCase(element: PatternElement): PatternElement {
  return typeof element === 'string' ? element.toLowerCase() : element
}

function readPath(text: string, refuse: Refuse): Matcher {
  return literalOrPattern(parsePattern(checkedPath(text, refuse), '/', refuse), '/')
}

function readPrefix(text: string, refuse: Refuse): Matcher {
  const path = checkedPath(text, refuse)
  if (path.includes('<')) {
    refuse('PathPrefix takes no patterns; use Path with "<path:name>" at its end')
  }
  return { kind: 'prefix', text: path }
}

/** In the form in which the paths of requests are compared: see http/message/path-policy.ts. */
function checkedPath(text: string, refuse: Refuse): string {
  const hint = foreignPath(text.replace(/<[^>]*>/g, 'x'))
  if (hint !== null) refuse(`the path "${text}" can never match: ${hint}`)
  if (!text.startsWith('/')) refuse(`the path "${text}" must begin with "/"`)
  if (NOT_ASCII.test(text)) refuse(`the path "${text}" is not ASCII; write it with "%" escapes`)
  if (text.includes('?')) refuse(`the path "${text}" holds a query; use Query("name", "value")`)
  if (/[\x00-\x20#\x7f]/.test(text)) {
    refuse(`the path "${text}" can never match: write blanks, "#" and controls with "%" escapes`)
  }
  return canonicalEscapes(text)
}

// Hosts and paths of requests are escaped, so such characters never match.
const NOT_ASCII = /[^\x00-\x7f]/

/** A name as in `Host`, or `*` for connections with any name or none. */
function readServerName(text: string, refuse: Refuse): Matcher {
  if (text === '*') return { kind: 'present', text: '' }
  if (text === '**') refuse('write HostSNI("*") for every connection')
  // RFC 6066 section 3.
  if (text === '' || text.startsWith('[') || parseIp(text) !== null)
    refuse(`the server name "${text}" can never match: TLS sends names only, no addresses`)
  return readHost(text, ofServerName(refuse))
}

function readNameRegexp(text: string, refuse: Refuse): Matcher {
  return placeRegexp(true)(text, ofServerName(refuse))
}

/** Hints of `Host`, with the functions of tcp routes. */
function ofServerName(refuse: Refuse): Refuse {
  return (message) => refuse(message.replace(/\bHost(?=(?:Regexp)?\()/g, 'HostSNI'))
}

/** RFC 7301: 1 to 255 bytes, registered ones are ASCII. */
function readProtocol(text: string, refuse: Refuse): Matcher {
  if (!/^[\x21-\x7e]{1,255}$/.test(text))
    refuse(`"${text}" is no protocol of ALPN, expected one like "h2" or "postgresql"`)
  return { kind: 'literal', text }
}

function readMethod(text: string, refuse: Refuse): Matcher {
  const hint = foreignMethod(text)
  if (hint !== null) refuse(`the method "${text}" can never match: ${hint}`)
  return literalOrPattern(parsePattern(text, '', refuse), '')
}

function readHeader(text: string, refuse: Refuse): Matcher {
  return literalOrPattern(parsePattern(text, '/', refuse), '/')
}

function readQuery(text: string): Matcher {
  return { kind: 'literal', text }
}

function readNetwork(text: string, refuse: Refuse): Matcher {
  const fault = networkFault(text)
  if (fault !== null) refuse(fault)
  return { kind: 'network', text }
}

/** What is wrong with an address or block, or null. */
function networkFault(text: string): string | null {
  if (parseNetwork(text) !== null) return null
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  if (parseNetwork(address) === null) {
    return `"${text}" is no address and no block, expected one like "10.0.0.0/8" or "2001:db8::/32"`
  }
  const longest = address.includes(':') ? 128 : 32
  return `"${text}" has no valid prefix length, expected 0 to ${longest}`
}

// A text that is not a valid id can name no listener.
function readListener(text: string, refuse: Refuse): Matcher {
  const fault = refuseId(text)
  if (fault !== null) refuse(fault)
  return { kind: 'literal', text }
}

function literalOrPattern(elements: readonly PatternElement[], separator: string): Matcher {
  const [first = ''] = elements
  if (elements.length <= 1 && typeof first === 'string') return { kind: 'literal', text: first }
  return { kind: 'pattern', text: patternText(elements), elements, separator }
}
