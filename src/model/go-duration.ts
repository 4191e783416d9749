/** Durations of Go's time.ParseDuration: every number needs a unit, except a single 0. */
import { quote } from './parsed.ts'

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
  ['us', 1e-3],
  ['µs', 1e-3], // U+00B5
  ['μs', 1e-3], // U+03BC
  ['ns', 1e-6],
])
const WHOLE =
  /^[+-]?(?:0|(?:(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:h|ms|m|s|us|µs|μs|ns)){1,16})$/
const PART = /([\d.]+)([^\d.]+)/g

/** Returns ms, or the reason as a text. */
export function parseGoDuration(text: string): number | string {
  if (!WHOLE.test(text)) return `must be a duration such as 10s, 500ms or 1m30s, not ${quote(text)}`
  let ms = 0
  for (const [, amount, unit] of text.matchAll(PART)) {
    ms += Number(amount) * (UNIT_MS.get(unit ?? '') ?? NaN)
  }
  return text.startsWith('-') ? -ms : ms
}
