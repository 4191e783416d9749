/**
 * HTTP/1 connections gather the small texts that they write, and give them to their sockets at the end of the event loop's turn: in
 * its check phase, after the sockets that are ready have been read. So the code that reads, and then the code that writes, stays in
 * the processor's caches, and what a connection writes in several pieces is one system call (bench scenarios `small` and `tls`).
 */

/** Its `flush` gives the socket what it holds back. */
export interface TextWriter {
  flush(): void
  /** An exception of `flush`. */
  caught(error: unknown): void
}

/** So many at once do not wait for the end of a long turn, so that servers begin with their work meanwhile. */
const MOST_WAITING = 32

const waiting: TextWriter[] = []
let isPlanned = false
let isFlushing = false

export function writeAtTurnEnd(writer: TextWriter): void {
  if (waiting.push(writer) >= MOST_WAITING) return flushAll()
  if (isPlanned) return
  isPlanned = true
  setImmediate(endTurn)
}

function endTurn(): void {
  isPlanned = false
  flushAll()
}

function flushAll(): void {
  // What a flush adds is flushed by the same loop.
  if (isFlushing) return
  isFlushing = true
  try {
    for (const writer of waiting) flushOne(writer)
    waiting.length = 0
  } finally {
    isFlushing = false
  }
}

function flushOne(writer: TextWriter): void {
  try {
    writer.flush()
  } catch (error) {
    writer.caught(error)
  }
}
