/**
 * The control plane's end of the seam: owns the snapshot that is in force, its number and its slots, and tells every
 * serving thread what changes. Snapshots that follow one another within a few milliseconds become one delta; a thread
 * that is slow finds its deltas waiting, in order, and holds up nobody. A thread that attaches is told everything as one
 * delta with the current number. A large delta goes out in parts, see parts.ts.
 */
import type { Backend, Delta, Frontend, Listener, Snapshot } from '../../model/snapshot.ts'
import type { AddedMemory, BoardSize, Scoreboard } from '../../scoreboard/scoreboard.ts'
import { uniteChanged, type ChangedIds } from '../admission/tracked-map.ts'
import { diffSnapshots, emptySnapshot } from './diff.ts'
import type { Changes } from './diff.ts'
import { describeFault, type OnFault } from '../../observe/fault.ts'
import { createAcknowledgements } from './in-force.ts'
import { createOutbox } from './outbox.ts'
import type { Outbox } from './outbox.ts'
import { splitDelta } from './parts.ts'
import type { Part } from './parts.ts'
import { createPlacement } from './placement.ts'
import type { PlacedObjects } from './placement.ts'
import { runSoon } from './soon.ts'

export interface Update {
  readonly kind: 'delta'
  /** To be acknowledged once it is applied. All parts of a large delta but the last have the number before it. */
  readonly number: number
  /** JSON of a `Delta`, made once for all threads. */
  readonly delta: string
  /** Of the scoreboard, what this thread does not hold yet. */
  readonly added: AddedMemory
}

export interface Subscriber {
  readonly thread: number
  /** How much of the scoreboard the thread was opened with; what is added later travels with the updates. */
  readonly held: BoardSize
  deliver(update: Update): void
}

export interface PublisherOptions {
  /** Snapshots that follow one another within this time become one delta. */
  readonly conflateMs?: number
  /** How often retired slots are looked at. */
  readonly sweepMs?: number
  /** A throw met an object, which stays as it was; or all of a number, which is then not posted. */
  readonly onFault?: OnFault
}

/** An object that could not be published: what of it is in force stays. */
export interface Unpublished {
  readonly kind: 'listener' | 'backend' | 'frontend'
  readonly id: string
  readonly message: string
  /** An older version of it is in force. */
  readonly serving: boolean
}

export interface PublisherListener {
  /** Before any thread hears of the number: what stands in a slot now is the first that a thread sees of its object. */
  readonly onPlaced?: (delta: Delta) => void
  /** The number was posted to the threads; `delta` has the changes with their slots. */
  readonly onPublished?: (number: number, changes: Changes, delta: Delta) => void
  /** Every attached thread has reached the number; `changedAt` is that of the oldest change it brought. */
  readonly onInForce?: (number: number, changedAt: number) => void
}

export interface Publisher {
  /**
   * Brings the snapshot into force; answers the number it will have. `changedAt`: when its source changed, performance.now(). `changed`:
   * what alone may be different since the last call; then only that is looked at, and the maps may be live ones.
   */
  publish(snapshot: Snapshot, changedAt: number, changed?: ChangedIds): number
  attach(subscriber: Subscriber): void
  detach(thread: number): void
  /** A thread applied the number; `problems` is all that it could not bring into force as of then (a port in use). */
  acknowledge(thread: number, number: number, problems: readonly string[]): void
  /** What a thread cannot bring into force is another thing than it was at its last acknowledgement. */
  report(thread: number, problems: readonly string[]): void
  /** The last number posted, 0 before the first. */
  number(): number
  /** The least number over the attached threads, 0 without any. */
  inForce(): number
  whenInForce(number: number): Promise<void>
  /** What the threads reported with their last acknowledgement, each text once. */
  threadProblems(): readonly string[]
  /** What could not be published, until it is written otherwise. */
  faults(): readonly Unpublished[]
  /** All that the last number posted stands for, with its slots. */
  placed(): PlacedObjects
  listen(listener: PublisherListener): void
  stop(): void
}

export function createPublisher(scoreboard: Scoreboard, options: PublisherOptions = {}): Publisher {
  const { conflateMs = 5, sweepMs = 1000, onFault = () => {} } = options
  const placement = createPlacement(scoreboard)
  const listeners: PublisherListener[] = []
  const attached = new Map<number, Outbox>()
  const reported = new Map<number, readonly string[]>()
  /** When the changes of a number not yet in force were noticed. */
  const changedAt = new Map<number, number>()
  const acknowledged = createAcknowledgements(advance)

  /** What was posted last. Its maps are our own: those that are published may change. */
  const current = {
    listeners: new Map<string, Listener>(),
    backends: new Map<string, Backend>(),
    frontends: new Map<string, Frontend>(),
  }
  let published = emptySnapshot
  let number = 0
  let pending: Pending | null = null
  let callOff: (() => void) | null = null
  let flushedAt = -Infinity
  const unpublished = new Map<string, Unpublished>()
  /** Everything as one delta, kept for the other threads that start at the same time; until the next sweep. */
  let whole: { number: number; parts: readonly Part[] } | null = null

  const sweeper = setInterval(() => {
    whole = null
    const before = scoreboard.size.tablesGone
    placement.sweep(attached.size === 0 ? number : acknowledged.least())
    // Threads hold on to what they are not told of.
    if (scoreboard.size.tablesGone !== before && pending === null) pushNothing()
  }, sweepMs)
  sweeper.unref()

  function flush(): void {
    callOff = null
    flushedAt = performance.now()
    if (pending === null) return
    const next = pending
    pending = null
    try {
      post(next)
    } catch (error) {
      // With the next snapshot it is tried again.
      pending = next
      onFault(null, error)
    }
  }

  function post(next: Pending): void {
    const declared = diffSnapshots(current, next.snapshot, next.changed)
    for (const key of idsOf(declared)) unpublished.delete(key)
    const placed = placement.place(declared, setAside)
    const { changes } = placed
    const delta = placement.apply(current, next.snapshot, placed, number + 1)
    number++
    changedAt.set(number, next.changedAt)
    applyChanges(current, changes)
    hear((listener) => listener.onPlaced?.(delta))
    const parts = attached.size === 0 ? [] : splitDelta(delta, number - 1)
    for (const outbox of attached.values()) outbox.push(parts)
    hear((listener) => listener.onPublished?.(number, changes, delta))
  }

  /** One that throws keeps nothing from the others, nor from the threads. */
  function hear(tell: (listener: PublisherListener) => void): void {
    for (const listener of listeners) {
      try {
        tell(listener)
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
    unpublished.set(`${kind} ${id}`, { kind, id, message: describeFault(error), serving })
  }

  /** The number that is in force, once more: what is gone from the scoreboard goes with it. */
  function pushNothing(): void {
    const parts = splitDelta(placement.toDelta(diffSnapshots(current, current), number), number)
    for (const outbox of attached.values()) outbox.push(parts)
  }

  function openOutbox(subscriber: Subscriber): Outbox {
    let { held } = subscriber
    return createOutbox((part) => {
      const added = scoreboard.addedSince(held)
      held = scoreboard.size
      subscriber.deliver({ kind: 'delta', number: part.number, delta: part.text(), added })
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
    hear((listener) => listener.onInForce?.(reached, oldest))
  }

  return {
    publish(snapshot, at, changed) {
      if (changed === undefined ? isSameSnapshot(snapshot, published) : isNothing(changed)) {
        return pending === null ? number : number + 1
      }
      published = snapshot
      pending = {
        snapshot,
        changedAt: Math.min(at, pending?.changedAt ?? at),
        changed: unite(pending, changed ?? null),
      }
      // The first change after a quiet moment waits for nobody; those that follow closely go together.
      callOff ??= runSoon(flush, flushedAt + conflateMs - performance.now())
      return number + 1
    },
    attach(subscriber) {
      const outbox = openOutbox(subscriber)
      attached.set(subscriber.thread, outbox)
      acknowledged.attach(subscriber.thread)
      if (number === 0) return
      if (whole?.number !== number) {
        const everything = placement.toDelta(diffSnapshots(emptySnapshot, current), number)
        whole = { number, parts: splitDelta(everything, 0) }
      }
      outbox.push(whole.parts)
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
      outbox.taken()
    },
    report(thread, problems) {
      if (attached.has(thread)) reported.set(thread, problems)
    },
    number: () => number,
    inForce: () => acknowledged.least(),
    whenInForce: (wanted) => acknowledged.whenLeast(wanted),
    threadProblems: () => [...new Set([...reported.values()].flat())],
    faults: () => [...unpublished.values()],
    placed: () => placement.list(current),
    listen(listener) {
      listeners.push(listener)
    },
    stop() {
      callOff?.()
      callOff = null
      pending = null
      clearInterval(sweeper)
    },
  }
}

function* idsOf({ upserts, deletes }: Changes): Generator<string> {
  for (const kind of ['listener', 'backend', 'frontend'] as const) {
    for (const { id } of upserts[`${kind}s`]) yield `${kind} ${id}`
    for (const id of deletes[`${kind}s`]) yield `${kind} ${id}`
  }
}

interface Pending {
  readonly snapshot: Snapshot
  readonly changedAt: number
  /** Null: anything may be different. */
  readonly changed: ChangedIds | null
}

function unite(pending: Pending | null, changed: ChangedIds | null): ChangedIds | null {
  if (pending === null) return changed
  if (pending.changed === null || changed === null) return null
  return uniteChanged(pending.changed, changed)
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
  { upserts, deletes }: Changes,
): void {
  for (const object of upserts.listeners) to.listeners.set(object.id, object)
  for (const object of upserts.backends) to.backends.set(object.id, object)
  for (const object of upserts.frontends) to.frontends.set(object.id, object)
  for (const id of deletes.listeners) to.listeners.delete(id)
  for (const id of deletes.backends) to.backends.delete(id)
  for (const id of deletes.frontends) to.frontends.delete(id)
}

// Whoever publishes without saying what has changed hands out the same maps as long as nothing in them has.
function isSameSnapshot(a: Snapshot, b: Snapshot): boolean {
  return a.listeners === b.listeners && a.backends === b.backends && a.frontends === b.frontends
}
