/**
 * The picture for the README: CPU time per request, one panel for each kind of response, the same contenders in the same rows.
 */
import { bar, COLORS, document, line, round, text } from '../src/cli/bench/svg.ts'
import { costOf } from './bars.ts'
import type { Results } from './results.ts'
import type { TimedResult } from './scenarios/timed.ts'

interface Panel {
  readonly title: string
  readonly result: TimedResult | undefined
}

const WIDTH = 880
const MARGIN = 28
const NAMES = 138
const GAP = 26
const TOP = 122
const PITCH = 34
const BAR = 20
/** Kept free at the end of the longest bar, for its figure. */
const FIGURE = 78

export function draw(results: Results): string {
  const all: Panel[] = [
    { title: '1 KiB response', result: results.small },
    { title: '100 KiB response', result: results.large },
    { title: '1 KiB response over TLS', result: results.tls },
  ]
  const panels = all.filter(({ result }) => result !== undefined)
  const rows = rowsOf(panels)
  const height = TOP + rows.length * PITCH + 62
  const panelWidth = (WIDTH - 2 * MARGIN - NAMES - (panels.length - 1) * GAP) / panels.length
  const { machine } = results
  const foot =
    `${machine.cpu}, ${machine.cores} cores${machine.pinned ? ', the proxy alone on one' : ''} · Linux ${machine.kernel.split('-')[0]} · ` +
    `Node ${machine.node} · ${results.date.slice(0, 10)}`
  return document(WIDTH, height, `CPU time per request of ${rows.length} proxies`, [
    text(MARGIN, 42, 'CPU time per request', { size: 21, weight: 650 }),
    text(MARGIN, 65, SCALES, { size: 13, color: COLORS.soft }),
    ...rows.map((row, i) => name(row, i)),
    ...panels.map((panel, i) => {
      return drawPanel(panel, rows, MARGIN + NAMES + i * (panelWidth + GAP), panelWidth)
    }),
    legend(height),
    text(WIDTH - MARGIN, height - 22, foot, { size: 11.5, color: COLORS.soft, anchor: 'end' }),
  ])
}

const SCALES =
  'microseconds of one core, user and system; shorter is better; each panel has its own scale'

interface Row {
  readonly contender: string
  readonly title: string
}

/** Everybody who was timed at all, the cheapest at the first panel on top. */
function rowsOf(panels: readonly Panel[]): Row[] {
  const rows = new Map<string, string>()
  for (const { result } of panels) {
    for (const entry of result?.entries ?? []) rows.set(entry.contender, entry.title)
  }
  const cost = (contender: string): number =>
    panels.map(({ result }) => costOf(result, contender)).find((found) => found !== undefined) ?? 0
  return [...rows]
    .map(([contender, title]) => ({ contender, title }))
    .sort((one, other) => cost(one.contender) - cost(other.contender))
}

function name({ contender, title }: Row, index: number): string {
  const weight = contender === 'ours' ? 650 : 400
  const color = contender === 'ours' ? COLORS.ours : COLORS.ink
  return text(MARGIN + NAMES - 14, middle(index) + 4.5, title, {
    size: 13.5,
    weight,
    color,
    anchor: 'end',
  })
}

function drawPanel(panel: Panel, rows: readonly Row[], x: number, width: number): string {
  const costs = rows.map((row) => costOf(panel.result, row.contender))
  const most = Math.max(...costs.map((cost) => cost ?? 0), 1)
  const scale = (width - FIGURE) / most
  const reference = costOf(panel.result, 'haproxy')
  const bottom = TOP + rows.length * PITCH - 6
  const parts = [text(x, TOP - 20, panel.title, { size: 14, weight: 600 })]
  parts.push(line(x, TOP - 8, x, bottom, COLORS.frame))
  rows.forEach((row, i) => {
    const length = Math.max(2, (costs[i] ?? 0) * scale)
    const fill = row.contender === 'ours' ? COLORS.ours : COLORS.other
    if (costs[i] !== undefined) {
      parts.push(bar(x, middle(i) - BAR / 2, length, BAR, fill))
    }
  })
  if (reference !== undefined) {
    const at = x + reference * scale
    parts.push(line(at, TOP - 8, at, bottom, COLORS.reference, '3 3'))
  }
  rows.forEach((row, i) => parts.push(figure(row, costs[i], reference, x, scale, middle(i) + 4.5)))
  return parts.join('\n')
}

/** Written over the line of the reference, with the paper's colour around it. */
function figure(
  row: Row,
  cost: number | undefined,
  reference: number | undefined,
  x: number,
  scale: number,
  y: number,
): string {
  const halo = `stroke="${COLORS.paper}" stroke-width="4" paint-order="stroke"`
  if (cost === undefined) {
    return `<g ${halo}>${text(x + 7, y, 'not measured', { size: 12, color: COLORS.soft })}</g>`
  }
  const weight = row.contender === 'ours' ? 650 : 500
  const ratio = reference === undefined ? '' : `${(cost / reference).toFixed(2)}×`
  const at = `x="${round(x + Math.max(2, cost * scale) + 7)}" y="${round(y)}"`
  const small = `<tspan dx="6" font-size="11.5" font-weight="400" fill="${COLORS.soft}">${ratio}</tspan>`
  return `<text ${at} font-size="13" font-weight="${weight}" fill="${COLORS.ink}" ${halo}>${cost.toFixed(1)}${small}</text>`
}

function legend(height: number): string {
  const y = height - 26
  return (
    line(MARGIN, y, MARGIN + 18, y, COLORS.reference, '3 3') +
    text(MARGIN + 25, y + 4, 'HAProxy = 1×', { size: 11.5, color: COLORS.soft })
  )
}

function middle(index: number): number {
  return TOP + index * PITCH + PITCH / 2 - 4
}
