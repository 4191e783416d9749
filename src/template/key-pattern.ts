/** Patterns of keys, as Go's path.Match reads them: `*` and `?` stay within a segment, `[a-z]` and `[^a]` are classes, `\` escapes. */
import { TemplateError } from './value.ts'

type Piece =
  | { readonly kind: 'one'; readonly isAny: boolean; readonly character: string }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly Range[] }
type Range = readonly [low: string, high: string]

/** What stands between two `*`. */
interface Chunk {
  readonly hasStar: boolean
  readonly pieces: readonly Piece[]
}

/**
 * Each chunk behind a `*` is taken at the first place where it fits, so that the time is that of the key times the pattern.
 * @throws {TemplateError} syntax error in pattern
 */
export function compileKeyPattern(pattern: string): (key: string) => boolean {
  const chunks = parse(pattern)
  return (key) => matches(chunks, [...key])
}

function parse(pattern: string): readonly Chunk[] {
  const chunks: Chunk[] = []
  const characters = [...pattern]
  let pieces: Piece[] = []
  let hasStar = false
  let at = 0

  function escaped(): string {
    if (characters[at] === '\\') at++
    const character = characters[at++]
    return character ?? refuse()
  }

  function bound(): string {
    const character = characters[at]
    return character === undefined || character === '-' || character === ']' ? refuse() : escaped()
  }

  function parseClass(): Piece {
    at++
    const isNegated = characters[at] === '^'
    if (isNegated) at++
    const ranges: Range[] = []
    while (characters[at] !== ']' || ranges.length === 0) {
      const low = bound()
      if (characters[at] !== '-') {
        ranges.push([low, low])
        continue
      }
      at++
      ranges.push([low, bound()])
    }
    at++
    return { kind: 'class', isNegated, ranges }
  }

  while (at < characters.length) {
    const character = characters[at] ?? ''
    if (character === '*') {
      if (pieces.length > 0 || hasStar) chunks.push({ hasStar, pieces })
      pieces = []
      hasStar = true
      at++
    } else if (character === '[') pieces.push(parseClass())
    else {
      const isAny = character === '?'
      pieces.push({ kind: 'one', isAny, character: escaped() })
    }
  }
  return [...chunks, { hasStar, pieces }]
}

function refuse(): never {
  throw new TemplateError('syntax error in pattern')
}

function matches(chunks: readonly Chunk[], key: readonly string[]): boolean {
  let at = 0
  for (const [index, { hasStar, pieces }] of chunks.entries()) {
    const isLast = index === chunks.length - 1
    if (!hasStar) {
      if (!fits(pieces, key, at)) return false
      at += pieces.length
      continue
    }
    // A last chunk has to reach the end of the key; any other one takes the first place.
    const most = key.length - pieces.length
    let found = -1
    for (let start = at; start <= most; start++) {
      if (fits(pieces, key, start) && (!isLast || start === most)) {
        found = start
        break
      }
      if (key[start] === '/') break
    }
    if (found === -1) return false
    at = found + pieces.length
  }
  return at === key.length
}

function fits(pieces: readonly Piece[], key: readonly string[], from: number): boolean {
  return pieces.every((piece, index) => {
    const character = key[from + index]
    if (character === undefined) return false
    if (piece.kind === 'one') return piece.isAny ? character !== '/' : character === piece.character
    const point = character.codePointAt(0) ?? 0
    const isIn = piece.ranges.some(
      ([low, high]) => (low.codePointAt(0) ?? 0) <= point && point <= (high.codePointAt(0) ?? 0),
    )
    return isIn !== piece.isNegated
  })
}
