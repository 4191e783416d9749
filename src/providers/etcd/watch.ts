/**
 * What changes below the root after a list, revision by revision. It ends with an error, always: of the member that is
 * gone, of a history that was compacted, of a store that is not the one that was listed.
 */
import { EtcdFailure, toFailure } from './failure.ts'
import type { ResponseHeader, WatchEvent, WatchResponse } from './messages.ts'
import { probe } from './probe.ts'
import type { Root } from './root.ts'
import type { Session } from './session.ts'

export interface WatchListener {
  /** Whole revisions, in order. */
  onEvents(events: readonly WatchEvent[]): void
  onEnd(error: Error): void
}

/** Within which a watch is confirmed. */
const createMs = 3000

export function watchKeys(
  session: Session,
  root: Root,
  listed: ResponseHeader,
  listener: WatchListener,
): void {
  const next = BigInt(listed.revision) + 1n
  const doing = `watch "${root.text}"`
  const parts: WatchEvent[] = []
  let timer: NodeJS.Timeout | null = null
  let hasEnded = false

  function end(error: Error): void {
    if (timer !== null) clearTimeout(timer)
    if (hasEnded) return
    hasEnded = true
    listener.onEnd(error)
  }

  function fail(reason: string): void {
    end(new EtcdFailure(`etcd ${session.endpoint}: cannot ${doing}: ${reason}`, 'lost'))
  }

  function take(response: WatchResponse): void {
    if (response.canceled) return void cancel(response)
    if (response.created) {
      if (timer !== null) clearTimeout(timer)
      // A watch from a revision that a wiped store has yet to reach would be silent until it has. The cluster's id
      // is no help against that: it is made from the configuration, and the same again after a wipe.
      const { cluster_id, revision } = response.header
      if (cluster_id !== listed.cluster_id || BigInt(revision) + 1n < next) {
        fail('the store is not the one that was listed')
      }
      return
    }
    parts.push(...response.events)
    // Whoever is behind gets a thousand revisions in fragments: all but the last of them are whole already.
    const last = response.fragment ? parts.at(-1)?.kv.mod_revision : null
    const rest = parts.findIndex(({ kv }) => kv.mod_revision === last)
    const events = parts.splice(0, rest < 0 ? parts.length : rest)
    if (events.length > 0) listener.onEvents(events)
  }

  async function cancel({ compact_revision, cancel_reason }: WatchResponse): Promise<void> {
    if (compact_revision !== '0') return fail(`compacted up to revision ${compact_revision}`)
    // A right that is missing and a token that has just expired look alike here: the probe tells which it is.
    await probe(session, root).then(() => fail(cancel_reason || 'it was cancelled'), end)
  }

  async function open(): Promise<void> {
    const stream = await session.openWatch()
    stream.on('data', take)
    stream.on('error', (error: unknown) => end(toFailure(error, session.endpoint, doing)))
    stream.on('end', () => fail('the stream has ended'))
    stream.write({
      create_request: {
        key: root.start,
        range_end: root.end,
        start_revision: String(next),
        progress_notify: true,
        fragment: true,
      },
    })
    timer = setTimeout(() => fail('no answer in time'), createMs)
  }

  open().catch((error: unknown) => end(error instanceof Error ? error : new Error(String(error))))
}
