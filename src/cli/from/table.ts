/** Rows as a table for people and for grep: a line each; lines that are too wide for a terminal are wrapped. */
import { escapeControls } from '../../model/parsed.ts'
import { wrap } from '../wrap.ts'
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
