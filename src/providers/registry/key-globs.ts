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

/** Whether a path is one of these. */
export function compileKeyGlobs(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map((glob) => new RegExp(`^${toPattern(glob)}$`, 's'))
  return (path) => patterns.some((one) => one.test(path))
}

function toPattern(glob: string): string {
  const segments = glob.split('/')
  return segments
    .map((segment, at) => {
      const isLast = at === segments.length - 1
      if (segment === '**') return isLast ? '.+' : '(?:[^/]+/)*'
      const text = segment.replace(/[\\^$.*+?()[\]{}|]/g, (char) =>
        char === '*' ? '[^/]*' : `\\${char}`,
      )
      return isLast ? text : `${text}/`
    })
    .join('')
}
