/** Rows as a table for people and for grep: a line each; lines that are too wide for a terminal are wrapped. */
import { escapeControls } from '../../model/parsed.ts'
import type { Row } from './rows.ts'

const VERDICT_WIDTH = 'not there'.length
const WIDEST_PLACE = 32

/** `columns`: of the terminal; null: lines are not wrapped. */
export function toTable(rows: readonly Row[], columns: number | null): readonly string[] {
  const width = Math.min(Math.max(0, ...rows.map(({ place }) => place.length)), WIDEST_PLACE)
  const indent = VERDICT_WIDTH + 2 + width + 2
  return rows.flatMap(({ verdict, place, text }) => {
    const start = `${verdict.padEnd(VERDICT_WIDTH)}  ${escapeControls(place).padEnd(width)}  `
    const shown = escapeControls(text)
    if (columns === null) return [start + shown]
    // A place that is too long takes the first line.
    const room = Math.max(columns - indent, 20)
    const lines = wrap(shown, room)
    const [first = '', ...more] = start.length > indent ? ['', ...lines] : lines
    return [(start + first).trimEnd(), ...more.map((line) => ' '.repeat(indent) + line)]
  })
}

/** At spaces; a word that is too long is cut. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').flatMap((one) => cut(one, width))) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length <= width) line = longer
    else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}

function cut(word: string, width: number): readonly string[] {
  const parts: string[] = []
  for (let at = 0; at < word.length; at += width) parts.push(word.slice(at, at + width))
  return parts
}
