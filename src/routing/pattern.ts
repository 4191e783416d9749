/**
 * Patterns: `<name>` matches everything up to the next separator (possibly nothing), `<int:name>` one or more digits,
 * `<path:name>` the rest of the text, and `**` at the beginning of a host one or more labels. A comparison runs once from
 * left to right and does not backtrack.
 */

export const ANY = 0
export const INT = 1
export const REST = 2
/** The first of two elements; the second is a literal that the host ends with. */
export const LABELS = 3
export type Wildcard = typeof ANY | typeof INT | typeof REST | typeof LABELS

/** Literal text or a wildcard. Names are not kept, because a comparison does not need them. */
export type PatternElement = string | Wildcard

/** `refuse` is called with the reason, and throws. `separator` is '' if the values have none. */
export function parsePattern(
  text: string,
  separator: string,
  refuse: (message: string) => never,
): PatternElement[] {
  const elements: PatternElement[] = []
  let at = 0
  while (at < text.length) {
    const open = text.indexOf('<', at)
    if (open !== at) elements.push(text.slice(at, open < 0 ? text.length : open))
    if (open < 0) break
    const close = text.indexOf('>', open)
    if (close < 0) refuse('"<" opens a pattern that no ">" closes')
    const inner = text.slice(open + 1, close)
    const wildcard = wildcardOf(inner, refuse)
    at = close + 1
    requireReach(wildcard, `<${inner}>`, text.slice(at), separator, refuse)
    elements.push(wildcard)
  }
  return elements
}

function wildcardOf(inner: string, refuse: (message: string) => never): Wildcard {
  const colon = inner.indexOf(':')
  const type = colon < 0 ? 'string' : inner.slice(0, colon)
  if (!/^[^<:]+$/.test(inner.slice(colon + 1))) {
    refuse(`"<${inner}>" has no valid name, expected "<name>", "<int:name>" or "<path:name>"`)
  }
  const wildcard = WILDCARDS.get(type)
  if (wildcard === undefined) {
    return refuse(`"<${inner}>" has an unknown type, expected "string", "int" or "path"`)
  }
  return wildcard
}

const WILDCARDS: ReadonlyMap<string, Wildcard> = new Map<string, Wildcard>([
  ['string', ANY],
  ['int', INT],
  ['path', REST],
])

// If the text after a wildcard could be matched by the wildcard itself, the pattern could never match.
function requireReach(
  wildcard: Wildcard,
  written: string,
  rest: string,
  separator: string,
  refuse: (message: string) => never,
): void {
  if (rest === '') return
  if (wildcard === REST) refuse(`"${written}" takes all the rest, nothing can follow it`)
  if (rest.startsWith('<')) refuse(`"${written}" must not touch another pattern`)
  if (wildcard === INT || (separator !== '' && rest.startsWith(separator))) return
  const end = separator === '' ? 'the end' : `the next "${separator}"`
  refuse(
    `"${written}" takes all up to ${end}, so "${rest}" cannot follow it; use a regular expression`,
  )
}

export function matchesPattern(
  elements: readonly PatternElement[],
  separator: string,
  text: string,
): boolean {
  let at = 0
  for (const element of elements) {
    if (typeof element === 'string') {
      if (!text.startsWith(element, at)) return false
      at += element.length
    } else if (element === INT) {
      const end = digitsEnd(text, at)
      if (end === at) return false
      at = end
    } else if (element === LABELS) {
      const ending = elements[1]
      at = text.length - (typeof ending === 'string' ? ending.length : 0)
      if (at <= 0) return false
    } else {
      const end = element === REST || separator === '' ? -1 : text.indexOf(separator, at)
      at = end < 0 ? text.length : end
    }
  }
  return at === text.length
}

/** Where the digits that begin at `at` end. */
export function digitsEnd(text: string, at: number): number {
  let end = at
  while (text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end += 1
  return end
}

/** The elements between separators: `/a/v<x>` gives `[], ['a'], ['v', ANY]`. */
export function splitPattern(
  elements: readonly PatternElement[],
  separator: string,
): PatternElement[][] {
  let current: PatternElement[] = []
  const segments = [current]
  for (const element of elements) {
    if (typeof element !== 'string') {
      current.push(element)
      continue
    }
    for (const [index, piece] of element.split(separator).entries()) {
      if (index > 0) segments.push((current = []))
      if (piece !== '') current.push(piece)
    }
  }
  return segments
}

/** The pattern without its names. Patterns that match the same texts in the same way have the same text. */
export function patternText(elements: readonly PatternElement[]): string {
  return elements
    .map((element) => (typeof element === 'string' ? element : NAMES[element]))
    .join('')
}

const NAMES = ['<>', '<int>', '<path>', '**'] as const
