/**
 * Resolves names of servers ahead of requests: once for the whole process, on the main thread, and again when their TTL has
 * passed. There is one lookup of a name at a time, and a failed one removes no address.
 *
 * The order is: `localhost` is loopback; hosts; DNS. Names such as `printer.local` are not in DNS; the system's resolver
 * (getaddrinfo) resolves them, one at a time, because it blocks a thread of libuv's pool.
 */
import { isLoopbackHost } from '../model/ip.ts'
import { failedBoth, foundBoth, type QueryName, type NameAnswer } from './answer.ts'
import { FollowedName, type NameFailure, type TtlBounds } from './followed-name.ts'
import type { NameChange } from './names.ts'
import type { HostsTable } from './system-files.ts'

export interface ResolverOptions {
  readonly query: QueryName
  /** The system's own resolver: addresses, or a rejection. */
  readonly querySystem: (name: string) => Promise<readonly string[]>
  readonly hosts: { readonly value: HostsTable; changed(): boolean }
  /** Reads the files with DNS servers again if they have changed. */
  readonly look?: () => void
  readonly ttl: TtlBounds
  /** ms, monotonic. */
  readonly now: () => number
  /** ms since the epoch, for reports. */
  readonly date: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

/** Times are ms since the epoch. */
export interface NameReport {
  readonly name: string
  readonly addresses: readonly string[]
  readonly resolvedAt: number | null
  /** Until the next lookup. */
  readonly ttlMs: number
  /** The last lookup failed. */
  readonly failing: boolean
  readonly lastFailure: NameFailure | null
  /** DNS has had no address for it for so long that a name with `resolve: all` stands for no server. */
  readonly gone: boolean
}

export interface NameCounts {
  readonly lookups: Readonly<Record<'success' | 'failure', number>>
  /** `failing`: the last good addresses are used. `unresolved`: there are none. */
  readonly names: Readonly<Record<'resolved' | 'failing' | 'unresolved', number>>
}

export type NameStateListener = (report: NameReport) => void

export interface Resolver {
  start(): void
  stop(): void
  /** What `start` does every 100 ms. */
  tick(): void
  /** Keeps the name resolved until as many calls have released it. */
  hold(name: string): void
  release(name: string): void
  /**
   * As `hold`, for a name whose records are the members of a service: they are looked up often, also with a longer TTL.
   * Docker's is 10 minutes, also for names of containers that come and go.
   */
  watch(name: string): void
  unwatch(name: string): void
  /**
   * A server at this name fails: the name is looked up now, and often for a while. A container that was started again has another
   * address, long before the TTL of Docker's DNS is over.
   */
  doubt(name: string): void
  /** Keeps the name resolved for a while. */
  touch(name: string): void
  /** Waits only for a name that was never resolved. Rejects with the reason if it has no address. */
  addressesOf(name: string): Promise<readonly string[]>
  /** The state of all names, or of one. */
  known(name?: string): readonly NameChange[]
  /** Called with the changes of names. Returns what ends that. */
  listen(listener: (changes: readonly NameChange[]) => void): () => void
  /** Called when a name begins or ceases to fail. */
  onState(listener: NameStateListener): void
  report(name: string): NameReport | null
  counts(): NameCounts
}

const TICK_MS = 100
const LOOK_MS = 1_000
/** A name that is not held is followed for this time after the last request for it. */
const KEPT_MS = 600_000
/** How long a name is looked up often after a server at it began to fail. */
const DOUBTED_MS = 600_000
/** Concurrent lookups. Names whose last lookup failed have a limit of their own, so that they do not delay the others. */
const MOST_LOOKUPS = 512
const MOST_SUSPECTS = 64

export function createResolver(options: ResolverOptions): Resolver {
  const { query, querySystem, hosts, ttl, now, date, random } = options
  const all = new Map<string, FollowedName>()
  const listeners = new Set<(changes: readonly NameChange[]) => void>()
  const stateListeners: NameStateListener[] = []
  const waiting = new Map<FollowedName, PromiseWithResolvers<void>>()
  const underWay = { all: 0, suspects: 0 }
  const lookups = { success: 0, failure: 0 }
  let changes = new Map<string, NameChange>()
  let systemTurn: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout | null = null
  let lookedAt = -Infinity

  function follow(name: string): FollowedName {
    const known = all.get(name)
    if (known !== undefined) return known
    const followed = new FollowedName(name, now())
    all.set(name, followed)
    lookUpIfDue(followed, now())
    return followed
  }

  function lookUpIfDue(followed: FollowedName, at: number): void {
    if (followed.isLookedUp || followed.dueAt > at || underWay.all >= MOST_LOOKUPS) return
    const { isSuspect } = followed
    if (isSuspect && underWay.suspects >= MOST_SUSPECTS) return
    followed.isLookedUp = true
    underWay.all++
    if (isSuspect) underWay.suspects++
    // A fault in a lookup must not end the program.
    const ended = lookUp(followed).catch((error: unknown) => failedBoth(String(error)))
    void ended.then((answer) => {
      underWay.all--
      if (isSuspect) underWay.suspects--
      followed.isLookedUp = false
      take(followed, answer)
    })
  }

  async function lookUp(followed: FollowedName): Promise<NameAnswer> {
    const name = followed.name.replace(/\.$/, '')
    const inHosts = hosts.value.get(name)
    if (isLoopbackHost(name)) {
      const loopback = inHosts?.filter(isLoopbackHost) ?? []
      return foundBoth(loopback.length > 0 ? loopback : ['127.0.0.1', '::1'], null)
    }
    if (inHosts !== undefined) return foundBoth(inHosts, null)
    const answer = await query(followed.name, (part) => {
      if (followed.takePart(part, date())) notify(followed)
    })
    const isFound = answer.v4.kind === 'found' || answer.v6.kind === 'found'
    return isFound || !MULTICAST.test(name) ? answer : await lookUpBySystem(name, answer)
  }

  async function lookUpBySystem(name: string, otherwise: NameAnswer): Promise<NameAnswer> {
    const turn = systemTurn.then(() => querySystem(name))
    systemTurn = turn.catch(() => undefined)
    try {
      return foundBoth(await turn, null)
    } catch {
      return otherwise
    }
  }

  function take(followed: FollowedName, answer: NameAnswer): void {
    const wasFailing = followed.failure !== null
    const isChanged = followed.take(answer, ttl, { now: now(), date: date(), random })
    const isFailing = followed.failure !== null
    lookups[isFailing ? 'failure' : 'success']++
    if (all.get(followed.name) !== followed) return
    if (isChanged) notify(followed)
    if (isFailing !== wasFailing) {
      for (const listener of stateListeners) listener(reportOf(followed))
    }
  }

  function notify(followed: FollowedName): void {
    const { name, addresses, failure } = followed
    post({ name, addresses, failure })
    waiting.get(followed)?.resolve()
    waiting.delete(followed)
  }

  /** Batches the changes of one turn of the event loop. */
  function post(one: NameChange): void {
    if (changes.size === 0) setImmediate(flush)
    changes.set(one.name, one)
  }

  function flush(): void {
    const batch = [...changes.values()]
    changes = new Map()
    for (const listener of listeners) listener(batch)
  }

  function tick(): void {
    const at = now()
    if (at - lookedAt >= LOOK_MS) {
      lookedAt = at
      options.look?.()
      if (hosts.changed()) for (const followed of all.values()) followed.dueAt = at
    }
    for (const followed of all.values()) {
      if (followed.holders > 0 || at - followed.touchedAt < KEPT_MS) lookUpIfDue(followed, at)
      else if (!followed.isLookedUp) forget(followed)
    }
  }

  function forget({ name }: FollowedName): void {
    all.delete(name)
    post({ name, addresses: null, failure: null })
  }

  function touch(name: string): FollowedName {
    const followed = follow(name)
    followed.touchedAt = now()
    return followed
  }

  function release(name: string): void {
    const followed = all.get(name)
    if (followed === undefined) return
    followed.holders--
    followed.touchedAt = now()
  }

  function reportOf(followed: FollowedName): NameReport {
    const { name, addresses, resolvedAt, failure, lastFailure, isGone: gone } = followed
    const ttlMs = Math.max(0, Math.round(followed.dueAt - now()))
    return { name, addresses, resolvedAt, ttlMs, failing: failure !== null, lastFailure, gone }
  }

  return {
    start() {
      timer = setInterval(tick, TICK_MS)
      timer.unref()
    },
    stop() {
      if (timer !== null) clearInterval(timer)
    },
    tick,
    hold(name) {
      touch(name).holders++
    },
    release,
    watch(name) {
      const followed = touch(name)
      followed.holders++
      followed.watchers++
      if (followed.watchers === 1) followed.dueAt = Math.min(followed.dueAt, now() + ttl.watchedMs)
    },
    doubt(name) {
      const followed = all.get(name)
      if (followed === undefined) return
      followed.doubtedUntil = now() + DOUBTED_MS
      if (followed.failure === null) followed.dueAt = Math.min(followed.dueAt, now())
    },
    unwatch(name) {
      const followed = all.get(name)
      if (followed !== undefined) followed.watchers--
      release(name)
    },
    touch: (name) => void touch(name),
    async addressesOf(name) {
      const followed = touch(name)
      if (!followed.isKnown) {
        const known = waiting.get(followed) ?? Promise.withResolvers<void>()
        waiting.set(followed, known)
        await known.promise
      }
      if (followed.addresses.length > 0) return followed.addresses
      throw new Error(`${name} cannot be resolved: ${followed.failure ?? 'it is not known'}`)
    },
    known: (wanted) =>
      [...all.values()]
        .filter(({ name }) => wanted === undefined || name === wanted)
        .filter(({ isKnown }) => isKnown)
        .map(({ name, addresses, failure }) => ({ name, addresses, failure })),
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    onState: (listener) => void stateListeners.push(listener),
    report(name) {
      const followed = all.get(name)
      return followed === undefined ? null : reportOf(followed)
    },
    counts() {
      const names = { resolved: 0, failing: 0, unresolved: 0 }
      for (const { addresses, failure } of all.values()) {
        if (addresses.length === 0) names.unresolved++
        else names[failure === null ? 'resolved' : 'failing']++
      }
      return { lookups: { ...lookups }, names }
    },
  }
}

/** RFC 6762 section 3: a single label below `local.`. Deeper names, such as those of Kubernetes, are in DNS. */
const MULTICAST = /^[^.]+\.local$/
