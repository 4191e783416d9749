/** What the errors of all actuators have in common: one line that says what could not be done, and why. */
import { describeError } from '../../providers/http-client/failure.ts'
import type { Actuator } from '../actuator.ts'

const MAX_REASON = 500

/**
 * An actuator whose errors are `cannot scale the service "shop_vote" to 5: REASON` and `cannot read how many replicas the service
 * "shop_vote" has: REASON`. `read`: what is named in the latter, if it is something else. `causeOf`: what is wrong, by what was
 * thrown.
 */
export function withReasons(
  what: string,
  actuator: Actuator,
  { read = what, causeOf = (error) => error }: ReasonOptions = {},
): Actuator {
  return {
    async setReplicas(replicas, signal) {
      try {
        await actuator.setReplicas(replicas, signal)
      } catch (error) {
        throw cannotScale(what, replicas, causeOf(error))
      }
    },
    async observed(signal) {
      try {
        return await actuator.observed(signal)
      } catch (error) {
        throw failure(`cannot read how many replicas ${read} has`, causeOf(error))
      }
    },
    close: () => actuator.close(),
  }
}

interface ReasonOptions {
  readonly read?: string
  readonly causeOf?: (error: unknown) => unknown
}

/** `cannot scale the service "shop_vote" to 5: REASON`. */
export function cannotScale(what: string, replicas: number, cause: unknown): Error {
  return failure(`cannot scale ${what} to ${replicas}`, cause)
}

function failure(act: string, cause: unknown): Error {
  return new Error(`${act}: ${reasonOf(cause)}`, { cause })
}

/** In one line. */
export function reasonOf(cause: unknown): string {
  const reason = describeError(cause)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
  return reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}...` : reason
}
