/**
 * Keeps what is wanted in a registry, over links that come and go. One loop: it opens a link, writes what is new, removes what is
 * not wanted any more, and looks every beat whether the rest is still there. What is there after a loss is left as it is, so
 * that readers see no change.
 *
 *   wanted   put -> ours -> gone (deleted, expired, wiped) -> ours
 *                        -> other (another process has put the same) -> gone -> ours
 *
 * Only the first write of a `put` takes a key that another process holds. Each later one needs it to be free, so that two
 * processes with one id do not take it from each other in turns.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { exponentialBackoff } from '../../model/backoff.ts'
import { createNotifier } from '../../providers/notifier.ts'
import { SourceRefused } from '../../providers/provider.ts'
import { EntryRefused, type Entry, type Holder, type Link, type OpenLink } from './link.ts'
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
  /** `new`: the next write takes the key. `free`: it needs the key to be free. */
  is: 'new' | 'free' | 'ours' | 'other'
  /** What the listener was told last. */
  told: RegistrationState['is'] | null
  /** Of the last refusal; the entry is not tried before. */
  retryAt: number
}

interface Removal {
  readonly entry: Entry
  /** What is written in its place, before it is removed; null: nothing. */
  readonly successor: Wanted | null
  readonly done: () => void
  readonly promise: Promise<void>
}

/** A link that is open. */
interface Held {
  readonly link: Link
  readonly lost: Error | null
  /** The result of a call to it, unless the link is lost or silent. `doing` completes `cannot ...`. */
  call<T>(call: Promise<T>, doing: string): Promise<T>
}

/** With the write after it, a registry that was emptied has everything again within 3 s. */
const MAX_BEAT_MS = 2_000
/** Of a call. A link that is silent for longer is replaced. */
const CALL_MS = 2_000
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 500
const REFUSED_BACKOFF_MS = 5_000
/** Of `remove` and `close`, and for each registration that is removed. */
const CONFIRM_MS = 2_000
const CONFIRM_EACH_MS = 10
/** Between looks that hints ask for. */
const HINT_MS = 100
/** Writes under way. */
const WINDOW = 32

export function createKeeper(options: KeeperOptions): Registrar {
  const { place, ttlMs, open, listener } = options
  const { now = () => performance.now(), random = Math.random } = options
  const beatMs = Math.min(MAX_BEAT_MS, ttlMs / 3)
  const wanted = new Map<string, Wanted>()
  /** By key. */
  const removals = new Map<string, Removal>()
  const notifier = createNotifier()
  const ending = new AbortController()
  let isClosing = false
  let isHinted = false
  let linkIs: 'up' | 'down' | 'refused' | null = null
  /** When the registry confirmed last what is there. */
  let confirmedAt = now()
  let closed: Promise<void> | null = null

  function tell(one: Wanted, state: RegistrationState): void {
    if (isClosing || one.told === state.is) return
    one.told = state.is
    listener.onRegistration(one.entry.registration, state)
  }

  function tellLink(error: Error | null): void {
    const isRefused = error instanceof SourceRefused
    const is = error === null ? 'up' : isRefused ? 'refused' : 'down'
    if (isClosing || linkIs === is) return
    linkIs = is
    listener.onLink(
      error === null ? { is: 'up' } : { is: 'down', reason: error.message, isRefused },
    )
  }

  function isWanted(one: Wanted): boolean {
    return wanted.get(one.entry.name) === one
  }

  async function write({ link, call }: Held, one: Wanted): Promise<void> {
    const { entry, is } = one
    try {
      const mode = is === 'new' ? 'take' : 'free'
      const isOurs = await call(link.put(entry, mode), `register ${entry.name}`)
      // It was put again or removed meanwhile.
      if (!isWanted(one) || one.entry !== entry) return
      one.is = isOurs ? 'ours' : 'other'
      tell(one, isOurs ? { is: 'registered' } : replaced(entry))
    } catch (error) {
      if (!(error instanceof EntryRefused || error instanceof SourceRefused)) throw error
      one.retryAt = now() + REFUSED_BACKOFF_MS
      if (isWanted(one)) tell(one, { is: 'missing', reason: error.message })
    }
  }

  async function remove({ link, call }: Held, removal: Removal): Promise<void> {
    const { entry } = removal
    try {
      await call(link.remove(entry), `remove ${entry.name}`)
    } catch (error) {
      if (!(error instanceof EntryRefused || error instanceof SourceRefused)) throw error
    }
    if (removals.get(entry.key) === removal) removals.delete(entry.key)
    removal.done()
  }

  async function beat({ link, call }: Held): Promise<void> {
    const known = [...wanted.values()].filter(({ is }) => is !== 'new')
    const entries = known.map(({ entry }) => entry)
    const holders = await call(link.beat(entries), 'renew what is registered')
    confirmedAt = now()
    for (const [at, one] of known.entries()) {
      // It was put again or removed meanwhile.
      if (!isWanted(one) || one.entry !== entries[at] || one.is === 'new') continue
      take(one, holders[at] ?? 'gone')
    }
  }

  function take(one: Wanted, holder: Holder): void {
    if (holder === 'ours') {
      if (one.is === 'ours') return tell(one, { is: 'registered' })
      // It may have been changed since it was written.
      one.is = 'free'
      return
    }
    if (holder === 'other') {
      one.is = 'other'
      return tell(one, replaced(one.entry))
    }
    if (holder === 'gone' && one.is === 'ours') {
      tell(one, { is: 'missing', reason: `${place} does not have it any more` })
    }
    one.is = 'free'
  }

  function dueWrites(): readonly Wanted[] {
    const at = now()
    return [...wanted.values()].filter(({ is, retryAt }) => {
      return (is === 'new' || is === 'free') && retryAt <= at
    })
  }

  function dueRemovals(): readonly Removal[] {
    return [...removals.values()].filter(({ successor: one }) => {
      return one === null || one.is === 'ours' || one.is === 'other' || !isWanted(one)
    })
  }

  /** Until the link is lost, or all is closed. */
  async function keep(held: Held): Promise<void> {
    let beatAt = now()
    let hintableAt = beatAt
    const dueAt = (): number => (isHinted ? Math.min(beatAt, hintableAt) : beatAt)
    for (;;) {
      if (held.lost !== null) throw held.lost
      if (now() >= dueAt()) {
        isHinted = false
        // From its begin: writes must not delay the next renewal.
        beatAt = now() + beatMs
        hintableAt = now() + HINT_MS
        await beat(held)
        tellLink(null)
      }
      await inParallel(dueWrites().slice(0, WINDOW), (one) => write(held, one))
      await inParallel(dueRemovals(), (one) => remove(held, one))
      if (dueRemovals().length > 0) continue
      if (isClosing) return held.call(held.link.end(), 'end the session')
      if (dueWrites().length > 0) continue
      const retryAt = Math.min(...[...wanted.values()].filter(isRetried).map((one) => one.retryAt))
      await notifier.wait(Math.max(0, Math.min(dueAt(), retryAt) - now()))
    }
  }

  /** Those that the registry does not have, or not any more by now. */
  function tellExpired(error: Error): void {
    const isExpired = now() - confirmedAt >= ttlMs
    for (const one of wanted.values()) {
      if (one.is !== 'other' && (isExpired || one.told === null)) {
        tell(one, { is: 'missing', reason: error.message })
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
        tellLink(error)
        tellExpired(error)
        const ms =
          error instanceof SourceRefused
            ? REFUSED_BACKOFF_MS
            : exponentialBackoff(FIRST_BACKOFF_MS, Math.min(failures, 8), MAX_BACKOFF_MS)
        await pause(ms * (0.8 + 0.2 * random()), null, { signal: ending.signal }).catch(() => {})
      }
    }
  }

  async function withLink(act: (held: Held) => Promise<void>): Promise<void> {
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
      link.close()
    }
  }

  /** What another process holds stays its own. */
  function change(one: Wanted, entry: Entry): void {
    one.entry = entry
    if (one.is === 'other') return
    if (one.is === 'ours') one.is = 'free'
    one.told = null
    one.retryAt = 0
    notifier.notify()
  }

  function toRemoval(entry: Entry, successor: Wanted | null = null): Removal {
    const { promise, resolve } = Promise.withResolvers<void>()
    removals.get(entry.key)?.done()
    const removal = { entry, successor, promise, done: resolve }
    removals.set(entry.key, removal)
    notifier.notify()
    return removal
  }

  const running = run()

  return {
    place,
    ttlMs,
    refuse: options.refuse,
    put(registration) {
      const reason = options.refuse(registration)
      if (reason !== null) throw new TypeError(`cannot register it in ${place}: ${reason}`)
      if (isClosing) throw new TypeError(`cannot register it in ${place}: it was closed`)
      const entry = options.toEntry(registration)
      const before = wanted.get(entry.name)
      removals.get(entry.key)?.done()
      removals.delete(entry.key)
      if (before !== undefined && before.entry.key === entry.key) {
        if (before.entry.text !== entry.text) change(before, entry)
        return
      }
      const one: Wanted = { entry, is: 'new', told: null, retryAt: 0 }
      wanted.set(entry.name, one)
      if (before !== undefined) toRemoval(before.entry, one)
      notifier.notify()
    },
    async remove({ service, id }: RegistrationKey) {
      const name = `${service}/${id}`
      const one = wanted.get(name)
      if (one === undefined) return
      wanted.delete(name)
      const { promise } = toRemoval(one.entry)
      await confirmed(promise, `remove ${name} from ${place}`, ttlMs)
    },
    close() {
      closed ??= closeAll()
      return closed
    },
  }

  async function closeAll(): Promise<void> {
    isClosing = true
    for (const { entry } of wanted.values()) toRemoval(entry)
    wanted.clear()
    notifier.notify()
    try {
      const isNothing = linkIs !== 'up' && removals.size === 0
      const doing = `remove what is registered in ${place}`
      if (!isNothing) await confirmed(running, doing, ttlMs, removals.size)
    } finally {
      ending.abort()
      notifier.notify()
      for (const { done } of removals.values()) done()
    }
  }
}

function isRetried({ is, retryAt }: Wanted): boolean {
  return (is === 'new' || is === 'free') && retryAt > 0
}

function replaced({ name }: Entry): RegistrationState {
  const reason = `another process has registered ${name} since; give each its own id`
  return { is: 'replaced', reason }
}

/** A call that takes longer has lost its link. Its result is not waited for. */
async function within<T>(call: Promise<T>, doing: string, place: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error(`cannot ${doing} in ${place}: no response in time`)),
    CALL_MS,
  )
  try {
    return await Promise.race([call, promise])
  } finally {
    clearTimeout(timer)
  }
}

async function confirmed(
  done: Promise<void>,
  doing: string,
  ttlMs: number,
  count = 0,
): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const ms = CONFIRM_MS + count * CONFIRM_EACH_MS
  const timer = setTimeout(() => {
    const reason = `the registry has not confirmed it within ${ms / 1000} s`
    reject(new RegistrarFailure(`cannot ${doing}: ${reason}; it expires after ${ttlMs / 1000} s`))
  }, ms)
  try {
    await Promise.race([done, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** At most WINDOW at a time. Rejects with the first failure, once all that have begun have ended. */
async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = [...items].reverse()
  const work = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item)
  }
  const results = await Promise.allSettled(Array.from({ length: WINDOW }, work))
  const failed = results.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
