/**
 * How specific a host or path comparison is, as one number: higher goes first. docs/routes.md has the order in words. Texts
 * are at most 8 KiB, so that each count has 13 bits.
 */
import type { TextMatcher } from './expression.ts'
import type { PatternElement } from './pattern.ts'
import { INT, LABELS, REST, splitPattern } from './pattern.ts'

/** Order: exact hosts, patterns, regular expressions, no host. */
export function hostRank(host: TextMatcher | undefined): number {
  if (host === undefined) return 0
  if (host.kind === 'literal') return 3 * CLASS
  if (host.kind === 'pattern') {
    // If all else is equal, a pattern with `**` comes after one with a fixed number of labels.
    const any = host.elements[0] === LABELS ? 0.5 : 0
    return 2 * CLASS + weight(host.elements, host.separator) - any
  }
  return CLASS
}

/** Order: exact paths, patterns, prefixes (with patterns that end in `<path:x>`), regular expressions, no path. */
export function pathRank(path: TextMatcher | undefined): number {
  if (path === undefined) return 0
  switch (path.kind) {
    case 'literal':
      return 4 * CLASS
    case 'pattern':
      if (path.elements.at(-1) === REST) return 2 * CLASS + prefixWeight(path.elements)
      return 3 * CLASS + weight(path.elements, path.separator)
    case 'prefix':
      return 2 * CLASS + prefixWeight([path.text])
    case 'regexp':
      return CLASS
    default:
      return path satisfies never
  }
}

const CLASS = 2 ** 40
const COUNT = 2 ** 13

// By the number of literal labels or segments, then of literal characters, then of `<int:x>` wildcards.
function weight(elements: readonly PatternElement[], separator: string): number {
  const literal = splitPattern(elements, separator).filter(
    (parts) => parts.length === 1 && typeof parts[0] === 'string',
  )
  return literal.length * COUNT * COUNT + prefixWeight(elements)
}

function prefixWeight(elements: readonly PatternElement[]): number {
  let characters = 0
  let narrow = 0
  for (const element of elements) {
    if (typeof element === 'string') characters += element.length
    else if (element === INT) narrow += 1
  }
  return characters * COUNT + narrow
}
