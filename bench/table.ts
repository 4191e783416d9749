/** How the tables on the terminal look. */
import { readable } from './figures.ts'

export type Row = readonly string[]

/** How many times as much; '-' where there is nothing to compare with. */
export function times(value: number, base: number | undefined): string {
  return base === undefined ? '-' : `${readable(value / base)}`
}

export function section(title: string): string {
  return `\n${title}`
}

/** The first column to the left, figures to the right. */
export function table(rows: readonly Row[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  }
  const line = (row: Row): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  return rows.map((row) => `  ${line(row)}`).join('\n')
}
