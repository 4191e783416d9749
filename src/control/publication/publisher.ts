/**
 * The control plane's side of the boundary to the serving threads. The publisher owns the published snapshot, its number
 * and its slots, and sends every thread what changes. Snapshots that follow one another within a few milliseconds become
 * one delta. Each thread has its own queue, so that a slow thread does not delay others. A thread that attaches gets
 * everything as one delta with the current number. A large delta is sent in chunks, see delta-chunks.ts.
 */
import type { Backend, Delta, Frontend, Listener, Snapshot } from '../../model/snapshot.ts'
import type { AddedMemory, BoardSize, Scoreboard } from '../../scoreboard/scoreboard.ts'
import { uniteChanged, type ChangedIds } from '../admission/tracked-map.ts'
import { diffFromEmpty, diffSnapshots, EMPTY_DIFF } from './diff.ts'
import type { Objects, SnapshotDiff } from './diff.ts'
import { describeFault, type OnFault } from '../../observe/fault.ts'
import { createAcknowledgements } from './acknowledgements.ts'
import { createOutbox } from './outbox.ts'
import type { Outbox } from './outbox.ts'
import { splitDelta } from './delta-chunks.ts'
import type { DeltaChunk } from './delta-chunks.ts'
import { createPlacement } from './placement.ts'
import type { PlacedObjects } from './placement.ts'
import { runAfter } from './run-after.ts'

export interface Update {
  readonly kind: 'delta'
  /** The thread must acknowledge it once applied. All chunks of a large delta but the last have the number before it. */
  readonly number: number
  /** JSON of a `Delta`. */
  readonly delta: string
  /** The memory of the scoreboard that this thread does not have yet. */
  readonly added: AddedMemory
}

export interface Subscriber {
  readonly thread: number
  /** The size of the scoreboard that the thread was opened with; memory added later travels with the updates. */
  readonly boardSize: BoardSize
  deliver(update: Update): void
}

export interface PublisherOptions {
  /** Snapshots that follow one another within this time become one delta. */
  readonly conflateMs?: number
  /** How often retired slots are swept. */
  readonly sweepMs?: number
  /** An object caused an exception and stays as it was; or (null) a whole delta did, which is then not posted. */
  readonly onFault?: OnFault
}

/** An object that could not be published. */
export interface Unplaced {
  readonly kind: 'listener' | 'backend' | 'frontend'
  readonly id: string
  readonly message: string
  /** Whether an older version of it is in force. */
  readonly serving: boolean
}

export interface PublisherListener {
  /** Before the number is posted: what is in an object's slot now is the first that a thread sees of it. */
  readonly onPlaced?: (delta: Delta) => void
  /** The number was posted to the threads. */
  readonly onPublished?: (number: number, changes: SnapshotDiff) => void
  /** Every attached thread has reached the number. `changedAt`: of the oldest change in it. */
  readonly onInForce?: (number: number, changedAt: number) => void
}

export interface Publisher {
  /**
   * Publishes the objects and returns the number that they get. Only those that `changed` are compared, and the maps may be
   * live. `changedAt`: when the source changed, of performance.now().
   */
  publish(snapshot: Objects, changedAt: number, changed: ChangedIds): number
  attach(subscriber: Subscriber): void
  detach(thread: number): void
  /** A thread has applied the number. `problems`: everything that it cannot bring into force (a port in use). */
  acknowledge(thread: number, number: number, problems: readonly string[]): void
  /** The problems of a thread have changed since its last acknowledgement. */
  report(thread: number, problems: readonly string[]): void
  /** The last number posted, 0 before the first. */
  number(): number
  /** What was published last has this number, or gets it a moment later: a change that follows another closely is not posted at once. */
  latest(): number
  /** The least number over the attached threads, 0 without any. */
  inForce(): number
  whenInForce(number: number): Promise<void>
  /** The current problems of all threads, each text once. */
  threadProblems(): readonly string[]
  /** Objects that could not be published, until they change. */
  faults(): readonly Unplaced[]
  /** Everything that was posted, with its slots. */
  placed(): PlacedObjects
  /** The same objects without slots. The maps are live. */
  published(): Snapshot
  listen(listener: PublisherListener): void
  stop(): void
}

export function createPublisher(scoreboard: Scoreboard, options: PublisherOptions = {}): Publisher {
  const { conflateMs = 5, sweepMs = 1000, onFault = () => {} } = options
  const placement = createPlacement(scoreboard)
  const listeners: PublisherListener[] = []
  const attached = new Map<number, Outbox>()
  const reported = new Map<number, readonly string[]>()
  /** By number that is not in force yet: when its oldest change happened. */
  const changedAt = new Map<number, number>()
  const acknowledged = createAcknowledgements(advance)

  /** What was posted last. Its maps are copies: those of a snapshot are live. */
  const current = {
    listeners: new Map<string, Listener>(),
    backends: new Map<string, Backend>(),
    frontends: new Map<string, Frontend>(),
  }
  let number = 0
  let pending: Pending | null = null
  let cancelFlush: (() => void) | null = null
  let flushedAt = -Infinity
  const unplaced = new Map<string, Unplaced>()
  /** Everything as one delta, kept until the next sweep for threads that attach at the same time. */
  let whole: { number: number; chunks: readonly DeltaChunk[] } | null = null

  const sweeper = setInterval(() => {
    whole = null
    const before = scoreboard.size.tablesGone
    placement.sweep(attached.size === 0 ? number : acknowledged.least())
    // Threads keep removed tables until a delta says that they are gone.
    if (scoreboard.size.tablesGone !== before && pending === null) pushEmptyDelta()
  }, sweepMs)
  sweeper.unref()

  function flush(): void {
    cancelFlush = null
    flushedAt = performance.now()
    if (pending === null) return
    const next = pending
    pending = null
    try {
      post(next)
    } catch (error) {
      // The next snapshot tries it again.
      pending = next
      onFault(null, error)
    }
  }

  function post(next: Pending): void {
    const declared = diffSnapshots(current, next.snapshot, next.changed)
    for (const key of idsOf(declared)) unplaced.delete(key)
    const placed = placement.place(declared, setAside)
    const { changes } = placed
    const delta = placement.apply(current, next.snapshot, placed, number + 1)
    number++
    changedAt.set(number, next.changedAt)
    applyChanges(current, changes)
    notify((listener) => listener.onPlaced?.(delta))
    const chunks = attached.size === 0 ? [] : splitDelta(delta, number - 1)
    for (const outbox of attached.values()) outbox.push(chunks)
    notify((listener) => listener.onPublished?.(number, changes))
  }

  function latest(): number {
    return pending === null ? number : number + 1
  }

  /** A listener that throws does not keep the change from the others or from the threads. */
  function notify(call: (listener: PublisherListener) => void): void {
    for (const listener of listeners) {
      try {
        call(listener)
      } catch (error) {
        onFault(null, error)
      }
    }
  }

  function setAside(object: Parameters<OnFault>[0], error: unknown): void {
    onFault(object, error)
    if (object === null) return
    const { kind, id } = object
    if (kind !== 'listener' && kind !== 'backend' && kind !== 'frontend') return
    const serving = current[`${kind}s`].has(id)
    unplaced.set(`${kind} ${id}`, { kind, id, message: describeFault(error), serving })
  }

  /** Posts the current number again, for the tables that are gone from the scoreboard. */
  function pushEmptyDelta(): void {
    const chunks = splitDelta(placement.toDelta(EMPTY_DIFF, number), number)
    for (const outbox of attached.values()) outbox.push(chunks)
  }

  function openOutbox(subscriber: Subscriber): Outbox {
    let { boardSize } = subscriber
    return createOutbox((chunk) => {
      const added = scoreboard.addedSince(boardSize)
      boardSize = scoreboard.size
      subscriber.deliver({ kind: 'delta', number: chunk.number, delta: chunk.text(), added })
    })
  }

  function advance(reached: number): void {
    let oldest = Infinity
    for (const [candidate, at] of changedAt) {
      if (candidate > reached) break
      oldest = Math.min(oldest, at)
      changedAt.delete(candidate)
    }
    if (oldest === Infinity) return
    notify((listener) => listener.onInForce?.(reached, oldest))
  }

  return {
    publish(snapshot, at, changed) {
      if (isNothing(changed)) return latest()
      pending = {
        snapshot,
        changedAt: Math.min(at, pending?.changedAt ?? at),
        changed: pending === null ? changed : uniteChanged(pending.changed, changed),
      }
      // The first change after a pause is posted immediately; those that follow closely become one delta.
      cancelFlush ??= runAfter(flush, flushedAt + conflateMs - performance.now())
      return latest()
    },
    attach(subscriber) {
      const outbox = openOutbox(subscriber)
      attached.set(subscriber.thread, outbox)
      acknowledged.attach(subscriber.thread)
      if (number === 0) return
      if (whole?.number !== number) {
        const everything = placement.toDelta(diffFromEmpty(current), number)
        whole = { number, chunks: splitDelta(everything, 0) }
      }
      outbox.push(whole.chunks)
    },
    detach(thread) {
      attached.delete(thread)
      reported.delete(thread)
      acknowledged.detach(thread)
    },
    acknowledge(thread, reached, problems) {
      const outbox = attached.get(thread)
      if (outbox === undefined) return
      reported.set(thread, problems)
      acknowledged.record(thread, reached)
      outbox.acknowledged()
    },
    report(thread, problems) {
      if (attached.has(thread)) reported.set(thread, problems)
    },
    number: () => number,
    latest,
    inForce: () => acknowledged.least(),
    whenInForce: (wanted) => acknowledged.whenReached(wanted),
    threadProblems: () => [...new Set([...reported.values()].flat())],
    faults: () => [...unplaced.values()],
    placed: () => placement.list(current),
    published: () => current,
    listen(listener) {
      listeners.push(listener)
    },
    stop() {
      cancelFlush?.()
      cancelFlush = null
      pending = null
      clearInterval(sweeper)
    },
  }
}

function* idsOf({ upserts, deletes }: SnapshotDiff): Generator<string> {
  for (const kind of ['listener', 'backend', 'frontend'] as const) {
    for (const { id } of upserts[`${kind}s`]) yield `${kind} ${id}`
    for (const id of deletes[`${kind}s`]) yield `${kind} ${id}`
  }
}

interface Pending {
  readonly snapshot: Objects
  readonly changedAt: number
  readonly changed: ChangedIds
}

function isNothing({ listeners, backends, frontends }: ChangedIds): boolean {
  return listeners.size + backends.size + frontends.size === 0
}

function applyChanges(
  to: {
    readonly listeners: Map<string, Listener>
    readonly backends: Map<string, Backend>
    readonly frontends: Map<string, Frontend>
  },
  { upserts, deletes }: SnapshotDiff,
): void {
  for (const object of upserts.listeners) to.listeners.set(object.id, object)
  for (const object of upserts.backends) to.backends.set(object.id, object)
  for (const object of upserts.frontends) to.frontends.set(object.id, object)
  for (const id of deletes.listeners) to.listeners.delete(id)
  for (const id of deletes.backends) to.backends.delete(id)
  for (const id of deletes.frontends) to.frontends.delete(id)
}
