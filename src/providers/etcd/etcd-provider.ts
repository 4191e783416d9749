/**
 * etcd, version 3, as a source of declarations: listed at one revision and watched from the next one. A watch is never
 * resumed, so no event can be missed in between: when it ends for any reason (the member died, its history was compacted, it
 * lost its quorum, the connection fell silent, a permission was revoked) the provider throws, and the next watch begins with
 * a list from another member.
 */
import type { Problem } from '../../model/problem.ts'
import type { EtcdSource } from './source.ts'
import { createNotifier } from '../notifier.ts'
import { openFeed } from './feed.ts'
import { listKeys } from './list.ts'
import type { Listing, KeyFilter } from './list.ts'
import { createMembers } from './members.ts'
import type { Members, OpenedSession } from './members.ts'
import { createKeyPrefix } from './key-prefix.ts'
import type { KeyPrefix } from './key-prefix.ts'
import { readJsonMap } from '../registry/json-value.ts'
import { namelessProblems } from '../registry/nameless.ts'
import { createOpenedMirror } from '../registry/opened-mirror.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import type { Declaration, Provider } from '../provider.ts'
import { createTextLimit, MAX_SOURCE_CHARS } from '../registry/text-limit.ts'

export { openEtcdKeyStore } from './etcd-key-store.ts'

export interface EtcdProviderOptions {
  /** Between periodic lists, within a tenth; they find changes that no event reported. */
  readonly reconcileMs?: number
  /** performance.now(). */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

export function createEtcdProvider(
  spec: EtcdSource,
  layout: Layout,
  options: EtcdProviderOptions = {},
): Provider {
  const { reconcileMs = 60_000, now = () => performance.now(), random = Math.random } = options
  const members = createMembers(spec, random)
  const prefix = createKeyPrefix(spec.prefix, layout.hasRoot)
  const reloads = new Set<() => void>()
  const seen: Seen = { cluster: '', revision: 0n }

  return {
    name: spec.name,
    watch: (signal) =>
      watchEtcd({
        ...{ name: spec.name, members, prefix, layout },
        ...{ reconcileMs, now, random, signal, reloads, seen },
      }),
    reload() {
      for (const reload of reloads) reload()
    },
    checkpoint: () => JSON.stringify({ ...seen, revision: String(seen.revision) }),
    restore(checkpoint) {
      const map = readJsonMap(checkpoint)
      if (!map.ok) return
      const { cluster, revision } = map.value
      if (typeof cluster !== 'string' || !/^\d{1,20}$/.test(String(revision))) return
      seen.cluster = cluster
      seen.revision = BigInt(String(revision))
    },
  }
}

interface Seen {
  /** Its id; '' before the first list. */
  cluster: string
  /** The highest. Revisions only grow, unless a backup was restored. */
  revision: bigint
}

interface Watching extends Required<EtcdProviderOptions> {
  readonly name: string
  readonly members: Members
  readonly prefix: KeyPrefix
  readonly layout: Layout
  readonly signal: AbortSignal
  readonly reloads: Set<() => void>
  /** By all watches and earlier processes. */
  readonly seen: Seen
}

interface State {
  /** When the first pending change arrived. */
  changedAt: number | null
  failure: Error | null
  /** Why to list again; whether a list is in progress; the list that has arrived. */
  wanted: string | null
  isListing: boolean
  arrived: { readonly listing: Listing; readonly reason: string } | null
  /** Of the last adopted list. */
  problems: readonly Problem[]
}

async function* watchEtcd(watching: Watching): AsyncGenerator<Declaration, void, undefined> {
  const { name, members, prefix, layout, reconcileMs, now, random, signal, reloads, seen } =
    watching
  const wanted: KeyFilter = {
    isOurs: (path) => layout.groupOf(path) !== null,
    maxChars: MAX_SOURCE_CHARS,
  }
  const opened = await openFirst(members, prefix, wanted, signal)
  if (opened === null) return

  const { session, result: first } = opened
  const notifier = createNotifier()
  const mirror = createOpenedMirror(layout, signal)
  /** By path, the last change of each, so it is never larger than the mirror. */
  const pending = new Map<string, KeyEntry | null>()
  const pendingLimit = createTextLimit()
  const state: State = {
    changedAt: null,
    failure: null,
    wanted: null,
    isListing: false,
    arrived: null,
    problems: [],
  }

  const feed = openFeed(session, prefix, wanted, first, {
    onChange(path, entry) {
      state.changedAt ??= now()
      const before = pending.get(path) ?? null
      if (before !== null) pendingLimit.release(before)
      const held = entry === null ? null : pendingLimit.take(entry)
      pending.set(path, held)
      notifier.notify()
      return held
    },
    onEnd: fail,
  })
  const reload = (): void => want('asked')
  const reconcileTimer = setInterval(want, reconcileMs * (0.9 + random() * 0.2), 'reconcile')
  reloads.add(reload)
  signal.addEventListener('abort', notifier.notify)

  function fail(error: Error): void {
    state.failure ??= error
    notifier.notify()
  }

  function want(reason: string): void {
    state.wanted = reason
    notifier.notify()
  }

  /** Changes are still reported meanwhile. */
  function list(reason: string): void {
    state.wanted = null
    state.isListing = true
    feed.list().then((listing) => {
      state.isListing = false
      state.arrived = { listing, reason }
      notifier.notify()
    }, fail)
  }

  function takePending(): number {
    const count = pending.size
    // First those that free memory.
    for (const [path, entry] of pending) {
      if (entry === null) mirror.delete(path)
      else if (entry.text === null) mirror.put(entry)
    }
    for (const entry of pending.values())
      if (entry !== null && entry.text !== null) mirror.put(entry)
    pending.clear()
    pendingLimit.clear()
    return count
  }

  function declare(listed: string | null): Promise<Declaration> {
    const at = state.changedAt ?? now()
    state.changedAt = null
    const { problems } = state
    const revision = feed.revision()
    seen.revision = BigInt(revision)
    return mirror.declare({ revision, listed, changedAt: at, problems })
  }

  function adopt(listing: Listing): void {
    state.problems = namelessProblems(listing.nameless, name, prefix.text)
    mirror.replace(feed.replace(listing))
  }

  try {
    adopt(first)
    const { cluster_id: cluster } = first.header
    const isOther = seen.cluster !== '' && seen.cluster !== cluster
    seen.cluster = cluster
    const isBack = BigInt(feed.revision()) < seen.revision
    yield await declare(isBack ? 'rewound' : isOther ? 'replaced' : 'first')
    while (!signal.aborted) {
      await notifier.wait()
      if (signal.aborted) return
      const count = takePending()
      if (state.arrived !== null) {
        const { listing, reason } = state.arrived
        state.arrived = null
        adopt(listing)
        yield await declare(reason)
      } else if (count > 0) {
        const declaration = await declare(null)
        if (mirror.hasNews) yield declaration
      }
      if (signal.aborted) return
      // Changes that arrived before the end are yielded before it.
      if (state.failure !== null && pending.size === 0) throw state.failure
      if (state.wanted !== null && !state.isListing) list(state.wanted)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    clearInterval(reconcileTimer)
    signal.removeEventListener('abort', notifier.notify)
    reloads.delete(reload)
    feed.close()
  }
}

/** Null if the signal aborted. */
async function openFirst(
  members: Members,
  prefix: KeyPrefix,
  wanted: KeyFilter,
  signal: AbortSignal,
): Promise<OpenedSession<Listing> | null> {
  if (signal.aborted) return null
  try {
    return await members.open((session) => listKeys(session, prefix, wanted), signal)
  } catch (error) {
    if (signal.aborted) return null
    throw error
  }
}
