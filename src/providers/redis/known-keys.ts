/** What the reader knows of each key: its version, its node, and when it expires by the clock of this process. */
import { digestOf } from './read-keys.ts'
import type { ReadKey } from './read-keys.ts'

export interface KnownKeys {
  readonly size: number
  /** A hash of all keys and their versions, independent of their order. */
  readonly fingerprint: string
  /** `found` is null if the key does not exist. Returns true if that is a change. */
  take(path: string, node: number, found: ReadKey | null, nowMs: number): boolean
  /** When the next key may expire, never too late; Infinity if none expires. */
  nextDeadline(): number
  /** Keys whose time to live has passed by that clock, with their nodes. They stay until Redis confirms it. */
  due(nowMs: number): ReadonlyMap<string, number>
}

interface KnownKey {
  readonly mark: string
  readonly node: number
  readonly deadline: number
}

/** The sum of two values is still an exact integer. */
const FINGERPRINT_RANGE = 2 ** 48

export function createKnownKeys(): KnownKeys {
  const keys = new Map<string, KnownKey>()
  let soonest = Infinity
  let sum = 0

  function add(path: string, { mark }: KnownKey, sign: 1 | -1): void {
    const part = Number.parseInt(digestOf(`${path}\0${mark}`).slice(0, 12), 16)
    sum = (sum + sign * part + FINGERPRINT_RANGE) % FINGERPRINT_RANGE
  }

  return {
    get size() {
      return keys.size
    },
    get fingerprint() {
      return sum.toString(16).padStart(12, '0')
    },
    take(path, node, found, nowMs) {
      const before = keys.get(path)
      if (found === null) {
        if (before === undefined) return false
        keys.delete(path)
        add(path, before, -1)
        return true
      }
      const { entry, ttlMs } = found
      const mark = entry.revision ?? entry.fault ?? ''
      const known = { mark, node, deadline: ttlMs === null ? Infinity : nowMs + ttlMs }
      keys.set(path, known)
      soonest = Math.min(soonest, known.deadline)
      if (before?.mark === mark) return false
      if (before !== undefined) add(path, before, -1)
      add(path, known, 1)
      return true
    },
    nextDeadline: () => soonest,
    // Walks all keys, but only once the earliest deadline has passed.
    due(nowMs) {
      const found = new Map<string, number>()
      if (nowMs < soonest) return found
      soonest = Infinity
      for (const [path, { node, deadline }] of keys) {
        if (deadline <= nowMs) found.set(path, node)
        else soonest = Math.min(soonest, deadline)
      }
      return found
    },
  }
}
