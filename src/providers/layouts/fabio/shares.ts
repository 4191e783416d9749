/**
 * fabio's weights as whole numbers. A weight above 0 is a share of the route's requests; all others divide what is left of 1.
 * Shares of more than 1 together, or of less with nothing left to divide it, are scaled to 1.
 */

/** Of a server. */
export const MAX_WEIGHT = 1_000
/** fabio deals a route's requests to so many slots. */
const SLOTS = 10_000

export interface Shares {
  /** In the order of the destinations; 0: it gets no requests. */
  readonly weights: readonly number[]
  /** Whether they are what fabio would do, to a hundredth of a percent. */
  readonly isExact: boolean
}

/** `written`: 0 if there is none. */
export function shareOut(written: readonly number[]): Shares {
  const sum = written.reduce((all, one) => all + one, 0)
  if (sum === 0) return { weights: written.map(() => 1), isExact: true }
  const others = written.filter((one) => one === 0).length
  const scale = sum > 1 || others === 0 ? 1 / sum : 1
  const rest = others === 0 ? 0 : Math.max(0, 1 - sum) / others
  const slots = written.map((one) => toSlots(one > 0 ? one * scale : rest))
  const divisor = slots.reduce(greatestDivisor, 0)
  const most = Math.max(...slots) / divisor
  if (most <= MAX_WEIGHT) return { weights: slots.map((one) => one / divisor), isExact: true }
  const weights = slots.map((one) =>
    one === 0 ? 0 : Math.max(1, Math.round((one / divisor / most) * MAX_WEIGHT)),
  )
  return { weights, isExact: false }
}

/** A share that is not 0 has a slot. Rounded past the error of binary fractions: 0.07 is 700. */
function toSlots(share: number): number {
  return share === 0 ? 0 : Math.max(1, Math.floor(share * SLOTS + 1e-6))
}

function greatestDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestDivisor(other, one % other)
}
