/**
 * The location of a redirect: a URL or a path with placeholders for parts of the request, `https://{host}/new{path}?{query}`. A
 * client must not be able to choose another host: only {scheme}, {host} and {port} may come before the path, and the grammar
 * of these allows few characters.
 */
import { portOf } from '../http/message/authority.ts'
import type { Destination } from '../http/message/target.ts'

/** What the placeholders are replaced with. */
export interface RedirectedRequest {
  readonly to: Destination
  readonly clientScheme: 'http' | 'https'
}

/** Null: the request names no host, and the redirect needs one. */
export type Location = (request: RedirectedRequest) => string | null

type Placeholder = 'scheme' | 'host' | 'port' | 'path' | 'query' | 'uri'
type Piece = { readonly text: string } | { readonly placeholder: Placeholder }

const PLACEHOLDERS: readonly string[] = ['scheme', 'host', 'port', 'path', 'query', 'uri']
const KNOWN = PLACEHOLDERS.map((name) => `{${name}}`).join(', ')
const OF_THE_PATH: readonly string[] = ['path', 'query', 'uri']

// Visible ASCII, which needs no encoding in a field. `//host` would be another host.
const LOCATION = /^(?:https?:\/\/[^/\s]+|\/(?!\/))[!-~]*$/i
const AUTHORITY = /^(?:https?|\{scheme\}):\/\/((?:[^/?#{]|\{(?!path\}|uri\}|query\})[^}]*\})*)/i
const HOST_AND_PORT = /^[\w.~-]*(?:\{host\}[\w.~-]*)?(?::(?:\d+|\{port\}))?$/

/** Why it is not allowed, or null. */
export function refuseLocation(to: string): string | null {
  const pieces = readPieces(to)
  if (typeof pieces === 'string') return pieces
  const [whole, authority] = AUTHORITY.exec(to) ?? []
  if (whole === undefined || authority === undefined) {
    return LOCATION.test(sampleOf(pieces)) && /^\/|^\{(?:path|uri)\}/.test(to)
      ? null
      : 'must be an http(s) url or a path'
  }
  if (authority.includes('$')) return `has a "$" in the name of the host; there are ${KNOWN}`
  if (/[{}]/.test(authority) && !HOST_AND_PORT.test(authority)) {
    return 'must have {host} once in the name of the host, and {port} only behind its ":"'
  }
  if (to.startsWith('{query}', whole.length)) return 'must have a path before {query}'
  return LOCATION.test(sampleOf(pieces)) ? null : 'must be an http(s) url or a path'
}

/** Whether it has placeholders for the path or the query. */
export function namesPath(to: string): boolean {
  const pieces = readPieces(to)
  return (
    typeof pieces !== 'string' &&
    pieces.some((piece) => 'placeholder' in piece && OF_THE_PATH.includes(piece.placeholder))
  )
}

/** Compiles a location that was not refused. */
export function compileLocation(to: string): Location {
  const pieces = readPieces(to)
  if (typeof pieces === 'string') throw new Error(`a redirect was admitted: ${pieces}`)
  if (pieces.every((piece) => 'text' in piece)) return () => to
  const needsHost = to.includes('{host}')
  const staysHere = !AUTHORITY.test(to)
  return (request) => {
    if (needsHost && request.to.host === '') return null
    let location = ''
    for (const piece of pieces) {
      location += 'text' in piece ? piece.text : valueOf(piece.placeholder, request)
    }
    // The query may be empty.
    if (location.endsWith('?')) location = location.slice(0, -1)
    return staysHere ? withoutHost(location) : location
  }
}

/** Browsers read two slashes (or backslashes) at the beginning as the start of a host. */
export function withoutHost(path: string): string {
  return path.replace(/^[/\\]{2,}/, '/')
}

function readPieces(to: string): readonly Piece[] | string {
  const pieces: Piece[] = []
  let at = 0
  while (at < to.length) {
    const open = to.indexOf('{', at)
    const text = to.slice(at, open < 0 ? to.length : open)
    if (text.includes('}')) return 'has a "}" that no "{" opens; in a url it is written %7D'
    if (text !== '') pieces.push({ text })
    if (open < 0) break
    const close = to.indexOf('}', open)
    if (close < 0) return 'has a "{" that no "}" closes; in a url it is written %7B'
    const name = to.slice(open + 1, close)
    if (!isPlaceholder(name)) {
      return `has the unknown placeholder "{${name}}"; there are ${KNOWN}`
    }
    pieces.push({ placeholder: name })
    at = close + 1
  }
  return pieces
}

function isPlaceholder(name: string): name is Placeholder {
  return PLACEHOLDERS.includes(name)
}

function valueOf(placeholder: Placeholder, { to, clientScheme }: RedirectedRequest): string {
  switch (placeholder) {
    case 'scheme':
      return clientScheme
    case 'host':
      return to.host
    case 'port':
      return portOf(to.authority, clientScheme)
    case 'path':
      return pathOf(to)
    case 'query':
      return to.query
    case 'uri':
      return to.target === '*' ? '/' : to.target
    default:
      return placeholder satisfies never
  }
}

/** The path as it is forwarded. `*` (OPTIONS) is not a path. */
function pathOf({ target }: Destination): string {
  if (target === '*') return '/'
  const mark = target.indexOf('?')
  return mark < 0 ? target : target.slice(0, mark)
}

function sampleOf(pieces: readonly Piece[]): string {
  return pieces.map((piece) => ('text' in piece ? piece.text : SAMPLES[piece.placeholder])).join('')
}

const SAMPLES: Readonly<Record<Placeholder, string>> = {
  scheme: 'https',
  host: 'a',
  port: '443',
  path: '/a',
  query: 'a=b',
  uri: '/a?a=b',
}
