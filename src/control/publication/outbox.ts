/**
 * What one thread has still to be told. Only a few parts are under way at a time: a thread that is slow keeps its deltas
 * waiting here, as references, and not as copies of their text in its mailbox.
 */
import type { Part } from './parts.ts'

export interface Outbox {
  push(parts: readonly Part[]): void
  /** The thread has applied one more. */
  taken(): void
}

/** Enough for a thread to find the next one waiting whenever it has done one. */
const UNDER_WAY = 8

export function createOutbox(deliver: (part: Part) => void): Outbox {
  let waiting: (readonly Part[])[] = []
  let at = 0
  let underWay = 0

  function next(): Part | undefined {
    const part = waiting[0]?.[at++]
    if (part !== undefined || waiting.length === 0) return part
    waiting = waiting.slice(1)
    at = 0
    return next()
  }

  function send(): void {
    while (underWay < UNDER_WAY) {
      const part = next()
      if (part === undefined) return
      underWay++
      deliver(part)
    }
  }

  return {
    push(parts) {
      waiting.push(parts)
      send()
    },
    taken() {
      underWay--
      send()
    },
  }
}
