/**
 * Servers that are no longer declared, with all their state. A lease that lapses is often renewed within a second, and an edit
 * may remove what the next one adds again: neither makes a bad server a good one.
 */
import type { EjectorMemory } from '../policy/health/ejector.ts'
import type { MonitoredServer } from './monitored-server.ts'

export interface RecentlyRemoved {
  add(server: MonitoredServer, ejections: EjectorMemory | null): void
  /** Removes and returns the server; null: it is not known, or has another slot now, where its counts are gone. */
  take(key: string, slot: number): Returned | null
  tick(): void
}

export interface Returned {
  readonly server: MonitoredServer
  readonly ejections: EjectorMemory | null
  /** It was absent so shortly that it is the same program, in the same state. */
  readonly isLapse: boolean
}

const LAPSE_MS = 3_000
/** Its slot is kept about as long, see control/publication/placement.ts. */
const KEPT_MS = 10_000
/** Beyond this the oldest are forgotten. */
const MAX_REMOVED = 1000

interface Removed {
  readonly server: MonitoredServer
  readonly ejections: EjectorMemory | null
  readonly since: number
}

export function createRecentlyRemoved(now: () => number): RecentlyRemoved {
  /** The oldest first. */
  const removed = new Map<string, Removed>()

  function forget({ server }: Removed): void {
    removed.delete(server.key)
    // Until now it could have returned tripped.
    server.breaker?.remove()
  }

  function forgetOldest(isDue: (entry: Removed) => boolean): void {
    for (const entry of removed.values()) {
      if (!isDue(entry)) return
      forget(entry)
    }
  }

  return {
    add(server, ejections) {
      removed.set(server.key, { server, ejections, since: now() })
      forgetOldest(() => removed.size > MAX_REMOVED)
    },
    take(key, slot) {
      const entry = removed.get(key)
      if (entry === undefined) return null
      if (entry.server.slot.number !== slot) {
        forget(entry)
        return null
      }
      removed.delete(key)
      const { server, ejections, since } = entry
      return { server, ejections, isLapse: now() - since <= LAPSE_MS }
    },
    tick() {
      const at = now()
      forgetOldest(({ since }) => at - since > KEPT_MS)
    },
  }
}
