/**
 * Rewrites the URL of a request, `scheme://authority/path?query`, with a regular expression of RE2. All matches are replaced, as
 * Go's ReplaceAllString does it.
 */
import type { RE2JS } from 're2js'
import type { Exchange } from '../../http/exchange.ts'
import { expand, OF_THE_RULE, type Append, type Piece } from './replacement.ts'

/**
 * Of a regexp's program: each match may compare the rest of the URL with each of its steps, so that their product bounds the time of
 * a URL (some 50 ms at the worst).
 */
const MOST_COMPARISONS = 2_000_000
/** A rule with more could not rewrite URLs of 2,000 characters. */
export const MOST_STEPS = 1000

export interface Rewritten {
  readonly url: string
  /**
   * Its host has no character but those of the rule and of the request's own host. Else a path or a header could lead a client to
   * any site.
   */
  readonly keepsHost: boolean
}

/** A part of the result, and where in the input it begins (or one of the constants of replacement.ts). */
interface Part {
  readonly end: number
  readonly from: number
}

/** The URL as vulcand's rules see it. */
export function urlOf({ clientScheme, to }: Exchange): string {
  return `${clientScheme}://${to.authority}${to.target}`
}

/** Null: the regexp is not found. `too costly`: the URL is too long for it, or it is found too often. */
export function rewriteUrl(
  regexp: RE2JS,
  pieces: readonly Piece[],
  exchange: Exchange,
): Rewritten | 'too costly' | null {
  const input = urlOf(exchange)
  // Without groups, so that a URL that does not concern the rule costs little.
  if (!regexp.test(input)) return null
  const steps = regexp.programSize()
  let comparisons = 0
  const isAffordable = (from: number): boolean => {
    comparisons += steps * (input.length - from + 1)
    return comparisons <= MOST_COMPARISONS
  }
  if (!isAffordable(0)) return 'too costly'
  const matcher = regexp.matcher(input)
  if (!matcher.find()) return null
  let url = ''
  const parts: Part[] = []
  const append: Append = (text, from) => {
    if (text === '') return
    url += text
    parts.push({ end: url.length, from })
  }
  let copied = 0
  do {
    const [start, end] = [matcher.start(), matcher.end()]
    // An empty match behind another one is none, as in Go.
    if (start !== end || start !== copied || copied === 0) {
      append(input.slice(copied, start), copied)
      expand(pieces, matcher, exchange, append)
      copied = end
    }
    if (!isAffordable(end)) return 'too costly'
  } while (matcher.find())
  append(input.slice(copied), copied)
  const hostEnd = exchange.clientScheme.length + '://'.length + exchange.to.authority.length
  return { url, keepsHost: keepsHost(url, parts, hostEnd) }
}

const AUTHORITY = /^https?:\/\/([\w.~:[\]-]+)(?=[/?#]|$)/i
/** Two slashes would begin a host. */
const PATH = /^\/(?![/\\])/

/** `hostEnd`: where the authority of the input ends. */
function keepsHost(url: string, parts: readonly Part[], hostEnd: number): boolean {
  const [whole] = AUTHORITY.exec(url) ?? []
  if (whole === undefined) return PATH.test(url)
  let start = 0
  for (const { end, from } of parts) {
    if (start >= whole.length) break
    const inHost = Math.min(end, whole.length) - start
    const isOwn = from === OF_THE_RULE || (from >= 0 && from + inHost <= hostEnd)
    if (!isOwn) return false
    start = end
  }
  return true
}
