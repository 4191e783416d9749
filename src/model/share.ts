/** Shares of a whole: `20%`, or 0.2. */
import { quote } from './parsed.ts'
import { bad, good, type Scalar } from './scalar.ts'

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
