/** Options that several limits have. */
import * as z from 'zod'
import { formatDuration, parseDuration } from '../model/units.ts'
import { span, whole } from '../options/fields.ts'

/** How much of something there may be at a time. */
export function atMost(description: string, most: number): z.ZodType<number> {
  return z
    .unknown()
    .refine((value) => value !== 0, 'must be at least 1: with 0 every request would be refused')
    .pipe(whole(description, 1, most))
}

/** Kept as text, so that what is filled in reads back as the same: a bare number would be seconds. */
export function durationText(
  description: string,
  normal: string,
  minMs: number,
  maxMs: number,
): z.ZodType<string> {
  return span(description, minMs, maxMs).transform(formatDuration).prefault(normal)
}

/** The ms of a duration that was admitted. */
export function durationMs(text: string): number {
  const read = parseDuration(text, 0, Infinity)
  if (read.ok) return read.value
  throw new Error(`a duration was admitted that ${read.reason}`)
}
