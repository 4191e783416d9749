/** What the errors of all actuators have in common: one line that says what could not be done, and why. */
import { describeError } from '../../providers/http-client/failure.ts'

const MAX_REASON = 500

/** `cannot scale the service "shop_vote" to 5: REASON`. */
export function cannotScale(what: string, replicas: number, cause: unknown): Error {
  return failure(`cannot scale ${what} to ${replicas}`, cause)
}

/** `cannot read how many replicas the service "shop_vote" has: REASON`. */
export function cannotObserve(what: string, cause: unknown): Error {
  return failure(`cannot read how many replicas ${what} has`, cause)
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
