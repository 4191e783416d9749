/** The tables on the terminal: the phases of each fault side by side, then bars and verdicts. */
import { ms, percent } from './check.ts'
import type { Check } from './check.ts'
import type { Phase } from './figures.ts'

interface Phased {
  readonly before: Phase
  readonly during: Phase
  readonly after: Phase
  readonly p99BackMs?: number | null
  readonly out?: { readonly ms: number } | null
  readonly inMs?: number | null
}

const HEAD = [
  'before / during / after',
  'requests',
  'failed idempotent',
  'failed other',
  '5xx',
  'p50 ms',
  'p99 ms',
  'attempts',
  'p99 back',
  'out',
  'in',
]

export function phaseTable(found: Readonly<Record<string, object>>): string {
  const rows = Object.entries(found).flatMap(([name, result]) =>
    'during' in result ? [rowOf(name, result as Phased)] : [],
  )
  return rows.length === 0 ? '' : table([HEAD, ...rows]) + '\n'
}

/** What was found, a line each; `withBars`: with the bar, and whether it is met. */
export function barTable(checks: readonly Check[], withBars: boolean): string {
  if (!withBars) return checks.map(({ of, found }) => `${of}: ${found}`).join('\n')
  const word = ({ isMet }: Check): string =>
    isMet === null ? '      ' : isMet ? 'met   ' : 'MISSED'
  return checks
    .map((check) => `${word(check)} ${check.of} [${check.bar}]: ${check.found}`)
    .join('\n')
}

function rowOf(name: string, { before, during, after, p99BackMs, out, inMs }: Phased): string[] {
  const each = (figure: (phase: Phase) => string): string =>
    [before, during, after].map(figure).join(' / ')
  return [
    name,
    each(({ requests }) => String(requests)),
    each(({ failedIdempotent }) => String(failedIdempotent)),
    each(({ failedOther }) => String(failedOther)),
    each(({ share5xx }) => percent(share5xx)),
    each(({ p50Ms }) => p50Ms.toFixed(1)),
    each(({ p99Ms }) => p99Ms.toFixed(1)),
    each(({ attempts }) => String(attempts)),
    p99BackMs === undefined ? '-' : ms(p99BackMs),
    out === undefined ? '-' : ms(out?.ms ?? null),
    inMs === undefined ? '-' : inMs === null ? 'later' : ms(inMs),
  ]
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n')
}
