/** Patterns of keys below a prefix: `*` is any text within a segment, `**` any number of segments: `hosts/**`. */
import { type Scalar, bad, good, quote } from '../../model/parsed.ts'

const MAX_LENGTH = 256
/** Each `**` may multiply the steps of a match. */
const MAX_DEEP = 3

/** Returns the pattern without a leading slash. */
export function parseKeyGlob(value: unknown): Scalar<string> {
  if (typeof value !== 'string') return bad(`must be text, not ${quote(value)}`)
  const glob = value.replace(/^\//, '')
  const segments = glob.split('/')
  if (glob.length > MAX_LENGTH || segments.includes('')) {
    return bad(`must be keys below the prefix, such as "hosts/**", not ${quote(value)}`)
  }
  if (segments.some((one) => one !== '**' && one.includes('**'))) {
    return bad(`"**" must be a whole segment, as in "hosts/**", not ${quote(value)}`)
  }
  const deep = segments.filter((one) => one === '**').length
  return deep > MAX_DEEP ? bad(`must have at most ${MAX_DEEP} "**"`) : good(glob)
}

/** Whether a path is one of these. Not by regular expressions, whose time may explode with the stars of a segment. */
export function compileKeyGlobs(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map((glob) => glob.split('/'))
  return (path) => {
    const segments = path.split('/')
    return patterns.some((pattern) => matches(pattern, 0, segments, 0))
  }
}

/** `**` is any number of segments, and at least one at the end. */
function matches(
  pattern: readonly string[],
  from: number,
  segments: readonly string[],
  at: number,
): boolean {
  for (; from < pattern.length; from++, at++) {
    const one = pattern[from] ?? ''
    if (one !== '**') {
      const segment = segments[at]
      if (segment === undefined || !matchesSegment(one, segment)) return false
      continue
    }
    if (from === pattern.length - 1) return at < segments.length
    for (let skip = at; skip < segments.length; skip++) {
      if (matches(pattern, from + 1, segments, skip)) return true
    }
    return false
  }
  return at === segments.length
}

/** Each part as early as possible, the last one at the end. */
function matchesSegment(pattern: string, segment: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return segment === first
  if (!segment.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = segment.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return segment.length - at >= last.length && segment.endsWith(last)
}
