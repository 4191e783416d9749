/** The options of a circuit breaker: of a server (in its backend), and of a frontend, which adds a fallback. */
import type * as z from 'zod'
import { count, duration, meaning, orNull, strict, text } from './fields.ts'
import type { BreakerSpec, WebHook } from '../model/snapshot.ts'
import { webHook } from './web-hook.ts'

/** Durations in ms. */
export interface BreakerForm {
  readonly condition: string
  readonly requests: number
  readonly check: number
  readonly tripped: number
  readonly recovery: number
  readonly onTripped: WebHook | null
  readonly onStandby: WebHook | null
}

const MAX_CONDITION = 2048
const MAX_REQUESTS = 1_000_000
const LONGEST_CHECK_MS = 60_000

/** Whether the condition is one, policy/breaking/condition.ts knows. */
export const breakerShape: { readonly [Key in keyof BreakerForm]: z.ZodType<BreakerForm[Key]> } = {
  condition: text(
    'It trips if this is true, for example NetworkErrorRatio() > 0.5.',
    MAX_CONDITION,
  ),
  requests: count('It does not trip with fewer responses in its window.', 20, 0, MAX_REQUESTS),
  check: duration(
    'How often the condition is checked; at most every 100 ms.',
    '100ms',
    1,
    LONGEST_CHECK_MS,
  ),
  tripped: duration('How long nothing passes after it has tripped.', '10s'),
  recovery: duration(
    'How long it recovers after that: the share that passes grows from none to a half.',
    '10s',
    0,
  ),
  onTripped: orNull(webHook).meta({
    description: 'Called when it trips: a URL, or a map of url, method, headers, form and body.',
  }),
  onStandby: orNull(webHook).meta({
    description: 'Called when it has recovered: a URL, or such a map.',
  }),
}

export const serverBreaker: z.ZodType<BreakerSpec> = meaning(
  strict(breakerShape, 'Passes over a server when too many of its requests fail.'),
  toBreakerSpec,
)

function toBreakerSpec(form: BreakerForm): BreakerSpec {
  return {
    condition: form.condition,
    requests: form.requests,
    checkMs: form.check,
    fallbackMs: form.tripped,
    recoveryMs: form.recovery,
    onTripped: form.onTripped,
    onStandby: form.onStandby,
  }
}
