/**
 * Some paths have two readings (`/a/%2e%2e/b`, `/a//b`, `/a%2fb`): a server may take them for another path than the one that a
 * route was found by, and so pass a rule by. Every path is matched in its normalized reading; what is forwarded is the policy's
 * to say, the route's or else the listener's: `reject` refuses what has two readings, `normalize` forwards the reading that was
 * matched, `preserve` forwards the path as it was sent. Both do so only where escaped separators, decoded, lead to the same route.
 */
import type { PathPolicy } from '../model/snapshot.ts'

/** Of a path that is not forwarded the same by every policy, or not matched as it is written. */
export interface DoubtfulPath {
  /** As it was sent. */
  readonly written: string
  /** What routes compare. Begins with a slash. */
  readonly normalized: string
  /** The listener's, for routes without one of their own. */
  readonly policy: PathPolicy
  /** Its two readings, in words; null when it has one. */
  readonly doubt: string | null
  /** It has more `..` than segments before them. */
  readonly leavesRoot: boolean
}

export type PathVerdict = { readonly path: string } | { readonly refused: string }

// Nothing in a path without these can have two readings, or two spellings.
const SUSPICIOUS = /[%\\]|\/[./]|;/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/
const NUL = /%00/
const SEPARATOR_ESCAPE = /%(?:2f|5c)/i
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:[/;]|%3b|$)/i
const ESCAPE = /%[0-9A-Fa-f]{2}/g
const UNRESERVED = /[A-Za-z0-9._~-]/

/** Null: matched and forwarded as it is, by every policy. A text: why it is refused, by every policy. */
export function readPath(written: string, policy: PathPolicy): DoubtfulPath | string | null {
  if (!SUSPICIOUS.test(written)) return null
  if (BROKEN_ESCAPE.test(written)) return 'the path holds a broken escape'
  if (NUL.test(written)) return 'the path holds an escaped NUL'
  const doubt = doubtOf(written)
  const { path: normalized, leavesRoot } = normalize(written)
  if (doubt === null && normalized === written) return null
  return { written, normalized, policy, doubt, leavesRoot }
}

/** What is forwarded of a path by a policy. */
export function forwardedPath(path: DoubtfulPath, policy: PathPolicy): PathVerdict {
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

/** How servers read a path that decode escaped separators, all of them or one kind, before they look for segments. */
export function decodedReadings({ written }: DoubtfulPath): readonly string[] {
  if (!SEPARATOR_ESCAPE.test(written)) return NONE
  const readings = new Set([SEPARATORS, /%2f/gi, /%5c/gi].map((kind) => separated(written, kind)))
  return [...readings].map((reading) => normalize(reading).path)
}

const NONE: readonly string[] = []
const SEPARATORS = /%2f|%5c|\\/gi

/** As paths are compared: escaped letters, digits and `-._~` written plainly, other escapes in upper case. */
export function canonicalEscapes(text: string): string {
  return plainEscapes(text).replace(ESCAPE, (escape) => escape.toUpperCase())
}

/** RFC 3986 section 6.2.2.2: an escaped letter is that letter, and a rule on /private is meant for /%70rivate too. */
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
