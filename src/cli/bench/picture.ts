/**
 * The picture of a measurement: latency by quantile through Sluice and past it, at the same rate, with what Sluice adds
 * between them; below, how many requests each way can take.
 */
import { availableParallelism, cpus } from 'node:os'
import { QUANTILES, type Phase, type WayFigures } from './measure.ts'
import { added, milliseconds, type BenchReport } from './report.ts'
import { bar, COLORS, document, line, round, text } from './svg.ts'

const WIDTH = 880
const MARGIN = 28
const LEFT = 92
const RIGHT = WIDTH - 150
const TOP = 112
const PLOT = 280
const BOTTOM = TOP + PLOT
/** Below the lowest point, for its figure. */
const PAD = 24
/** Room for the names of the quantiles, and what is added. */
const AXIS = 62
const BAR = 16

export function drawPicture(report: BenchReport): string {
  const { full, paced, connections, date } = report
  const url = report.url.length > 90 ? `${report.url.slice(0, 87)}...` : report.url
  const barsAt = BOTTOM + AXIS
  const height = barsAt + (full === null ? 24 : 110)
  const foot = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores · ${connections} connections · ${date.slice(0, 10)}`
  const rate = `${Math.round(paced.rate ?? 0).toLocaleString('en')} requests/s each way`
  return document(WIDTH, height, `Latency of ${url} through Sluice and directly`, [
    text(MARGIN, 42, 'Latency through Sluice and past it', { size: 21, weight: 650 }),
    text(MARGIN, 65, `${url} · ${rate}`, { size: 13, color: COLORS.soft }),
    ...drawLatencies(paced),
    ...(full === null ? [] : drawRequests(full, barsAt)),
    text(WIDTH - MARGIN, height - 14, foot, { size: 11.5, color: COLORS.soft, anchor: 'end' }),
  ])
}

interface Scale {
  readonly ticks: readonly number[]
  readonly y: (ms: number) => number
}

/** Logarithmic: 1, 2 and 5 of each power of ten, from below the least to above the most. */
function scaleOf({ through, direct }: Phase): Scale {
  const values = [through, direct].flatMap(({ latencyMs }) => Object.values(latencyMs))
  const steps: number[] = []
  for (let power = -3; power <= 6; power++) {
    for (const step of [1, 2, 5]) steps.push(Number((step * 10 ** power).toPrecision(1)))
  }
  const least = steps.findLast((step) => step <= Math.min(...values)) ?? 0.001
  const most = steps.find((step) => step >= Math.max(...values)) ?? 1e6
  const low = Math.log(least)
  const span = Math.log(Math.max(most, least * 2)) - low
  return {
    ticks: steps.filter((step) => step >= least && step <= Math.max(most, least * 2)),
    y: (ms) => BOTTOM - ((Math.log(Math.max(ms, least)) - low) / span) * (PLOT - PAD) - PAD,
  }
}

function xOf(index: number): number {
  return LEFT + 40 + (index * (RIGHT - LEFT - 80)) / (QUANTILES.length - 1)
}

function drawLatencies(paced: Phase): string[] {
  const { ticks, y } = scaleOf(paced)
  const points = (figures: WayFigures): string[] =>
    QUANTILES.map((quantile, i) => `${round(xOf(i))},${round(y(figures.latencyMs[quantile]))}`)
  const between = [...points(paced.through), ...points(paced.direct).reverse()]
  const parts = ticks.flatMap((tick) => [
    line(LEFT, y(tick), RIGHT, y(tick), COLORS.frame),
    text(LEFT - 10, y(tick) + 4, `${tick} ms`, {
      size: 11.5,
      color: COLORS.soft,
      anchor: 'end',
    }),
  ])
  parts.push(`<polygon points="${between.join(' ')}" fill="${COLORS.ours}" fill-opacity="0.1"/>`)
  for (const [figures, color, name] of [
    [paced.direct, COLORS.soft, 'directly'],
    [paced.through, COLORS.ours, 'through Sluice'],
  ] as const) {
    parts.push(
      `<polyline points="${points(figures).join(' ')}" fill="none" stroke="${color}" stroke-width="2.5"/>`,
    )
    QUANTILES.forEach((quantile, i) => {
      const at = y(figures.latencyMs[quantile])
      parts.push(`<circle cx="${round(xOf(i))}" cy="${round(at)}" r="4" fill="${color}"/>`)
    })
    parts.push(nameOf(paced, figures, y, name, color))
  }
  QUANTILES.forEach((quantile, i) => {
    const [through, direct] = [paced.through.latencyMs[quantile], paced.direct.latencyMs[quantile]]
    // The greater one above its point, the other one below.
    const [above, below] = through >= direct ? [through, direct] : [direct, through]
    const color = through >= direct ? [COLORS.ours, COLORS.soft] : [COLORS.soft, COLORS.ours]
    parts.push(
      figure(xOf(i), y(above) - 12, above, color[0] ?? COLORS.ink),
      figure(xOf(i), y(below) + 21, below, color[1] ?? COLORS.ink),
      text(xOf(i), BOTTOM + 26, quantile, { size: 13, weight: 600, anchor: 'middle' }),
      text(xOf(i), BOTTOM + 44, added(through - direct), {
        ...{ size: 12, color: COLORS.reference, anchor: 'middle' as const },
      }),
    )
  })
  parts.push(
    text(LEFT - 10, BOTTOM + 44, 'Sluice adds', {
      ...{ size: 12, color: COLORS.reference, anchor: 'end' as const },
    }),
  )
  return parts
}

/** Beside its last point, clear of the other name. */
function nameOf(
  { through, direct }: Phase,
  figures: WayFigures,
  y: (ms: number) => number,
  name: string,
  color: string,
): string {
  const own = y(figures.latencyMs.max)
  const other = y((figures === through ? direct : through).latencyMs.max)
  const isUpper = own < other || (own === other && figures === through)
  const push = Math.max(0, 18 - Math.abs(own - other)) / 2
  const at = own + (isUpper ? -push : push) + 4
  return text(xOf(QUANTILES.length - 1) + 34, at, name, { size: 13.5, weight: 650, color })
}

function figure(x: number, y: number, ms: number, color: string): string {
  const halo = `stroke="${COLORS.paper}" stroke-width="4" paint-order="stroke"`
  return `<g ${halo}>${text(x, y, milliseconds(ms), { size: 12, weight: 500, color, anchor: 'middle' })}</g>`
}

function drawRequests({ through, direct }: Phase, top: number): string[] {
  const most = Math.max(through.requestsPerSecond, direct.requestsPerSecond)
  const parts = [
    text(MARGIN, top + 14, 'Requests/s, as fast as responses come', { size: 14, weight: 600 }),
  ]
  ;[
    { name: 'through Sluice', figures: through, color: COLORS.ours },
    { name: 'directly', figures: direct, color: COLORS.other },
  ].forEach(({ name, figures, color }, i) => {
    const y = top + 26 + i * (BAR + 8)
    const length = Math.max(2, (figures.requestsPerSecond / most) * (RIGHT - LEFT - 140))
    parts.push(
      text(LEFT + 40, y + 12.5, name, { size: 13, anchor: 'end' }),
      bar(LEFT + 52, y, length, BAR, color),
      text(
        LEFT + 60 + length,
        y + 12.5,
        Math.round(figures.requestsPerSecond).toLocaleString('en'),
        {
          ...{ size: 13, weight: 500 },
        },
      ),
    )
  })
  return parts
}
