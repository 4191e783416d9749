/**
 * Which turns are taken by who gets only a share of them (SHARED.admit). The multiples of the golden ratio, modulo one, fall
 * evenly over every interval: whatever the share, those that fall below it come at even distances, and a share that changes
 * between two turns is right from the next one on. Exact in 32 bits, so that a ticket that overflows goes on smoothly.
 */
const GOLDEN_RATIO = 0x9e37_79b1
const TURNS_OF_A_THOUSANDTH = 2 ** 32 / 1000

/** `admit` as in SHARED: 0 all, negative none, 1 to 999 so many of a thousand. `ticket`: 0, 1, 2 ... over all threads. */
export function isAdmitted(admit: number, ticket: number): boolean {
  if (admit === 0) return true
  return Math.imul(ticket, GOLDEN_RATIO) >>> 0 < admit * TURNS_OF_A_THOUSANDTH
}
