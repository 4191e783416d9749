/** Durations, sizes, shares of a whole and lists, as a file writes them. */
import { bad, good, quote, type Scalar } from './parsed.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS: number = 24 * HOUR_MS
export const YEAR_MS: number = 365 * DAY_MS
/** Of the silence before TCP probes a peer: Linux takes up to 32,767 s. */
export const MAX_KEEP_ALIVE_MS: number = 9 * HOUR_MS

// Durations as Go writes them: `10s`, `500ms`, `1m30s`, `1.5h`; a bare whole number is seconds.

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
}
const DURATION = /^(?:\d{1,15}(?:\.\d{1,9})?(?:h|ms|m|s|us|µs|ns)){1,6}$/
const DURATION_PART = /([\d.]+)([^\d.]+)/g

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
  if (!DURATION.test(value)) return null
  let ms = 0
  for (const [, amount, unit] of value.matchAll(DURATION_PART)) {
    ms += Number(amount) * (UNIT_MS[unit ?? ''] ?? NaN)
  }
  return Math.round(ms)
}

/** The ms of a duration that was parsed before, and was kept as text. */
export function toMs(text: string): number {
  const ms = readDuration(text)
  if (ms === null) throw new Error(`a duration was admitted that is none: ${quote(text)}`)
  return ms
}

/** The shortest form that reads back as the same. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`
  if (ms % 60_000 === 0) return `${ms / 60_000}m`
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

// Sizes: bytes as a whole number, or `32KiB`, `32k` (both 1024), `32KB` (1000), `1MiB`.

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
}
const SIZE = /^(\d{1,12}) ?([a-z]{0,3})$/i

export function parseSize(value: unknown, minBytes: number, maxBytes: number): Scalar<number> {
  const bytes = readSize(value)
  if (bytes === null) return bad(`must be a size such as 32KiB or 65536, not ${quote(value)}`)
  if (bytes < minBytes || bytes > maxBytes) {
    return bad(`must be from ${minBytes} to ${maxBytes} bytes, not ${quote(value)}`)
  }
  return good(bytes)
}

function readSize(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : null
  if (typeof value !== 'string') return null
  const match = SIZE.exec(value)
  const unit = UNIT_BYTES[match?.[2]?.toLowerCase() ?? '?']
  return match === null || unit === undefined ? null : Number(match[1]) * unit
}

// Shares: `20%`, or 0.2.

const PERCENT = /^(\d{1,3}(?:\.\d{1,6})?) ?%$/

/** From `least` to `most`, which are 0 to 1. */
export function parseShare(value: unknown, least: number, most: number): Scalar<number> {
  const share = readShare(value)
  if (share === null) return bad(`must be a share such as 20% or 0.2, not ${quote(value)}`)
  if (share < least || share > most) {
    return bad(`must be from ${formatShare(least)} to ${formatShare(most)}, not ${quote(value)}`)
  }
  return good(share)
}

function readShare(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  const match = typeof value === 'string' ? PERCENT.exec(value) : null
  return match === null ? null : Number(match[1]) / 100
}

function formatShare(share: number): string {
  return `${Number((share * 100).toFixed(6))}%`
}

// Lists: text with commas, as flags and variables write them.

export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
