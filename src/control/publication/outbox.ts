/**
 * The chunks that one thread has not received yet. Only a few are in flight at a time: what a slow thread has not taken
 * waits here as references, and not as copies of text in its mailbox.
 */
import type { DeltaChunk } from './delta-chunks.ts'

export interface Outbox {
  push(chunks: readonly DeltaChunk[]): void
  /** The thread has applied one more chunk. */
  acknowledged(): void
}

/** Enough that a thread finds the next chunk waiting each time it has applied one. */
const MAX_IN_FLIGHT = 8

export function createOutbox(deliver: (chunk: DeltaChunk) => void): Outbox {
  let queue: (readonly DeltaChunk[])[] = []
  /** Within the first of the queue. */
  let at = 0
  let inFlight = 0

  function next(): DeltaChunk | undefined {
    const chunk = queue[0]?.[at++]
    if (chunk !== undefined || queue.length === 0) return chunk
    queue = queue.slice(1)
    at = 0
    return next()
  }

  function send(): void {
    while (inFlight < MAX_IN_FLIGHT) {
      const chunk = next()
      if (chunk === undefined) return
      inFlight++
      deliver(chunk)
    }
  }

  return {
    push(chunks) {
      queue.push(chunks)
      send()
    },
    acknowledged() {
      inFlight--
      send()
    },
  }
}
