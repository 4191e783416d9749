/** Subtracted from the announced timeout, so that a request does not meet the close: Node's servers close after exactly 5 s. */
const MARGIN_MS = 4_000
const MIN_MS = 500

/** How long an idle connection is kept, ms. `announcedSeconds`: the timeout in the server's Keep-Alive field, 0 without one. */
export function idleTimeoutMs(idleMs: number, announcedSeconds: number): number {
  if (announcedSeconds === 0) return idleMs
  return Math.min(idleMs, Math.max(MIN_MS, announcedSeconds * 1000 - MARGIN_MS))
}
