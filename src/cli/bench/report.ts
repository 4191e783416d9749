/** What was measured as text: a table for each phase, bars of the latencies, and what the reader should doubt. */
import { escapeControls } from '../../model/parsed.ts'
import { alignColumns } from './columns.ts'
import type { BenchTarget } from './find-target.ts'
import type { FirstResponse } from './first-request.ts'
import {
  QUANTILES,
  WAYS,
  type Measured,
  type Phase,
  type Quantile,
  type WayFigures,
} from './measure.ts'

export interface BenchReport extends Measured {
  readonly url: string
  readonly date: string
  readonly target: BenchTarget
  readonly connections: number
  readonly rounds: number
  readonly durationMs: number
  /** Of one request each before the load; for each server. */
  readonly first: { readonly through: FirstResponse; readonly direct: readonly FirstResponse[] }
  readonly warnings: readonly string[]
}

const BAR_WIDTH = 40
/** Rounds that differ by more than this share of their median are noise. */
const NOISY = 0.3
/** Of the rate that was meant. */
const KEPT = 0.95

export function toText(report: BenchReport): string {
  const { url, target, connections, rounds, durationMs, full, paced, warnings } = report
  const windows = `${connections} connections, ${rounds} rounds each way in turn`
  const parts = [
    url,
    ...target.notes.map((note) => `  ${note}`),
    `  through   ${target.through.url}`,
    `  directly  ${target.direct.map((one) => one.url).join(', ')}`,
    `  ${windows}, ${durationMs / 1000} s in all`,
    ...(full === null ? [] : ['', 'As fast as responses come', tableOf(full)]),
    '',
    `At ${count(paced.rate ?? 0)} requests/s each way`,
    tableOf(paced),
    '',
    barsOf(paced),
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((line) => `warning: ${line}`)]),
  ]
  return parts
    .flatMap((part) => part.split('\n'))
    .map(escapeControls)
    .join('\n')
}

function tableOf({ rate, through, direct }: Phase): string {
  const share = through.requestsPerSecond / direct.requestsPerSecond
  const rows = [
    ['', 'through Sluice', 'directly', rate === null ? '' : 'Sluice adds'],
    [
      'requests/s',
      count(through.requestsPerSecond),
      count(direct.requestsPerSecond),
      rate === null ? `${(share * 100).toFixed(0)} %` : '',
    ],
    ...(rate === null ? [['lowest - highest', rangeOf(through), rangeOf(direct)]] : []),
    ...QUANTILES.map((quantile) => [
      quantile,
      milliseconds(through.latencyMs[quantile]),
      milliseconds(direct.latencyMs[quantile]),
      rate === null ? '' : added(through.latencyMs[quantile] - direct.latencyMs[quantile]),
    ]),
    ['errors', count(faultsOf(through)), count(faultsOf(direct))],
    ['not 2xx', count(through.non2xx), count(direct.non2xx)],
  ]
  return alignColumns(rows)
}

function barsOf({ through, direct }: Phase): string {
  // The longest of all is often ten times as long, and would leave nothing of the others.
  const shown = QUANTILES.filter((quantile) => quantile !== 'max')
  const most = Math.max(
    ...shown.flatMap((quantile) => [through.latencyMs[quantile], direct.latencyMs[quantile]]),
  )
  const bar = (name: string, title: string, figures: WayFigures, quantile: Quantile): string => {
    const value = figures.latencyMs[quantile]
    const length = Math.max(1, Math.round((value / most) * BAR_WIDTH))
    return `  ${name.padEnd(6)} ${title.padEnd(9)} ${'#'.repeat(length)} ${milliseconds(value)}`
  }
  return shown
    .flatMap((quantile) => [
      bar(quantile, 'through', through, quantile),
      bar('', 'directly', direct, quantile),
    ])
    .join('\n')
}

/** What makes the comparison doubtful. */
export function warningsOf(report: Omit<BenchReport, 'warnings'>): string[] {
  const { first, full, paced } = report
  return [...differences(first), ...faults(full), ...faults(paced), ...doubts(full, paced)]
}

function differences({ through, direct }: BenchReport['first']): string[] {
  const other = direct.find(
    ({ status, bytes }) => status !== through.status || bytes !== through.bytes,
  )
  if (other === undefined) return []
  const describe = ({ status, bytes }: FirstResponse): string =>
    `${status} with ${count(bytes)} bytes`
  return [
    `the responses differ: ${describe(through)} through Sluice, ${describe(other)} directly; if Sluice changes the path or the host, name the server's own URL with --direct`,
  ]
}

function faults(phase: Phase | null): string[] {
  if (phase === null) return []
  const when = phase.rate === null ? 'as fast as responses come' : 'at the rate'
  return WAYS.flatMap((way) => {
    const { errors, unanswered, waiting, statuses, non2xx } = phase[way]
    const where = `${way === 'through' ? 'through Sluice' : 'directly'}, ${when}`
    const bad = Object.entries(statuses).filter(([code]) => !code.startsWith('2'))
    return [
      ...Object.entries(errors).map(([what, times]) => `${where}: ${what}, ${count(times)} times`),
      ...(unanswered > 0 ? [`${where}: ${count(unanswered)} requests got no response`] : []),
      ...(waiting > 0 ? [`${where}: ${count(waiting)} connections waited to the end`] : []),
      ...(non2xx > 0
        ? [`${where}: ${bad.map(([code, times]) => `${count(times)} x ${code}`).join(', ')}`]
        : []),
    ]
  })
}

function doubts(full: Phase | null, paced: Phase): string[] {
  const noisy = WAYS.filter((way) => full !== null && spreadOf(full[way].rounds) > NOISY)
  const late = WAYS.filter((way) => paced[way].requestsPerSecond < (paced.rate ?? 0) * KEPT)
  const name = (way: (typeof WAYS)[number]): string =>
    way === 'through' ? 'through Sluice' : 'directly'
  return [
    ...(noisy.length > 0
      ? [`rounds differ much (${noisy.map(name).join(', ')}): the machine is busy with other work`]
      : []),
    ...late.map(
      (way) =>
        `${name(way)} only ${count(paced[way].requestsPerSecond)} of ${count(paced.rate ?? 0)} requests/s came: latencies are those of a queue`,
    ),
  ]
}

function spreadOf(rounds: readonly number[]): number {
  const sorted = rounds.toSorted((one, other) => one - other)
  const middle = sorted[Math.floor(sorted.length / 2)] ?? NaN
  return ((sorted.at(-1) ?? NaN) - (sorted[0] ?? NaN)) / middle
}

function rangeOf({ rounds }: WayFigures): string {
  return `${count(Math.min(...rounds))} - ${count(Math.max(...rounds))}`
}

function faultsOf({ errors, unanswered, waiting }: WayFigures): number {
  return Object.values(errors).reduce((sum, times) => sum + times, 0) + unanswered + waiting
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`
}

export function added(value: number): string {
  return `${value < 0 ? '-' : '+'}${milliseconds(Math.abs(value))}`
}
