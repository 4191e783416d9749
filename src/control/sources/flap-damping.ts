/**
 * Damping of servers that flap: each removal of a server costs requests. A removal is applied immediately; a return is damped.
 * Three returns within a minute are free; after that the server must be declared for 1, 2, 4 ... 30 s before it is in force
 * again. After a minute without a change its history is dropped.
 */
import { exponentialBackoff } from '../../model/backoff.ts'

export interface FlapDamping {
  /** The server was removed. */
  removed(id: string, now: number): void
  /** The server is declared, again or for the first time. Returns how long it must wait, in ms. */
  declared(id: string, now: number): number
  /** How often a server came back within a minute, since the start. */
  readonly flaps: number
}

interface History {
  lastAt: number
  /** The times of the latest returns, at most FREE_RETURNS. */
  returns: readonly number[]
  /** How often it had to wait. */
  waits: number
}

const FREE_RETURNS = 3
const QUIET_MS = 60_000
const FIRST_WAIT_MS = 1000
const MAX_WAIT_MS = 30_000
const MAX_HISTORIES = 10_000

export function createFlapDamping(): FlapDamping {
  /** The one without a change for longest first. */
  const histories = new Map<string, History>()
  let flaps = 0

  function isQuiet({ lastAt }: History, now: number): boolean {
    return now - lastAt >= QUIET_MS
  }

  function touch(id: string, history: History, now: number): void {
    history.lastAt = now
    histories.delete(id)
    histories.set(id, history)
    for (const [oldest, old] of histories) {
      if (histories.size <= MAX_HISTORIES && !isQuiet(old, now)) return
      histories.delete(oldest)
    }
  }

  function find(id: string, now: number): History | null {
    const history = histories.get(id)
    return history === undefined || isQuiet(history, now) ? null : history
  }

  return {
    removed(id, now) {
      touch(id, find(id, now) ?? { lastAt: now, returns: [], waits: 0 }, now)
    },
    declared(id, now) {
      const history = find(id, now)
      if (history === null) return 0
      flaps++
      const recent = history.returns.filter((at) => now - at < QUIET_MS)
      history.returns = [...recent, now].slice(-FREE_RETURNS)
      touch(id, history, now)
      if (recent.length < FREE_RETURNS) return 0
      return exponentialBackoff(FIRST_WAIT_MS, history.waits++, MAX_WAIT_MS)
    },
    get flaps() {
      return flaps
    },
  }
}
