/**
 * Limits the concurrent requests of a backend to what it serves without queueing, found by its latency: `adaptive: { max: 200 }`.
 * Workers take permits and add up how long responses took. The control plane finds the limit (policy/limiting/adaptive-limit.ts)
 * and writes it to SHARED.limit of the slot. Requests above it get a 503.
 */
import { errorResponse } from '../http/message/local-response.ts'
import { ERRORS, ExchangeError } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { GradientSpec } from '../policy/limiting/adaptive-limit.ts'
import { releasePermit, IN_FLIGHT, takePermit } from '../policy/limiting/permits.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, sharedLoad, type Slot } from '../scoreboard/scoreboard.ts'
import type { MiddlewareKind, ExchangeOutcome } from './middleware.ts'

const MOST = 100_000

export const adaptive: MiddlewareKind<GradientSpec> = {
  kind: 'adaptive',
  options: ({ strict, limit, ratio, meaning }) =>
    meaning(
      strict(
        {
          initial: limit('The limit at the start, from min to max.', MOST).prefault(20),
          min: limit('The limit never falls below this.', MOST).prefault(5),
          max: limit('The limit never rises above this.', MOST).prefault(200),
          tolerance: ratio(
            'The limit falls when latency is more than this many times its long-term average.',
            1,
            10,
          ).prefault(1.5),
          smoothing: ratio('How much of each newly found limit is taken over.', 0.01, 1).prefault(
            0.2,
          ),
        },
        "Limits the backend's concurrent requests to what it serves without queueing, found by its latency; the others get a 503.",
      ),
      (spec, complain) => {
        if (spec.min > spec.max) complain('must not be above max', ['min'])
        else if (spec.initial < spec.min || spec.initial > spec.max)
          complain('must be from min to max', ['initial'])
        return spec
      },
    ),
  state: { in: 'slot', of: 'backend' },
  compile({ initial }, { slot }) {
    const overloaded = errorResponse(
      new ExchangeError(
        'OVERLOADED',
        'the backend has as many requests in flight as it serves in time',
      ),
    )
    return {
      onRequest(exchange, context) {
        const limit = sharedLoad(slot, SHARED.limit)
        // 0: the control plane has not set it yet.
        if (!takePermit(slot, IN_FLIGHT, limit === 0 ? initial : limit)) return overloaded
        const enteredAt = performance.now()
        context.onEnd((end) => {
          releasePermit(slot, IN_FLIGHT)
          if (isAboutServers(exchange, end))
            countLatency(slot, end.headAt - Math.max(enteredAt, exchange.bodyAt))
        })
        return null
      },
    }
  },
}

/** What the control plane runs, from options that were admitted. */
export function adaptiveSpecOf(options: unknown): GradientSpec {
  return options as GradientSpec
}

/** A response of a server, or a timeout. The proxy's own responses and other failures are quick for other reasons. */
function isAboutServers(
  { reason }: Exchange,
  { status, isClientsFault }: ExchangeOutcome,
): boolean {
  // The time of a tunnel is that of a conversation.
  if (isClientsFault || status === 0 || status === 101) return false
  return reason === null || ERRORS[reason].status === 504
}

/**
 * COUNT.responses and COUNT.headMs are this middleware's own in its slot. Time in earlier middlewares, and time that the client
 * took to send its body, does not count.
 */
function countLatency(slot: Slot, ms: number): void {
  count(slot, COUNT.responses, 1)
  count(slot, COUNT.headMs, Math.max(0, ms))
}
