/**
 * Servers that are no longer declared, with all that was known of them. A lease that lapses is often renewed within a second,
 * and an edit may take out what the next one puts in again: neither makes a bad server a good one.
 */
import type { EjectorMemory } from '../policy/health/ejector.ts'
import type { MonitoredServer } from './monitored-server.ts'

export interface RecentlyRemoved {
  add(server: MonitoredServer, ejections: EjectorMemory | null): void
  /** The one that comes back, once; null: nothing is known of it. In another slot nothing it counted is there any more. */
  take(key: string, slot: number): Returned | null
  tick(): void
}

export interface Returned {
  readonly server: MonitoredServer
  readonly ejections: EjectorMemory | null
  /** It was away so shortly that it will be the same program, in the same state. */
  readonly isLapse: boolean
}

const LAPSE_MS = 3_000
/** Its slot is kept about as long, see placement.ts. */
const KEPT_MS = 10_000
/** The oldest make room. */
const MOST = 1000

interface Removed {
  readonly server: MonitoredServer
  readonly ejections: EjectorMemory | null
  readonly since: number
}

export function createRecentlyRemoved(now: () => number): RecentlyRemoved {
  /** The oldest first. */
  const recentlyRemoved = new Map<string, Removed>()

  function forget({ server }: Removed): void {
    recentlyRemoved.delete(server.key)
    // Until now it could have come back tripped.
    server.breaker?.remove()
  }

  function forgetWhile(isDue: (entry: Removed) => boolean): void {
    for (const entry of recentlyRemoved.values()) {
      if (!isDue(entry)) return
      forget(entry)
    }
  }

  return {
    add(server, ejections) {
      recentlyRemoved.set(server.key, { server, ejections, since: now() })
      forgetWhile(() => recentlyRemoved.size > MOST)
    },
    take(key, slot) {
      const entry = recentlyRemoved.get(key)
      if (entry === undefined) return null
      if (entry.server.slot.number !== slot) {
        forget(entry)
        return null
      }
      recentlyRemoved.delete(key)
      const { server, ejections, since } = entry
      return { server, ejections, isLapse: now() - since <= LAPSE_MS }
    },
    tick() {
      const at = now()
      forgetWhile(({ since }) => at - since > KEPT_MS)
    },
  }
}
