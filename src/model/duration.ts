/** Durations as Go writes them: `10s`, `500ms`, `1m30s`, `1.5h`; a bare whole number is seconds. */
import { quote } from './parsed.ts'
import { bad, good, type Scalar } from './scalar.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
}
const WHOLE = /^(?:\d{1,15}(?:\.\d{1,9})?(?:h|ms|m|s|us|µs|ns)){1,6}$/
const PART = /([\d.]+)([^\d.]+)/g

/** Whole milliseconds from `minMs` to `maxMs`. */
export function parseDuration(value: unknown, minMs: number, maxMs: number): Scalar<number> {
  const ms = readDuration(value)
  if (ms === null) return bad(`must be a duration such as 10s, 500ms or 1m30s, not ${quote(value)}`)
  if (ms < minMs || ms > maxMs) {
    return bad(
      `must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, not ${quote(value)}`,
    )
  }
  return good(ms)
}

function readDuration(value: unknown): number | null {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && value >= 0 ? value * 1000 : null
  if (typeof value !== 'string') return null
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  if (!WHOLE.test(value)) return null
  let ms = 0
  for (const [, amount, unit] of value.matchAll(PART)) {
    ms += Number(amount) * (UNIT_MS[unit ?? ''] ?? NaN)
  }
  return Math.round(ms)
}

/** The shortest form that reads back as the same. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`
  if (ms % 60_000 === 0) return `${ms / 60_000}m`
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}
