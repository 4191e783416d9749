/** What the reader knows of each key: which version, on which home, and until when it lives by a clock of our own. */
import { digestOf } from './reading.ts'
import type { ReadKey } from './reading.ts'

export interface Held {
  readonly size: number
  /** Of all keys and versions, in any order: whoever holds the same has the same. */
  readonly fingerprint: string
  /** Null: not there. True when that is something new. */
  take(path: string, home: number, found: ReadKey | null, nowMs: number): boolean
  /** When the next key may have gone; Infinity when none will. Never later than that. */
  nextDeadline(): number
  /** Keys whose time is over as far as we know, with their homes. They stay until Redis says so. */
  due(nowMs: number): ReadonlyMap<string, number>
}

interface HeldKey {
  readonly mark: string
  readonly home: number
  readonly deadline: number
}

/** Exact in a number, also when one is added to another. */
const fingerprintRange = 2 ** 48

export function createHeld(): Held {
  const keys = new Map<string, HeldKey>()
  let soonest = Infinity
  let sum = 0

  function add(path: string, { mark }: HeldKey, sign: 1 | -1): void {
    const part = Number.parseInt(digestOf(`${path}\0${mark}`).slice(0, 12), 16)
    sum = (sum + sign * part + fingerprintRange) % fingerprintRange
  }

  return {
    get size() {
      return keys.size
    },
    get fingerprint() {
      return sum.toString(16).padStart(12, '0')
    },
    take(path, home, found, nowMs) {
      const before = keys.get(path)
      if (found === null) {
        if (before === undefined) return false
        keys.delete(path)
        add(path, before, -1)
        return true
      }
      const { entry, ttlMs } = found
      const mark = entry.revision ?? entry.fault ?? ''
      const held = { mark, home, deadline: ttlMs === null ? Infinity : nowMs + ttlMs }
      keys.set(path, held)
      soonest = Math.min(soonest, held.deadline)
      if (before?.mark === mark) return false
      if (before !== undefined) add(path, before, -1)
      add(path, held, 1)
      return true
    },
    nextDeadline: () => soonest,
    // Looks at every key, but only when one was due at the last look: heartbeats put that off again and again.
    due(nowMs) {
      const found = new Map<string, number>()
      if (nowMs < soonest) return found
      soonest = Infinity
      for (const [path, { home, deadline }] of keys) {
        if (deadline <= nowMs) found.set(path, home)
        else soonest = Math.min(soonest, deadline)
      }
      return found
    },
  }
}
