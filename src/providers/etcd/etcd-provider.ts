/**
 * etcd, version 3, as a source of declarations: listed at one revision and watched from the next on. Nothing is picked up
 * where an earlier watch left off, so there is nothing that could be missed in between: a watch that ends for any reason
 * (the member died, its history was compacted, it lost the others, the link fell silent, a right was taken away) throws,
 * and the next one begins with a list from another member.
 */
import type { Problem } from '../../model/problem.ts'
import type { EtcdSource } from './source.ts'
import { createNotifier } from '../notifier.ts'
import { openFeed } from './feed.ts'
import { listKeys } from './list.ts'
import type { Listing, Wanted } from './list.ts'
import { createMembers } from './members.ts'
import type { Members, Opened } from './members.ts'
import { createRoot } from './root.ts'
import type { Root } from './root.ts'
import { readJsonMap } from '../registry/json-value.ts'
import { createMirror } from '../registry/mirror.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import type { Declaration, Provider } from '../provider.ts'
import { createTextBound, maxPathLength, maxSourceChars } from '../registry/text-bound.ts'

export { openEtcdKeyStore } from './etcd-key-store.ts'

export interface EtcdProviderOptions {
  /** Between lists that nobody asked for, give or take a tenth: against what no event told. */
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
  const root = createRoot(spec.prefix)
  const reloads = new Set<() => void>()
  const seen: Seen = { cluster: '', revision: 0n }

  return {
    name: spec.name,
    watch: (signal) =>
      watchEtcd({
        ...{ name: spec.name, members, root, layout },
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
  /** Its id; '': none yet. */
  cluster: string
  /** The highest: revisions only grow, unless a backup was put in the place of what was there. */
  revision: bigint
}

interface Watching extends Required<EtcdProviderOptions> {
  readonly name: string
  readonly members: Members
  readonly root: Root
  readonly layout: Layout
  readonly signal: AbortSignal
  readonly reloads: Set<() => void>
  /** Of all watches, and of earlier processes. */
  readonly seen: Seen
}

interface State {
  /** When the first of what is pending was heard. */
  changedAt: number | null
  failure: Error | null
  /** Why the next list is wanted; whether one is under way; the one that has arrived. */
  wanted: string | null
  isListing: boolean
  arrived: { readonly listing: Listing; readonly reason: string } | null
  /** With the list that was adopted last. */
  problems: readonly Problem[]
}

async function* watchEtcd(watching: Watching): AsyncGenerator<Declaration, void, undefined> {
  const { name, members, root, layout, reconcileMs, now, random, signal, reloads, seen } = watching
  const wanted: Wanted = {
    isOurs: (path) => layout.groupOf(path) !== null,
    maxChars: maxSourceChars,
  }
  const opened = await openFirst(members, root, wanted, signal)
  if (opened === null) return

  const { session, begun: first } = opened
  const notifier = createNotifier()
  const mirror = createMirror(layout)
  /** By path, the last there is of each: it grows no larger than what is held, however slowly it is taken. */
  const pending = new Map<string, KeyEntry | null>()
  const pendingBound = createTextBound()
  const state: State = {
    changedAt: null,
    failure: null,
    wanted: null,
    isListing: false,
    arrived: null,
    problems: [],
  }

  const feed = openFeed(session, root, wanted, first, {
    onChange(path, entry) {
      state.changedAt ??= now()
      const before = pending.get(path) ?? null
      if (before !== null) pendingBound.release(before)
      const held = entry === null ? null : pendingBound.take(entry)
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

  /** Changes go on being told meanwhile. */
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
    // First what makes room.
    for (const [path, entry] of pending) {
      if (entry === null) mirror.delete(path)
      else if (entry.text === null) mirror.put(entry)
    }
    for (const entry of pending.values())
      if (entry !== null && entry.text !== null) mirror.put(entry)
    pending.clear()
    pendingBound.clear()
    return count
  }

  function declare(listed: string | null): Declaration {
    const at = state.changedAt ?? now()
    state.changedAt = null
    const { problems } = state
    const revision = feed.revision()
    seen.revision = BigInt(revision)
    return mirror.declare({ revision, listed, changedAt: at, problems })
  }

  function adopt(listing: Listing): void {
    state.problems = problemsOf(listing, name, root)
    mirror.replace(feed.adopt(listing))
  }

  try {
    adopt(first)
    const { cluster_id: cluster } = first.header
    const isOther = seen.cluster !== '' && seen.cluster !== cluster
    seen.cluster = cluster
    const isBack = BigInt(feed.revision()) < seen.revision
    yield declare(isBack ? 'rewound' : isOther ? 'replaced' : 'first')
    while (!signal.aborted) {
      await notifier.wait()
      if (signal.aborted) return
      const count = takePending()
      if (state.arrived !== null) {
        const { listing, reason } = state.arrived
        state.arrived = null
        adopt(listing)
        yield declare(reason)
      } else if (count > 0) {
        const declaration = declare(null)
        if (mirror.hasNews) yield declaration
      }
      if (signal.aborted) return
      // What was heard before the end is told before it.
      if (state.failure !== null && pending.size === 0) throw state.failure
      if (state.wanted !== null && !state.isListing) list(state.wanted)
    }
  } finally {
    clearInterval(reconcileTimer)
    signal.removeEventListener('abort', notifier.notify)
    reloads.delete(reload)
    feed.close()
  }
}

/** Null when it was told to stop meanwhile. */
async function openFirst(
  members: Members,
  root: Root,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Opened<Listing> | null> {
  if (signal.aborted) return null
  try {
    return await members.open((session) => listKeys(session, root, wanted), signal)
  } catch (error) {
    if (signal.aborted) return null
    throw error
  }
}

function problemsOf({ nameless }: Listing, source: string, root: Root): readonly Problem[] {
  const { count, first } = nameless
  if (count === 0) return []
  const message = `${count} ${count === 1 ? 'key' : 'keys'} below "${root.text}" cannot be read: not UTF-8, or longer than ${maxPathLength} bytes; the first is "${first}"; remove or rename what stands there`
  return [{ kind: 'source', id: '', message, source, key: root.text }]
}
