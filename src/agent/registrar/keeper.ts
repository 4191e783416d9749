/**
 * Keeps what is wanted in a registry, over links that come and go. One loop: it opens a link, writes what is new, removes what is
 * not wanted any more, and looks every beat whether the rest is still there. What is there after a loss is left as it is, so
 * that readers see no change.
 *
 *   new -> current -> due (deleted, expired, wiped, changed) -> current
 *                  -> foreign (another process has put the same) -> due -> current
 *
 * Only the first write of a `put` overwrites what another process has written. No later one does, so that two processes with one
 * id do not overwrite each other in turns.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { exponentialBackoff } from '../../model/backoff.ts'
import { createNotifier } from '../../providers/notifier.ts'
import { SourceRefused } from '../../providers/provider.ts'
import { confirmed, inParallel, within, WINDOW } from './bounded.ts'
import { EntryRefused, type Entry, type EntryStatus, type Link, type OpenLink } from './link.ts'
import { Removals, type Removal } from './removals.ts'
import {
  RegistrarFailure,
  type Registrar,
  type RegistrarListener,
  type Registration,
  type RegistrationKey,
  type RegistrationState,
} from './registrar.ts'

export interface KeeperOptions {
  /** For messages: `etcd 10.0.0.5:2379`. */
  readonly place: string
  readonly ttlMs: number
  readonly open: OpenLink
  readonly refuse: (registration: Registration) => string | null
  readonly toEntry: (registration: Registration) => Entry
  readonly listener: RegistrarListener
  /** Instead of performance.now() and Math.random(). */
  readonly now?: () => number
  readonly random?: () => number
}

interface Wanted {
  entry: Entry
  /** `new`: the next write overwrites what is there. `due`: it is to be written unless that is foreign. */
  status: 'new' | 'due' | 'current' | 'foreign'
  /** What the listener has got last. */
  reported: RegistrationState | null
  /** Of the last refusal; the entry is not tried before. */
  retryAt: number
  /** It may be in the registry. */
  isTried: boolean
}

/** A link that is open. */
interface OpenedLink {
  readonly link: Link
  readonly lost: Error | null
  /** The result of a call to it, unless the link is lost or silent. `doing` completes `cannot ...`. */
  call<T>(call: Promise<T>, doing: string): Promise<T>
}

/** With the write after it, a registry that was emptied has everything again within 3 s. */
const MAX_BEAT_MS = 2_000
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 500
const REFUSED_BACKOFF_MS = 5_000
/** Between looks that hints ask for. */
const HINT_MS = 100

export function createKeeper(options: KeeperOptions): Registrar {
  const { place, ttlMs, open, listener } = options
  const { now = () => performance.now(), random = Math.random } = options
  const beatMs = Math.min(MAX_BEAT_MS, ttlMs / 3)
  const wanted = new Map<string, Wanted>()
  const removals = new Removals({ place, ttlMs })
  const notifier = createNotifier()
  const ending = new AbortController()
  let isClosing = false
  let isHinted = false
  /** With the link that is open. */
  let isLookedAt = false
  /** All that is registered belongs to the link, so that its end may remove it in one step. */
  let isEndEnough = false
  let linkStatus: 'up' | 'down' | 'refused' | null = null
  /** When the registry confirmed last what is there. */
  let confirmedAt = now()
  let closed: Promise<void> | null = null

  function report(one: Wanted, state: RegistrationState): void {
    if (isClosing || isSame(one.reported, state)) return
    one.reported = state
    listener.onRegistration(one.entry.registration, state)
  }

  function reportLink(error: Error | null): void {
    const isRefused = error instanceof SourceRefused
    const status = error === null ? 'up' : isRefused ? 'refused' : 'down'
    if (isClosing || linkStatus === status) return
    linkStatus = status
    listener.onLink(
      error === null ? { status: 'up' } : { status: 'down', reason: error.message, isRefused },
    )
  }

  function isWanted(one: Wanted): boolean {
    return wanted.get(one.entry.name) === one
  }

  async function write({ link, call }: OpenedLink, one: Wanted): Promise<void> {
    const { entry, status } = one
    one.isTried = true
    try {
      const mode = status === 'new' ? 'overwrite' : 'unless foreign'
      const isWritten = await call(link.put(entry, mode), `register ${entry.name}`)
      // It was put again or removed meanwhile.
      if (!isWanted(one) || one.entry !== entry) return
      one.status = isWritten ? 'current' : 'foreign'
      report(one, isWritten ? { status: 'registered' } : replaced(entry))
    } catch (error) {
      if (!isRefusal(error)) throw error
      one.retryAt = now() + REFUSED_BACKOFF_MS
      if (isWanted(one)) report(one, missing(error.message, true))
    }
  }

  async function remove({ link, call }: OpenedLink, removal: Removal): Promise<void> {
    const { entry } = removal
    try {
      await call(link.remove(entry), `remove ${entry.name}`)
      removals.confirm(removal)
    } catch (error) {
      if (!isRefusal(error)) throw error
      removals.refuse(removal, error.message, now() + REFUSED_BACKOFF_MS)
    }
  }

  async function beat({ link, call }: OpenedLink): Promise<void> {
    const known = [...wanted.values()].filter(({ status }) => status !== 'new')
    const entries = known.map(({ entry }) => entry)
    const found = await call(link.beat(entries), 'renew what is registered')
    confirmedAt = now()
    for (const [at, one] of known.entries()) {
      // It was put again or removed meanwhile.
      if (!isWanted(one) || one.entry !== entries[at] || one.status === 'new') continue
      note(one, found[at] ?? 'absent')
    }
  }

  function note(one: Wanted, found: EntryStatus | EntryRefused): void {
    if (found instanceof EntryRefused) {
      // A write shows whether it may be registered.
      if (one.retryAt <= now()) one.retryAt = now() + REFUSED_BACKOFF_MS
      one.status = 'due'
      report(one, missing(found.message, true))
      return
    }
    if (found === 'current') {
      if (one.status === 'current') return report(one, { status: 'registered' })
      // It may have been changed since it was written.
      one.status = 'due'
      return
    }
    if (found === 'foreign') {
      one.status = 'foreign'
      return report(one, replaced(one.entry))
    }
    if (found === 'absent' && one.status === 'current') {
      report(one, missing(`${place} does not have it any more`))
    }
    one.status = 'due'
  }

  function dueWrites(): readonly Wanted[] {
    const at = now()
    return [...wanted.values()].filter((one) => isUnwritten(one) && one.retryAt <= at)
  }

  /** Until the link is lost, or all is closed. */
  async function keep(opened: OpenedLink): Promise<void> {
    let beatAt = now()
    let hintableAt = beatAt
    const dueAt = (): number => (isHinted ? Math.min(beatAt, hintableAt) : beatAt)
    for (;;) {
      if (opened.lost !== null) throw opened.lost
      if (ending.signal.aborted) throw new Error('it was closed')
      if (now() >= dueAt()) {
        isHinted = false
        // From its begin: writes must not delay the next renewal.
        beatAt = now() + beatMs
        hintableAt = now() + HINT_MS
        await beat(opened)
        isLookedAt = true
        reportLink(null)
      }
      await inParallel(dueWrites().slice(0, WINDOW), (one) => write(opened, one))
      if (isEndEnough && opened.link.isRemovedAtEnd && (await end(opened))) return
      await inParallel(removals.due(now()), (one) => remove(opened, one))
      if (removals.due(now()).length > 0) continue
      if (isClosing && !ending.signal.aborted) {
        await end(opened)
        return
      }
      if (dueWrites().length > 0) continue
      const refused = [...wanted.values()].filter(isUnwritten)
      const retryAt = Math.min(removals.retryAt, ...refused.map((one) => one.retryAt))
      await notifier.wait(Math.max(0, Math.min(dueAt(), retryAt) - now()))
    }
  }

  /** False: the registry refuses it. */
  async function end({ link, call }: OpenedLink): Promise<boolean> {
    try {
      await call(link.end(), 'end the session')
      if (link.isRemovedAtEnd) removals.confirmAll()
      return true
    } catch (error) {
      if (!isRefusal(error)) throw error
      return false
    }
  }

  /** Those that the registry does not have, or not any more by now. */
  function reportExpired(error: Error): void {
    const isExpired = now() - confirmedAt >= ttlMs
    for (const one of wanted.values()) {
      if (one.status !== 'foreign' && (isExpired || one.reported === null)) {
        report(one, missing(error.message))
      }
    }
  }

  async function run(): Promise<void> {
    // The caller has this registrar before its listener is called.
    await pause(0)
    for (let failures = 0; !ending.signal.aborted;) {
      const openedAt = now()
      try {
        await withLink(keep)
        return
      } catch (thrown) {
        if (ending.signal.aborted) return
        const error = thrown instanceof Error ? thrown : new Error(String(thrown))
        failures = now() - openedAt > MAX_BEAT_MS ? 0 : failures + 1
        reportLink(error)
        reportExpired(error)
        const ms =
          error instanceof SourceRefused
            ? REFUSED_BACKOFF_MS
            : exponentialBackoff(FIRST_BACKOFF_MS, Math.min(failures, 8), MAX_BACKOFF_MS)
        await pause(ms * (0.8 + 0.2 * random()), null, { signal: ending.signal }).catch(() => {})
      }
    }
  }

  async function withLink(act: (opened: OpenedLink) => Promise<void>): Promise<void> {
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => {})
    const state: { lost: Error | null } = { lost: null }
    const onLost = (error: Error): void => {
      state.lost ??= error
      lost.reject(error)
      notifier.notify()
    }
    const onHint = (): void => {
      isHinted = true
      notifier.notify()
    }
    const link = await open({ onHint, onLost }, ending.signal)
    try {
      await act({
        link,
        get lost() {
          return state.lost
        },
        call: (call, doing) => within(Promise.race([call, lost.promise]), doing, place),
      })
    } finally {
      isLookedAt = false
      isEndEnough = false
      link.close()
    }
  }

  /** What another process has written stays as it is. */
  function change(one: Wanted, entry: Entry): void {
    one.entry = entry
    if (one.status === 'foreign') return
    if (one.status === 'current') one.status = 'due'
    one.reported = null
    one.retryAt = 0
    notifier.notify()
  }

  const running = run()

  return {
    place,
    ttlMs,
    refuse: options.refuse,
    put(registration, mode = 'overwrite') {
      const reason = options.refuse(registration)
      if (reason !== null) throw new TypeError(`cannot register it in ${place}: ${reason}`)
      if (isClosing) throw new TypeError(`cannot register it in ${place}: it was closed`)
      const entry = options.toEntry(registration)
      const before = wanted.get(entry.name)
      removals.forget(entry)
      if (before !== undefined && before.entry.key === entry.key) {
        if (before.entry.text !== entry.text) change(before, entry)
        return
      }
      const status = mode === 'overwrite' ? 'new' : 'due'
      const one: Wanted = { entry, status, reported: null, retryAt: 0, isTried: false }
      wanted.set(entry.name, one)
      const isWritten = (): boolean => !isUnwritten(one) || !isWanted(one)
      if (before?.isTried === true) void removals.add(before.entry, isWritten)
      notifier.notify()
    },
    async remove({ service, id }: RegistrationKey) {
      const name = `${service}/${id}`
      const one = wanted.get(name)
      if (one === undefined) return
      wanted.delete(name)
      if (!one.isTried) return
      const removed = removals.add(one.entry)
      notifier.notify()
      const doing = `remove ${name} from ${place}`
      await confirmed(removed, { doing, ttlMs, count: removals.size })
    },
    close(withinMs) {
      closed ??= closeAll(withinMs)
      return closed
    },
    abandon() {
      closed ??= abandonAll()
      return closed
    },
  }

  async function closeAll(withinMs?: number): Promise<void> {
    isClosing = true
    const isOfLink = [...wanted.values()].every((one) => !one.isTried || !isUnwritten(one))
    isEndEnough = isLookedAt && isOfLink && removals.size === 0
    for (const { entry, isTried } of wanted.values()) if (isTried) void removals.add(entry)
    wanted.clear()
    notifier.notify()
    try {
      const isNothing = linkStatus !== 'up' && removals.size === 0
      const doing = `remove what is registered in ${place}`
      if (!isNothing) await confirmed(running, { doing, ttlMs, count: removals.size, withinMs })
      const { refusal } = removals
      if (refusal !== null) throw new RegistrarFailure(`cannot ${doing}: ${refusal}`)
    } finally {
      endLoop()
    }
  }

  async function abandonAll(): Promise<void> {
    isClosing = true
    endLoop()
    await running
  }

  function endLoop(): void {
    ending.abort()
    notifier.notify()
    removals.end()
  }
}

function isSame(a: RegistrationState | null, b: RegistrationState): boolean {
  return a?.status === b.status && isRefused(a) === isRefused(b)
}

function isRefused(state: RegistrationState): boolean {
  return state.status === 'missing' && state.isRefused
}

function missing(reason: string, isRefused = false): RegistrationState {
  return { status: 'missing', reason, isRefused }
}

function isRefusal(error: unknown): error is EntryRefused | SourceRefused {
  return error instanceof EntryRefused || error instanceof SourceRefused
}

function isUnwritten({ status }: Wanted): boolean {
  return status === 'new' || status === 'due'
}

function replaced({ name }: Entry): RegistrationState {
  const reason = `another process has registered ${name} since; give each its own id`
  return { status: 'replaced', reason }
}
