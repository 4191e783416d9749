/**
 * Some paths are ambiguous (`/a/%2e%2e/b`, `/a//b`, `/a%2fb`): a server may read another path than the one that the route matched,
 * which bypasses rules. Every path is matched in its normalized form. What is forwarded depends on the policy of the route, or
 * else of the listener: `reject` refuses ambiguous paths, `normalize` forwards the normalized path, `preserve` forwards the path
 * as it was sent. The latter two require that the path with its escaped separators decoded matches the same route.
 */
import type { PathPolicy } from '../../model/snapshot.ts'

/** A path that is not forwarded the same by every policy, or not matched as it was sent. */
export interface AmbiguousPath {
  /** As it was sent. */
  readonly written: string
  /** The normalized path, which routes match. Begins with a slash. */
  readonly normalized: string
  /** The listener's policy, for routes without their own. */
  readonly policy: PathPolicy
  /** Why it is ambiguous, as a message; null if it is not. */
  readonly doubt: string | null
  /** It has more `..` than segments before them. */
  readonly leavesRoot: boolean
}

export type PathDecision = { readonly path: string } | { readonly refused: string }

// A path without any of these has one reading and one spelling.
const SUSPICIOUS = /[%\\]|\/[./]|;/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/
const NUL = /%00/
const SEPARATOR_ESCAPE = /%(?:2f|5c)/i
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:[/;]|%3b|$)/i
const ESCAPE = /%[0-9A-Fa-f]{2}/g
const UNRESERVED = /[A-Za-z0-9._~-]/

/** Null: matched and forwarded as it is by every policy. A string: why every policy refuses it. */
export function readPath(written: string, policy: PathPolicy): AmbiguousPath | string | null {
  if (!SUSPICIOUS.test(written)) return null
  if (BROKEN_ESCAPE.test(written)) return 'the path holds a broken escape'
  if (NUL.test(written)) return 'the path holds an escaped NUL'
  const doubt = doubtOf(written)
  const { path: normalized, leavesRoot } = normalize(written)
  if (doubt === null && normalized === written) return null
  return { written, normalized, policy, doubt, leavesRoot }
}

/** What is forwarded of a path by a policy. */
export function forwardedPath(path: AmbiguousPath, policy: PathPolicy): PathDecision {
  switch (policy) {
    case 'reject':
      return path.doubt === null
        ? { path: plainEscapes(path.written) }
        : { refused: `the path holds ${path.doubt}` }
    case 'normalize':
      return path.leavesRoot ? { refused: 'the path leaves the root' } : { path: path.normalized }
    case 'preserve': {
      if (path.written.includes('\\')) return { refused: 'the path holds a backslash' }
      return DOT_SEGMENT.test(separated(path.written))
        ? { refused: 'the path holds a dot segment' }
        : { path: path.written }
    }
    default:
      return policy satisfies never
  }
}

/** The paths that servers see if they decode escaped separators, all or one kind, before they split the path. */
export function decodedReadings({ written }: AmbiguousPath): readonly string[] {
  if (!SEPARATOR_ESCAPE.test(written)) return NONE
  const readings = new Set([SEPARATORS, /%2f/gi, /%5c/gi].map((kind) => separated(written, kind)))
  return [...readings].map((reading) => normalize(reading).path)
}

const NONE: readonly string[] = []
const SEPARATORS = /%2f|%5c|\\/gi

/** The form in which paths are compared: unreserved characters unescaped, other escapes in upper case. */
export function canonicalEscapes(text: string): string {
  return plainEscapes(text).replace(ESCAPE, (escape) => escape.toUpperCase())
}

/** RFC 3986 section 6.2.2.2: an escaped letter is that letter, so that a rule on /private applies to /%70rivate, too. */
function plainEscapes(text: string): string {
  return text.replace(ESCAPE, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return UNRESERVED.test(character) ? character : escape
  })
}

function separated(path: string, kind = SEPARATORS): string {
  return path.replace(kind, '/')
}

function doubtOf(path: string): string | null {
  if (path.includes('\\')) return 'a backslash'
  if (path.includes('//')) return 'an empty segment'
  if (SEPARATOR_ESCAPE.test(path)) return 'an escaped separator'
  return DOT_SEGMENT.test(path) ? 'a dot segment' : null
}

/** RFC 3986 section 6.2.2: case and escapes; then dot segments (5.2.4), empty segments merged. `%2F` stays escaped. */
function normalize(path: string): { path: string; leavesRoot: boolean } {
  const segments: string[] = []
  const parts = canonicalEscapes(path.replaceAll('\\', '/')).split('/')
  let leavesRoot = false
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1
    // `..;x` is a dot segment to servers that cut path parameters off.
    const name = part.split(/;|%3B/, 1)[0]
    if (name === '..') {
      if (segments.pop() === undefined) leavesRoot = true
    } else if (part !== '' && name !== '.') {
      segments.push(part)
      continue
    }
    if (last) segments.push('')
  }
  return { path: '/' + segments.join('/'), leavesRoot }
}
