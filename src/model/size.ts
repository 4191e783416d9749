/** Sizes: bytes as a whole number, or `32KiB`, `32k` (both 1024), `32KB` (1000), `1MiB`. */
import { quote } from './parsed.ts'
import { bad, good, type Scalar } from './scalar.ts'

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
