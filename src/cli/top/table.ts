/** The figures of `sluice top` as lines of text, for a terminal of a certain size or for a pipe. */
import { escapeControls } from '../../model/parsed.ts'
import { formatDuration } from '../../model/units.ts'
import type { Figures, Traffic } from './figures.ts'

export interface TableForm {
  /** Lines are cut there; null: as wide as they are. */
  readonly columns: number | null
  /** At most so many lines; null: all. */
  readonly rows: number | null
  readonly isColored: boolean
}

type Color = 'red' | 'yellow' | 'green'

interface Cell {
  readonly text: string
  readonly color?: Color
}

interface Section {
  readonly title: string
  readonly head: readonly string[]
  /** The column that gives way where there is little room. */
  readonly flexible: number
  readonly rows: readonly (readonly Cell[])[]
}

const GAP = '  '
const LEAST_FLEXIBLE = 8
const COLORS: Readonly<Record<Color, number>> = { red: 31, yellow: 33, green: 32 }
const TRAFFIC = ['R/sec', '50ile[ms]', '95ile[ms]', '99ile[ms]', 'Status codes %', 'Net. errors %']

/** Each without its end. */
export function tableLines(figures: Figures, form: TableForm): readonly string[] {
  const { periodMs } = figures
  const about =
    periodMs === 0
      ? 'no requests yet'
      : `of the last ${formatDuration(Math.round(periodMs / 1000) * 1000)}`
  const sections = sectionsOf(figures)
  // A section has an empty line, its title and its head.
  const room = form.rows === null ? Infinity : form.rows - 1 - sections.length * 3
  const kept = shareRows(
    sections.map(({ rows }) => rows.length),
    Math.max(0, room),
  )
  const lines = [
    cut(about, form.columns),
    ...sections.flatMap((section, at) => sectionLines(section, kept[at] ?? 0, form)),
  ]
  return form.rows === null ? lines : lines.slice(0, form.rows)
}

function sectionsOf({ frontends, backends, servers }: Figures): readonly Section[] {
  return [
    {
      title: 'Frontends',
      head: ['Id', 'Route', 'Breaker', ...TRAFFIC],
      flexible: 1,
      rows: frontends.map((one) => [
        { text: one.id },
        { text: one.route },
        breakerCell(one.breaker),
        ...trafficCells(one),
      ]),
    },
    {
      title: 'Backends',
      head: ['Id', 'Servers in use', 'In flight', 'Breaker'],
      flexible: 0,
      rows: backends.map(({ id, up, servers: all, inFlight, breaker }) => [
        { text: id },
        { text: `${up} of ${all}`, color: up === 0 ? 'red' : up < all ? 'yellow' : 'green' },
        { text: String(inFlight) },
        breakerCell(breaker),
      ]),
    },
    {
      title: 'Servers',
      head: ['Id', 'URL', 'State', 'Breaker', ...TRAFFIC, 'In flight', 'Backend'],
      flexible: 1,
      rows: servers.map((one) => [
        { text: one.id },
        { text: one.url },
        { text: one.state, color: STATES[one.state] ?? 'yellow' },
        breakerCell(one.breaker),
        ...trafficCells(one),
        { text: String(one.inFlight) },
        { text: one.backends.join(',') },
      ]),
    },
  ]
}

const STATES: Readonly<Partial<Record<string, Color>>> = {
  up: 'green',
  unknown: 'green',
  down: 'red',
  ejected: 'red',
}

function trafficCells(of: Traffic): readonly Cell[] {
  const codes = Object.entries(of.codes).map(
    ([code, share]) => `${code}: ${(share * 100).toFixed(2)}`,
  )
  const isBad = Object.keys(of.codes).some((code) => code >= '500')
  return [
    { text: of.requestsPerSecond.toFixed(1) },
    ...[of.p50Ms, of.p95Ms, of.p99Ms].map((ms) => ({ text: ms.toFixed(2) })),
    { text: codes.join(', '), ...(isBad ? { color: 'red' as const } : {}) },
    { text: (of.netErrors * 100).toFixed(2), color: of.netErrors > 0 ? 'red' : 'green' },
  ]
}

function breakerCell(state: string | null): Cell {
  if (state === null) return { text: '' }
  return {
    text: state,
    color: state === 'tripped' ? 'red' : state === 'standby' ? 'green' : 'yellow',
  }
}

/** How many rows of each section there is room for: the short ones whole, the others in equal parts. */
function shareRows(counts: readonly number[], room: number): readonly number[] {
  const kept = counts.map(() => 0)
  let left = room
  let open = counts.map((_, at) => at)
  while (left > 0 && open.length > 0) {
    const each = Math.max(1, Math.floor(left / open.length))
    for (const at of open) {
      const more = Math.min(each, (counts[at] ?? 0) - (kept[at] ?? 0), left)
      kept[at] = (kept[at] ?? 0) + more
      left -= more
    }
    open = open.filter((at) => (kept[at] ?? 0) < (counts[at] ?? 0))
  }
  return kept
}

function sectionLines(section: Section, kept: number, form: TableForm): readonly string[] {
  const { title, head, rows } = section
  const shown = [head.map((text): Cell => ({ text })), ...rows.slice(0, kept)].map((row) =>
    row.map((cell) => ({ ...cell, text: escapeControls(cell.text) })),
  )
  const widths = widthsOf(shown, section.flexible, form.columns)
  const hidden = rows.length - kept
  const about = hidden > 0 ? `[${title}] and ${hidden} more` : `[${title}]`
  return ['', cut(about, form.columns), ...shown.map((row) => rowLine(row, widths, form))]
}

function widthsOf(
  rows: readonly (readonly Cell[])[],
  flexible: number,
  columns: number | null,
): readonly number[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach(({ text }, at) => (widths[at] = Math.max(widths[at] ?? 0, [...text].length)))
  }
  if (columns === null) return widths
  const whole = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
  const over = Math.max(0, whole - columns)
  return widths.map((width, at) =>
    at === flexible ? Math.max(Math.min(width, LEAST_FLEXIBLE), width - over) : width,
  )
}

/** Cut by what is seen; colours take no room. */
function rowLine(row: readonly Cell[], widths: readonly number[], form: TableForm): string {
  let line = ''
  let used = 0
  for (const [at, { text, color }] of row.entries()) {
    const gap = at === 0 ? '' : GAP
    const room = form.columns === null ? Infinity : form.columns - used - gap.length
    if (room <= 0) break
    const cell = cut(text, Math.min(widths[at] ?? 0, room))
    const length = [...cell].length
    const isLast = at === row.length - 1
    const pad = isLast ? 0 : Math.min((widths[at] ?? 0) - length, room - length)
    line +=
      gap + (form.isColored && color !== undefined ? paint(cell, color) : cell) + ' '.repeat(pad)
    used += gap.length + length + pad
  }
  return line.trimEnd()
}

function cut(text: string, width: number | null): string {
  const chars = [...text]
  if (width === null || chars.length <= width) return text
  return width < 2 ? chars.slice(0, width).join('') : `${chars.slice(0, width - 1).join('')}~`
}

function paint(text: string, color: Color): string {
  return text === '' ? '' : `\x1b[${COLORS[color]}m${text}\x1b[0m`
}
