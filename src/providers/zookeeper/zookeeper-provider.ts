/**
 * ZooKeeper as a source of declarations: watched first and listed then, so that no change is missed in between. An event only
 * names a znode, which is then read again; what is yielded was always read. A session that ends for any reason ends the watch,
 * and the next one begins with another session and a list, because watches do not report what happened while they were away.
 */
import type { Problem } from '../../model/problem.ts'
import { createNotifier } from '../notifier.ts'
import type { Layout } from '../layout.ts'
import type { Declaration, DeclaredObject, Provider } from '../provider.ts'
import { readJsonMap } from '../registry/json-value.ts'
import { createOpenedMirror } from '../registry/opened-mirror.ts'
import { createTurns, type Turns } from '../registry/turns.ts'
import { createEntryMap, type EntryMap } from '../registry/entry-map.ts'
import { createDirtyZnodes } from './dirty-znodes.ts'
import { openWatchedSession } from './session.ts'
import type { ZookeeperSource } from './source.ts'
import { createTree } from './tree.ts'
import { toRevision } from './znodes.ts'

export { openZookeeperKeyStore } from './zookeeper-key-store.ts'

export interface ZookeeperProviderOptions {
  /** Between periodic lists, within a tenth; they find changes that no event reported. */
  readonly reconcileMs?: number
  /** performance.now(). */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** Of the time, for periodic lists: each znode is a request. */
const MAX_LIST_SHARE = 0.05

interface Seen {
  /** The highest transaction id. It only grows, unless the data was wiped or a backup was restored. */
  zxid: bigint
  /** When the prefix was created; '': it was never seen. */
  root: string
}

export function createZookeeperProvider(
  spec: ZookeeperSource,
  layout: Layout,
  options: ZookeeperProviderOptions = {},
): Provider {
  const { reconcileMs = 60_000, now = () => performance.now(), random = Math.random } = options
  const turns = createTurns(spec.endpoints, random)
  const reloads = new Set<() => void>()
  const seen: Seen = { zxid: 0n, root: '' }

  return {
    name: spec.name,
    watch: (signal) =>
      watchZookeeper({
        ...{ spec, turns, layout, reconcileMs, now, random, signal, reloads, seen },
      }),
    reload() {
      for (const reload of reloads) reload()
    },
    checkpoint: () => JSON.stringify({ zxid: toRevision(seen.zxid), root: seen.root }),
    restore(checkpoint) {
      const map = readJsonMap(checkpoint)
      if (!map.ok) return
      const { zxid, root } = map.value
      if (typeof root !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(String(zxid))) return
      seen.zxid = BigInt(String(zxid))
      seen.root = root
    },
  }
}

interface Watching extends Required<ZookeeperProviderOptions> {
  readonly spec: ZookeeperSource
  readonly turns: Turns
  readonly layout: Layout
  readonly signal: AbortSignal
  readonly reloads: Set<() => void>
  /** By all watches and earlier processes. */
  readonly seen: Seen
}

async function* watchZookeeper(watching: Watching): AsyncGenerator<Declaration, void, undefined> {
  const { spec, turns, layout, reconcileMs, now, random, signal, reloads, seen } = watching
  const { prefix: root } = spec
  if (signal.aborted) return
  const notifier = createNotifier()
  const mirror = createOpenedMirror(layout, signal)
  const isKey = (path: string): boolean => layout.groupOf(path) !== null
  const dirty = createDirtyZnodes(root, isKey, layout.isNear)
  /** When the first of these changes, or the first reason to list, arrived. */
  let changedAt: number | null = null
  let failure = null as Error | null
  /** Why to list again; the list in progress or arrived, with the changes since; why it was wanted. */
  let wanted: string | null = null
  let listing: EntryMap | null = null
  let arrived: string | null = null
  let reconcileAfter = 0

  function onEvent(type: number, path: string): void {
    if (!dirty.add(type, path === '/' ? '' : path)) return
    changedAt ??= now()
    if (dirty.isOverflowing) wanted ??= 'many'
    notifier.notify()
  }

  function fail(error: Error): void {
    failure ??= error
    notifier.notify()
  }

  function want(reason: string): void {
    if (wanted !== 'asked') wanted = reason
    notifier.notify()
  }

  const opened = await openWatchedSession(
    turns,
    spec,
    root,
    { onEvent, onEnd: fail },
    signal,
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  if (opened === undefined) return
  const { connection, isSingle } = opened
  const { isFlat = false, isNear } = layout
  const tree = createTree({ connection, root, isKey, isSingle, isFlat, isNear })
  const reload = (): void => want('asked')
  const reconcileTimer = setInterval(reconcile, reconcileMs * (0.9 + random() * 0.2))
  const stop = (): void => {
    connection.close()
    notifier.notify()
  }
  reloads.add(reload)
  signal.addEventListener('abort', stop)

  function reconcile(): void {
    if (now() >= reconcileAfter) want('reconcile')
  }

  /** Changes are still declared meanwhile. */
  async function list(): Promise<void> {
    const began = now()
    const entries = (listing = createEntryMap())
    await tree.list(entries.set)
    reconcileAfter = now() + (now() - began) / MAX_LIST_SHARE
  }

  function adopt(): void {
    if (listing !== null) mirror.replace(listing.entries())
    listing = null
  }

  async function refresh(): Promise<void> {
    const changes = createEntryMap()
    await tree.refresh(dirty.take(), (path, entry) => {
      changes.set(path, entry)
      listing?.set(path, entry)
    })
    for (const [path, entry] of changes.changes()) {
      if (entry === null) mirror.delete(path)
      else mirror.put(entry)
    }
  }

  async function declare(listed: string | null): Promise<Declaration> {
    const at = changedAt ?? now()
    changedAt = null
    const { zxid } = connection
    seen.zxid = zxid
    const about = { revision: toRevision(zxid), listed, changedAt: at }
    const unreadable = tree.unreadable()
    if (unreadable.size === 0) return mirror.declare(about)
    const problems = [...unreadable].map(([key, fault]): Problem => {
      const message = `the children of "${key}" are not read, because it ${fault}; what they declared stays`
      return { kind: 'source', id: '', message, source: spec.name, key }
    })
    const isUnread = (object: DeclaredObject): boolean =>
      [...unreadable.keys()].some((path) => object.key.startsWith(`${path}/`))
    return { ...(await mirror.declare({ ...about, problems })), isUnread }
  }

  try {
    const { zxid } = connection
    const created = await tree.identify()
    const isOther = seen.root !== '' && seen.root !== created
    const isBack = zxid < seen.zxid
    await list()
    adopt()
    seen.root = created
    yield await declare(isBack ? 'rewound' : isOther ? 'replaced' : 'first')
    while (!signal.aborted) {
      await notifier.wait()
      if (signal.aborted) return
      if (failure !== null) throw failure
      const isChanged = dirty.size > 0
      if (isChanged) await refresh()
      if (arrived !== null) {
        const reason = arrived
        arrived = null
        adopt()
        yield await declare(reason)
      } else if (isChanged) {
        const declaration = await declare(null)
        if (mirror.hasNews) yield declaration
      }
      if (wanted === null || listing !== null) continue
      const reason = wanted
      wanted = null
      list().then(() => {
        arrived = reason
        notifier.notify()
      }, fail)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    clearInterval(reconcileTimer)
    signal.removeEventListener('abort', stop)
    reloads.delete(reload)
    connection.close()
  }
}
