/**
 * The changes after a list: puts, deletes, and the end of the watch when the member no longer serves. It can list again
 * while it watches: changes in between are reported immediately, and applied on top of the list if they are newer.
 */
import { errorOf } from '../../model/error-message.ts'
import { startHeartbeat } from '../heartbeat.ts'
import type { KeyEntry } from '../layout.ts'
import { listKeys } from './list.ts'
import type { Listing, KeyFilter } from './list.ts'
import { DELETE_EVENT } from './messages.ts'
import type { WatchEvent } from './messages.ts'
import { probe } from './probe.ts'
import { pathOf, toEntry } from './key-prefix.ts'
import type { KeyPrefix } from './key-prefix.ts'
import type { Session } from './session.ts'
import { watchKeys } from './watch.ts'

export interface FeedListener {
  /** `entry` is null if the key was deleted. Returns the entry as it may be kept. */
  onChange(path: string, entry: KeyEntry | null): KeyEntry | null
  /** Called once; nothing else is called after it. */
  onEnd(error: Error): void
}

export interface Feed {
  /** The latest known revision. */
  revision(): string
  list(): Promise<Listing>
  /** All keys: those of the list, with the changes that are newer. */
  replace(listing: Listing): readonly KeyEntry[]
  close(): void
}

interface Change {
  readonly entry: KeyEntry | null
  readonly revision: bigint
}

/** With the timeout of a call, less than the 5 s that `Provider.watch` allows. */
const PROBE_INTERVAL_MS = 1500

export function openFeed(
  session: Session,
  prefix: KeyPrefix,
  filter: KeyFilter,
  first: Listing,
  listener: FeedListener,
): Feed {
  /** The list contains every change up to this revision. */
  let listedAt = BigInt(first.header.revision)
  let latest = listedAt
  /** By path, the last change of each since the list in progress was begun. */
  let sinceListing: Map<string, Change> | null = null
  let isClosed = false

  function end(error: unknown): void {
    if (isClosed) return
    close()
    listener.onEnd(errorOf(error))
  }

  function take(event: WatchEvent): void {
    const revision = BigInt(event.kv.mod_revision)
    const path = pathOf(event.kv, prefix)
    if (path === null || !filter.isOurs(path) || revision <= listedAt) return
    const isDelete = event.type === DELETE_EVENT
    if (revision > latest) latest = revision
    const entry = listener.onChange(path, isDelete ? null : toEntry(path, event.kv, prefix))
    sinceListing?.set(path, { entry, revision })
  }

  const stopHeartbeat = startHeartbeat(() => probe(session, prefix), PROBE_INTERVAL_MS, end)

  function close(): void {
    isClosed = true
    stopHeartbeat()
    session.close()
  }

  watchKeys(session, prefix, first.header, {
    onEvents(events) {
      if (!isClosed) events.forEach(take)
    },
    onEnd: end,
  })

  return {
    revision: () => String(latest),
    list() {
      sinceListing = new Map()
      return listKeys(session, prefix, filter)
    },
    replace({ header, keys }) {
      listedAt = BigInt(header.revision)
      if (listedAt > latest) latest = listedAt
      const found = new Map(keys.map(({ entry }) => [entry.path, entry]))
      for (const [path, { entry, revision }] of sinceListing ?? []) {
        if (revision <= listedAt) continue
        if (entry === null) found.delete(path)
        else found.set(path, entry)
      }
      sinceListing = null
      return [...found.values()]
    },
    close,
  }
}
