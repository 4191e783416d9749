/**
 * A path is matched and forwarded the same. Some paths have two readings (`/a/%2e%2e/b`, `/a//b`, `/a%2fb`): an origin
 * may take them for another path than the one that was matched, and so pass a rule by. A listener has one policy for
 * them: `reject` refuses, `normalize` rewrites them to their one reading before they are matched. Both write escaped
 * letters, digits and `-._~` plainly: that changes no reading.
 */
import type { PathPolicy } from '../model/snapshot.ts'

// Nothing in a path without these can have two readings.
const SUSPICIOUS = /[%\\]|\/[./]|;/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/
const NUL = /%00/
const SEPARATOR_ESCAPE = /%(?:2f|5c)/i
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?:[/;]|%3b|$)/i
const ESCAPE = /%[0-9A-Fa-f]{2}/g
const UNRESERVED = /[A-Za-z0-9._~-]/

export type PathVerdict = { path: string } | { refused: string }

/** The path to match and to forward, or why it is refused. `path` begins with a slash. */
export function applyPathPolicy(path: string, policy: PathPolicy): PathVerdict {
  if (!SUSPICIOUS.test(path)) return { path }
  if (BROKEN_ESCAPE.test(path)) return { refused: 'the path holds a broken escape' }
  if (NUL.test(path)) return { refused: 'the path holds an escaped NUL' }
  if (path.includes('%') && !isUtf8(path))
    return { refused: 'the path holds an escape that is not UTF-8' }
  return policy === 'reject' ? reject(path) : normalize(path)
}

function reject(path: string): PathVerdict {
  if (path.includes('\\')) return { refused: 'the path holds a backslash' }
  if (path.includes('//')) return { refused: 'the path holds an empty segment' }
  if (SEPARATOR_ESCAPE.test(path)) return { refused: 'the path holds an escaped separator' }
  if (DOT_SEGMENT.test(path)) return { refused: 'the path holds a dot segment' }
  return { path: canonicalEscapes(path) }
}

/** RFC 3986 section 6.2.2.2: an escaped letter is that letter, and a rule on /private is meant for /%70rivate too. */
function canonicalEscapes(path: string): string {
  return path.replace(ESCAPE, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return UNRESERVED.test(character) ? character : escape
  })
}

/** RFC 3986 section 6.2.2: case and escapes; then dot segments (5.2.4), empty segments merged. `%2F` stays escaped. */
function normalize(path: string): PathVerdict {
  const canonical = canonicalEscapes(path.replaceAll('\\', '/')).replace(ESCAPE, (escape) =>
    escape.toUpperCase(),
  )
  const segments: string[] = []
  const parts = canonical.split('/')
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1
    // `..;x` is a dot segment to servers that cut path parameters off.
    const name = part.split(/;|%3B/, 1)[0]
    if (name === '..') {
      if (segments.length === 0) return { refused: 'the path leaves the root' }
      segments.pop()
    } else if (part !== '' && name !== '.') {
      segments.push(part)
      continue
    }
    if (last) segments.push('')
  }
  return { path: '/' + segments.join('/') }
}

/** Whether the escapes of a path decode as UTF-8: overlong forms and lone surrogates do not. */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
