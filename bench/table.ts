/** How the tables on the terminal look. */
import { readable } from './figures.ts'

export { alignColumns as table } from '../src/cli/bench/columns.ts'
export type Row = readonly string[]

/** How many times as much; '-' where there is nothing to compare with. */
export function times(value: number, base: number | undefined): string {
  return base === undefined ? '-' : `${readable(value / base)}`
}

export function section(title: string): string {
  return `\n${title}`
}
