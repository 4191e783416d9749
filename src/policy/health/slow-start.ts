/** The share of its turns that a server takes which has come (back): its caches are cold, its programs not compiled yet. */

/** Less would tell it, and us, nothing. */
const FIRST_SHARE = 0.1

/** From FIRST_SHARE to 1 in a line. `sinceMs`: since it came. */
export function slowStartShare(sinceMs: number, slowStartMs: number): number {
  if (slowStartMs <= 0 || sinceMs >= slowStartMs) return 1
  return FIRST_SHARE + (1 - FIRST_SHARE) * (Math.max(0, sinceMs) / slowStartMs)
}
