/**
 * The schema of retries. A frontend's replaces its backend's as a whole. The budget belongs to the backend alone, because it
 * protects the backend's servers.
 */
import * as z from 'zod'
import { MAX_BUFFER_BYTES, MAX_ATTEMPTS } from '../policy/retrying/retry.ts'
import {
  type Complain,
  count,
  meaning,
  part,
  scalar,
  share,
  span,
  strict,
  text,
  whole,
} from '../options/fields.ts'
import { parseSize } from '../model/units.ts'
import type { Hedge, Retry, RetryBudget } from '../model/snapshot.ts'

const LONGEST_BACKOFF_MS = 60_000

export const DEFAULT_RETRY: Retry = {
  attempts: 2,
  when: null,
  backoffMs: 0,
  longestBackoffMs: 250,
  bufferBytes: 65_536,
  hedge: null,
}

export const DEFAULT_RETRY_BUDGET: RetryBudget = { ratio: 0.2, perSecond: 3 }

const hedge: z.ZodType<Hedge | null> = meaning(
  strict(
    {
      after: span('After this long without a response.', 1, LONGEST_BACKOFF_MS).optional(),
      quantile: part(
        "When it takes longer than this share of the backend's recent responses.",
        0.5,
        0.999,
      ).optional(),
    },
    'A second copy of an idempotent request to another server; the first response wins. Exactly one of after, quantile.',
  ),
  ({ after, quantile }, complain) => {
    if ((after === undefined) === (quantile === undefined)) {
      complain('needs exactly one of after and quantile', [])
    }
    if (after !== undefined) return { afterMs: after, quantile: null }
    return quantile === undefined ? null : { afterMs: null, quantile }
  },
)

const members = {
  attempts: whole(
    'How often a request is sent at most, including the first time: 2 by default, 11 with a predicate, which then decides.',
    1,
    MAX_ATTEMPTS,
  ).optional(),
  when: text(
    'A failover predicate: IsNetworkError() && Attempts() < 3. By default failed connections, and lost or late responses to idempotent requests.',
    1024,
  ).optional(),
  backoff: span(
    'Before the second attempt; doubles, with jitter. 0 is immediately.',
    0,
    LONGEST_BACKOFF_MS,
  ).optional(),
  longestBackoff: span(
    'Where doubling ends: 250ms, or the backoff if that is longer.',
    1,
    LONGEST_BACKOFF_MS,
  ).optional(),
  buffer: scalar((value) => parseSize(value, 0, MAX_BUFFER_BYTES), {
    type: ['string', 'integer'],
    description:
      'How much of a body is kept for further attempts, 64KiB by default and 16MiB at most; a larger body is sent once.',
  }).optional(),
  hedge: hedge.optional(),
}

const form = strict(members, 'When a request is sent again, on another server first.')
type Form = z.output<typeof form>

export const frontendRetry: z.ZodType<Retry> = meaning(form, toRetry)

const budget: z.ZodType<RetryBudget> = meaning(
  strict(
    {
      ratio: share("This share of the backend's requests.", '20%'),
      perSecond: count(
        'And at least this many per second.',
        DEFAULT_RETRY_BUDGET.perSecond,
        0,
        1_000_000,
      ),
    },
    'How many requests of the backend may be sent again.',
  ),
  ({ ratio, perSecond }, complain) => {
    if (ratio === 0 && perSecond === 0) {
      complain('allows no retry at all; write attempts: 1 for that', [])
    }
    return { ratio, perSecond }
  },
)

export interface BackendRetry {
  readonly retry: Retry
  readonly budget: RetryBudget
}

export const backendRetry: z.ZodType<BackendRetry> = meaning(
  strict(
    { ...members, budget: budget.optional() },
    'When a request is sent again, on another server first.',
  ),
  ({ budget: written, ...rest }, complain) => {
    if (written !== undefined && rest.attempts === 1) complain(USELESS, ['budget'])
    return { retry: toRetry(rest, complain), budget: written ?? DEFAULT_RETRY_BUDGET }
  },
)

export const DEFAULT_BACKEND_RETRY: BackendRetry = {
  retry: DEFAULT_RETRY,
  budget: DEFAULT_RETRY_BUDGET,
}

const USELESS = 'is used with attempts of 2 or more only'

function toRetry(form: Form, complain: Complain): Retry {
  const { when, backoff = 0, longestBackoff, buffer, hedge } = form
  if (form.attempts === 1) {
    for (const key of ['when', 'backoff', 'longestBackoff', 'buffer', 'hedge'] as const) {
      if (form[key] !== undefined) complain(USELESS, [key])
    }
  }
  if (longestBackoff !== undefined && longestBackoff < backoff) {
    complain('must not be shorter than backoff', ['longestBackoff'])
  }
  if (longestBackoff !== undefined && backoff === 0) {
    complain('is used with a backoff only', ['longestBackoff'])
  }
  return {
    attempts: form.attempts ?? (when === undefined ? DEFAULT_RETRY.attempts : MAX_ATTEMPTS),
    when: when ?? null,
    backoffMs: backoff,
    longestBackoffMs: longestBackoff ?? Math.max(DEFAULT_RETRY.longestBackoffMs, backoff),
    bufferBytes: buffer ?? DEFAULT_RETRY.bufferBytes,
    hedge: hedge ?? null,
  }
}
