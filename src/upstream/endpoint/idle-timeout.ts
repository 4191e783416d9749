/** How long an idle connection is kept. */

/** Node's servers announce 5 s and mean it: a request must not meet the close. */
const MARGIN_MS = 4_000
const LEAST_MS = 500

/** `announcedSeconds`: of the server, 0 when it says nothing. */
export function idleTimeoutMs(idleMs: number, announcedSeconds: number): number {
  if (announcedSeconds === 0) return idleMs
  return Math.min(idleMs, Math.max(LEAST_MS, announcedSeconds * 1000 - MARGIN_MS))
}
