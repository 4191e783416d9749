/**
 * Which requests a server or a breaker takes if it takes only a share of them (SHARED.trafficShare). The multiples of the golden ratio,
 * modulo one, are spread evenly over every interval: for any share, those below it come at even distances, and a changed share
 * is exact from the next request on. The arithmetic is exact in 32 bits, so that a ticket may overflow.
 */
const GOLDEN_RATIO = 0x9e37_79b1
const THOUSANDTH = 2 ** 32 / 1000

/** `share` as in SHARED.trafficShare: 0 all, negative none, 1 to 999 so many of a thousand. `ticket`: 0, 1, 2 ... over all threads. */
export function takesRequest(share: number, ticket: number): boolean {
  if (share === 0) return true
  return Math.imul(ticket, GOLDEN_RATIO) >>> 0 < share * THOUSANDTH
}
