/** A circuit breaker, as the file writes it: of a server (in its backend), and of a frontend, which adds a fallback. */
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
  condition: text('When it trips: NetworkErrorRatio() > 0.5', MAX_CONDITION),
  requests: count('With fewer answers in its window it does not trip.', 20, 0, MAX_REQUESTS),
  check: duration('How often it is looked at, at most every 100ms.', '100ms', 1, LONGEST_CHECK_MS),
  tripped: duration('How long nothing passes then.', '10s'),
  recovery: duration('In which the share that passes grows from none to a half.', '10s', 0),
  onTripped: orNull(webHook).meta({ description: 'Called when it trips.' }),
  onStandby: orNull(webHook).meta({ description: 'Called when it has recovered.' }),
}

export const serverBreaker: z.ZodType<BreakerSpec> = meaning(
  strict(breakerShape, 'Passes over a server whose answers are bad.'),
  toBreakerSpec,
)

export function toBreakerSpec(form: BreakerForm): BreakerSpec {
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
