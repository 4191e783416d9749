/**
 * What is heard after a list: puts and deletes, leases that end, and whether we are still served. Another list may be
 * taken beside it: what is heard meanwhile is told as it comes, and is put on top of the list where it is newer.
 */
import type { KeyEntry } from '../registry/mirror.ts'
import { createLeases } from './leases.ts'
import { listKeys } from './list.ts'
import type { Listing, Wanted } from './list.ts'
import { deleteEvent } from './messages.ts'
import type { WatchEvent } from './messages.ts'
import { leaseTimeToLive } from './methods.ts'
import { probe } from './probe.ts'
import { leaseOf, pathOf, toEntry } from './root.ts'
import type { Root } from './root.ts'
import type { Session } from './session.ts'
import { watchKeys } from './watch.ts'

export interface FeedListener {
  /** Null: the key is gone. Answers what of the entry may be held. */
  onChange(path: string, entry: KeyEntry | null): KeyEntry | null
  /** Once, and nothing else after it. */
  onEnd(error: Error): void
}

export interface Feed {
  /** The latest that is known of. */
  revision(): string
  list(): Promise<Listing>
  /** What there is by a list of this feed, and by what was heard since. */
  adopt(listing: Listing): readonly KeyEntry[]
  close(): void
}

interface Heard {
  readonly entry: KeyEntry | null
  readonly lease: string | null
  readonly revision: bigint
}

/** With the deadline of an answer, less than 5 s after the last one that we are served no more is noticed. */
const probeMs = 1500

export function openFeed(
  session: Session,
  root: Root,
  wanted: Wanted,
  first: Listing,
  listener: FeedListener,
): Feed {
  /** What is not newer than the list stands in it. */
  let listedAt = BigInt(first.header.revision)
  let latest = listedAt
  /** By path, the last there is of each. */
  let heardSinceListing: Map<string, Heard> | null = null
  let isClosed = false

  const leases = createLeases({
    async ask(lease) {
      const askedAt = performance.now()
      const { TTL, grantedTTL } = await session.call(
        leaseTimeToLive,
        { ID: lease },
        `ask for lease ${lease}`,
      )
      const answeredAt = performance.now()
      const [leftSeconds, grantedSeconds] = [Number(TTL), Number(grantedTTL)]
      return { leftSeconds, grantedSeconds, askedAt, answeredAt }
    },
    confirm: () => probe(session, root),
    onGone(paths) {
      for (const path of paths) listener.onChange(path, null)
    },
    onDoubt: end,
  })

  function end(error: unknown): void {
    if (isClosed) return
    close()
    listener.onEnd(error instanceof Error ? error : new Error(String(error)))
  }

  function hear(event: WatchEvent): void {
    const revision = BigInt(event.kv.mod_revision)
    const path = pathOf(event.kv, root)
    if (path === null || !wanted.isOurs(path) || revision <= listedAt) return
    const isDelete = event.type === deleteEvent
    const lease = isDelete ? null : leaseOf(event.kv)
    if (revision > latest) latest = revision
    leases.note(path, lease)
    const entry = listener.onChange(path, isDelete ? null : toEntry(path, event.kv, root))
    heardSinceListing?.set(path, { entry, lease, revision })
  }

  /** Each answer starts the next question, so there is never more than one. */
  let probing = setTimeout(ask, probeMs)
  function ask(): void {
    probe(session, root).then(() => {
      if (!isClosed) probing = setTimeout(ask, probeMs)
    }, end)
  }

  function close(): void {
    isClosed = true
    clearTimeout(probing)
    leases.close()
    session.close()
  }

  leases.replace(first.keys)
  watchKeys(session, root, first.header, {
    onEvents(events) {
      if (!isClosed) events.forEach(hear)
    },
    onEnd: end,
  })

  return {
    revision: () => String(latest),
    list() {
      heardSinceListing = new Map()
      return listKeys(session, root, wanted)
    },
    adopt({ header, keys }) {
      listedAt = BigInt(header.revision)
      if (listedAt > latest) latest = listedAt
      leases.replace(keys)
      const found = new Map<string, KeyEntry>()
      for (const { entry, lease } of keys) if (!leases.isGone(lease)) found.set(entry.path, entry)
      for (const [path, { entry, lease, revision }] of heardSinceListing ?? []) {
        if (revision <= listedAt) continue
        leases.note(path, lease)
        if (entry === null) found.delete(path)
        else found.set(path, entry)
      }
      heardSinceListing = null
      return [...found.values()]
    },
    close,
  }
}
