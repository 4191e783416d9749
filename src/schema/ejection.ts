/** The schema of ejection: a server whose requests fail gets none for a while. */
import type * as z from 'zod'
import { DAY_MS } from '../model/units.ts'
import { type Complain, count, meaning, part, scalar, span, strict } from '../options/fields.ts'
import { bad, good, quote } from '../model/parsed.ts'
import type { Ejection } from '../model/snapshot.ts'

const MOST_IN_A_ROW = 1000

export const DEFAULT_EJECTION: Ejection = {
  failures: 5,
  errors: 0,
  successRate: null,
  baseMs: 30_000,
  longestMs: 300_000,
  share: 0.5,
}

const successRate = strict(
  {
    deviations: scalar(
      (value) =>
        typeof value === 'number' && value >= 0.5 && value <= 10
          ? good(value)
          : bad(`must be a number from 0.5 to 10, not ${quote(value)}`),
      {
        type: 'number',
        minimum: 0.5,
        maximum: 10,
        description: 'How many standard deviations below the other servers.',
      },
    ).prefault(3),
    requests: count('Over at least this many requests of each server.', 50, 1, 1_000_000),
  },
  'Eject a server whose share of good responses is far below that of the others. Off by default.',
)

const formSchema = strict(
  {
    failures: count(
      'After this many consecutive gateway failures; 0 is off.',
      DEFAULT_EJECTION.failures,
      0,
      MOST_IN_A_ROW,
    ),
    errors: count(
      'After this many consecutive failures and 5xx responses; 0 is off.',
      DEFAULT_EJECTION.errors,
      0,
      MOST_IN_A_ROW,
    ),
    successRate: successRate.optional(),
    time: span('How long the first time; 30s by default.', 1, DAY_MS).optional(),
    longest: span('How long at most; 5m by default.', 1, DAY_MS).optional(),
    share: part("At most this share of the backend's servers; 50% by default.", 0.01).optional(),
  },
  'When a server gets no requests for a while because requests to it fail.',
)

export const ejection: z.ZodType<Ejection> = meaning(formSchema, toEjection)

function toEjection(form: z.output<typeof formSchema>, complain: Complain): Ejection {
  const { failures, errors, successRate, time, longest, share } = form
  if (failures === 0 && errors === 0 && successRate === undefined) {
    for (const key of ['time', 'longest', 'share'] as const) {
      if (form[key] !== undefined)
        complain('does nothing: every reason to eject a server is off', [key])
    }
  }
  const baseMs = time ?? Math.min(DEFAULT_EJECTION.baseMs, longest ?? Infinity)
  if (longest !== undefined && longest < baseMs)
    complain('must not be shorter than time', ['longest'])
  return {
    failures,
    errors,
    successRate: successRate ?? null,
    baseMs,
    longestMs: longest ?? Math.max(DEFAULT_EJECTION.longestMs, baseMs),
    share: share ?? DEFAULT_EJECTION.share,
  }
}
