/** Which apps to read again: those that events name, or all of them, but not all too often. */
import type { Hint } from './events.ts'

export interface StaleApps {
  add(hint: Hint): void
  /** The next read is of all apps. */
  addAll(): void
  /** What to read now: ids of apps; null: all. */
  take(): ReadonlySet<string> | null
  /** All apps were read and translated, which took so long: it costs as much as there are apps. */
  readAll(tookMs: number): void
  close(): void
}

export interface StaleAppsOptions {
  /** All are read after this time at the latest, also if events always name some. */
  readonly longestMs: number
  /** Something is to be read. */
  readonly onStale: () => void
  /** performance.now(). */
  readonly now: () => number
}

/** More apps than these are read as a list of all. */
const MAX_SINGLE = 10
/** Times as long as a read of all apps took, events cause no further one. */
const PAUSES = 10
const LONGEST_PAUSE_MS = 2_000

export function createStaleApps({ longestMs, onStale, now }: StaleAppsOptions): StaleApps {
  let ids = new Set<string>()
  let isAll = true
  let lastAllAt = -Infinity
  let nextAllAt = -Infinity
  let timer: NodeJS.Timeout | null = null

  function markAll(): void {
    timer = null
    isAll = true
    onStale()
  }

  return {
    add(hint) {
      if (hint === null) return
      if (hint === 'all') {
        const wait = nextAllAt - now()
        if (wait <= 0) markAll()
        else timer ??= setTimeout(markAll, wait)
        return
      }
      // Beyond the limit their number is all that matters.
      for (const id of hint) if (ids.size <= MAX_SINGLE) ids.add(id)
      onStale()
    },
    addAll() {
      isAll = true
    },
    take() {
      const isDue = now() - lastAllAt >= longestMs
      const taken = isAll || isDue || ids.size === 0 || ids.size > MAX_SINGLE ? null : ids
      ids = new Set()
      if (taken !== null) return taken
      isAll = false
      lastAllAt = now()
      return null
    },
    readAll(tookMs) {
      nextAllAt = now() + Math.min(PAUSES * tookMs, LONGEST_PAUSE_MS)
    },
    close() {
      if (timer !== null) clearTimeout(timer)
    },
  }
}
