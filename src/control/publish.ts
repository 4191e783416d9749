/**
 * The control plane's end of the seam: owns the snapshot that is in force, its number and its slots, and tells every
 * serving thread what changes. Snapshots that follow one another within a few milliseconds become one delta; a thread
 * that is slow finds its deltas waiting, in order, and holds up nobody. A thread that attaches is told everything as one
 * delta with the current number.
 */
import type { Snapshot } from '../model/snapshot.ts'
import type { Page, Scoreboard } from '../scoreboard/scoreboard.ts'
import { diffSnapshots, emptySnapshot } from './diff.ts'
import type { Changes } from './diff.ts'
import { createAcknowledgements } from './in-force.ts'
import { createPlacement } from './placement.ts'
import type { PlacedObjects } from './placement.ts'
import { createSlots } from './slots.ts'

export interface Update {
  readonly kind: 'delta'
  readonly number: number
  /** JSON of a `Delta`, made once for all threads. */
  readonly delta: string
  /** Scoreboard pages that this thread does not hold yet. */
  readonly pages: readonly Page[]
}

export interface Subscriber {
  readonly thread: number
  /** How many scoreboard pages the thread was opened with; later ones travel with the updates. */
  readonly pages: number
  deliver(update: Update): void
}

export interface PublisherOptions {
  /** Snapshots within this time become one delta. */
  readonly conflateMs?: number
  /** How often retired slots are looked at. */
  readonly sweepMs?: number
}

export interface PublisherListener {
  /** The number was posted to the threads. */
  readonly onPublished?: (number: number, changes: Changes) => void
  /** Every attached thread has reached the number; `changedAt` is that of the oldest change it brought. */
  readonly onInForce?: (number: number, changedAt: number) => void
}

export interface Publisher {
  /** Brings the snapshot into force; answers the number it will have. `changedAt`: when its source changed, ms. */
  publish(snapshot: Snapshot, changedAt: number): number
  attach(subscriber: Subscriber): void
  detach(thread: number): void
  /** A thread applied the number; `problems` is all that it could not bring into force as of then (a port in use). */
  acknowledge(thread: number, number: number, problems: readonly string[]): void
  /** The last number posted, 0 before the first. */
  number(): number
  /** The least number over the attached threads, 0 without any. */
  inForce(): number
  whenInForce(number: number): Promise<void>
  /** What the threads reported with their last acknowledgement, each text once. */
  threadProblems(): readonly string[]
  /** All that the last number posted stands for, with its slots. */
  placed(): PlacedObjects
  listen(listener: PublisherListener): void
  stop(): void
}

interface Attached {
  readonly subscriber: Subscriber
  pages: number
}

export function createPublisher(scoreboard: Scoreboard, options: PublisherOptions = {}): Publisher {
  const { conflateMs = 3, sweepMs = 1000 } = options
  const slots = createSlots(scoreboard)
  const placement = createPlacement(slots)
  const listeners: PublisherListener[] = []
  const attached = new Map<number, Attached>()
  const reported = new Map<number, readonly string[]>()
  /** When the changes of a number not yet in force were noticed. */
  const changedAt = new Map<number, number>()
  const acknowledged = createAcknowledgements(advance)

  let current = emptySnapshot
  let number = 0
  let pending: { snapshot: Snapshot; changedAt: number } | null = null
  let timer: NodeJS.Timeout | null = null
  /** Everything as one delta, kept for the other threads that start at the same time; until the next sweep. */
  let whole: { number: number; delta: string } | null = null

  const sweeper = setInterval(() => {
    whole = null
    slots.sweep(attached.size === 0 ? number : acknowledged.least())
  }, sweepMs)
  sweeper.unref()

  function flush(): void {
    timer = null
    if (pending === null) return
    const next = pending
    pending = null
    const changes = diffSnapshots(current, next.snapshot)
    number++
    changedAt.set(number, next.changedAt)
    placement.apply(current, next.snapshot, changes, number)
    current = next.snapshot
    if (attached.size > 0) {
      const delta = JSON.stringify(placement.toDelta(changes, number))
      for (const thread of attached.values()) deliver(thread, delta)
    }
    for (const listener of listeners) listener.onPublished?.(number, changes)
  }

  function deliver(thread: Attached, delta: string): void {
    const pages = scoreboard.pagesFrom(thread.pages)
    thread.pages = scoreboard.pageCount
    thread.subscriber.deliver({ kind: 'delta', number, delta, pages })
  }

  function advance(reached: number): void {
    let oldest = Infinity
    for (const [candidate, at] of changedAt) {
      if (candidate > reached) break
      oldest = Math.min(oldest, at)
      changedAt.delete(candidate)
    }
    if (oldest === Infinity) return
    for (const listener of listeners) listener.onInForce?.(reached, oldest)
  }

  return {
    publish(snapshot, at) {
      if (isSameSnapshot(snapshot, pending?.snapshot ?? current)) {
        return pending === null ? number : number + 1
      }
      pending = { snapshot, changedAt: Math.min(at, pending?.changedAt ?? at) }
      timer ??= setTimeout(flush, conflateMs)
      return number + 1
    },
    attach(subscriber) {
      const thread = { subscriber, pages: subscriber.pages }
      attached.set(subscriber.thread, thread)
      acknowledged.attach(subscriber.thread)
      if (number === 0) return
      if (whole?.number !== number) {
        const everything = diffSnapshots(emptySnapshot, current)
        whole = { number, delta: JSON.stringify(placement.toDelta(everything, number)) }
      }
      deliver(thread, whole.delta)
    },
    detach(thread) {
      attached.delete(thread)
      reported.delete(thread)
      acknowledged.detach(thread)
    },
    acknowledge(thread, reached, problems) {
      if (!attached.has(thread)) return
      reported.set(thread, problems)
      acknowledged.record(thread, reached)
    },
    number: () => number,
    inForce: () => acknowledged.least(),
    whenInForce: (wanted) => acknowledged.whenLeast(wanted),
    threadProblems: () => [...new Set([...reported.values()].flat())],
    placed: () => placement.list(current),
    listen(listener) {
      listeners.push(listener)
    },
    stop() {
      if (timer !== null) clearTimeout(timer)
      timer = null
      pending = null
      clearInterval(sweeper)
    },
  }
}

// Admission hands out the same maps as long as nothing in them has changed.
function isSameSnapshot(a: Snapshot, b: Snapshot): boolean {
  return a.listeners === b.listeners && a.backends === b.backends && a.frontends === b.frontends
}
