/** Converts offsets in a text to lines and columns. */
import type { Position } from './tree.ts'

export function createLines(text: string): (offset: number) => Position {
  let starts: number[] | null = null
  let last = 0
  return (offset) => {
    starts ??= lineStarts(text)
    // Most calls look up the same line or the next one.
    const isNext = (starts[last] ?? 0) <= offset && offset < (starts[last + 2] ?? Infinity)
    let low = isNext ? last : 0
    let high = isNext ? Math.min(last + 1, starts.length - 1) : starts.length - 1
    // Finds the last line that starts at or before the offset.
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    last = low
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
