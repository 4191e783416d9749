/** A parsed route: terms joined by `&&`, `||` and `!`. A term holds if any of its values matches. */
import type { RE2JS } from 're2js'
import type { PatternElement } from './pattern.ts'
import { matchesPattern } from './pattern.ts'

export type Expression =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Expression[] }
  | { readonly kind: 'not'; readonly term: Expression }
  | Term

export interface Term {
  readonly kind: 'term'
  readonly subject: Subject
  /** The header's name in lower case, or the query parameter's; '' for other subjects. */
  readonly name: string
  readonly values: readonly Matcher[]
}

/** `host` is that of a request, or the server name of a connection. */
export type Subject =
  'host' | 'path' | 'method' | 'listener' | 'header' | 'query' | 'clientIp' | 'alpn'

/** What a value is compared with. `text` is the same for every spelling of the same comparison. */
export type Matcher =
  | { readonly kind: 'literal'; readonly text: string }
  | {
      readonly kind: 'pattern'
      readonly text: string
      readonly elements: readonly PatternElement[]
      readonly separator: string
    }
  | { readonly kind: 'prefix'; readonly text: string }
  | { readonly kind: 'regexp'; readonly text: string; readonly regexp: RE2JS }
  /** An address or CIDR block, of ClientIP only. */
  | { readonly kind: 'network'; readonly text: string }
  /** Any value at all: of Query, and as `*` of HostSNI. */
  | { readonly kind: 'present'; readonly text: '' }

export type TextMatcher = Exclude<Matcher, { kind: 'network' | 'present' }>

export function matchesText(matcher: TextMatcher, text: string): boolean {
  switch (matcher.kind) {
    case 'literal':
      return text === matcher.text
    case 'prefix':
      return hasPathPrefix(text, matcher.text)
    case 'pattern':
      return matchesPattern(matcher.elements, matcher.separator, text)
    case 'regexp':
      return matcher.regexp.test(text)
    default:
      return matcher satisfies never
  }
}

/** No term about the path holds for `*`, which is not one. */
export function matchesPath(matcher: TextMatcher, path: string): boolean {
  return path.charCodeAt(0) === SLASH && matchesText(matcher, path)
}

const SLASH = 47

// `/api` is a prefix of `/api` and `/api/x`, not of `/apix`; `/api/` is none of `/api`.
function hasPathPrefix(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return (
    path.length === prefix.length ||
    path.charCodeAt(prefix.length) === SLASH ||
    prefix.charCodeAt(prefix.length - 1) === SLASH
  )
}
