/**
 * Watches the keys below the prefix from the revision after a list. A watch always ends with an error: the member is gone, the
 * history was compacted, or the store is not the listed one.
 */
import { errorOf } from '../../model/error-message.ts'
import { EtcdFailure, toFailure } from './failure.ts'
import type { ResponseHeader, WatchEvent, WatchResponse } from './messages.ts'
import { probe } from './probe.ts'
import type { KeyPrefix } from './key-prefix.ts'
import type { Session } from './session.ts'

export interface WatchListener {
  /** Whole revisions, in order. */
  onEvents(events: readonly WatchEvent[]): void
  onEnd(error: Error): void
}

/** For the confirmation of a watch. */
const CREATE_TIMEOUT_MS = 3000

export function watchKeys(
  session: Session,
  prefix: KeyPrefix,
  listed: ResponseHeader,
  listener: WatchListener,
): void {
  const next = BigInt(listed.revision) + 1n
  const doing = `watch "${prefix.text}"`
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
      // In a wiped store, a watch from a future revision is silent until that revision is reached. The cluster id does not
      // help: it is derived from the configuration and is the same after a wipe.
      const { cluster_id, revision } = response.header
      if (cluster_id !== listed.cluster_id || BigInt(revision) + 1n < next) {
        fail('the store is not the one that was listed')
      }
      return
    }
    parts.push(...response.events)
    // A fragment may hold many revisions; all but the last are complete.
    const last = response.fragment ? parts.at(-1)?.kv.mod_revision : null
    const rest = parts.findIndex(({ kv }) => kv.mod_revision === last)
    const events = parts.splice(0, rest < 0 ? parts.length : rest)
    if (events.length > 0) listener.onEvents(events)
  }

  async function cancel({ compact_revision, cancel_reason }: WatchResponse): Promise<void> {
    if (compact_revision !== '0') return fail(`compacted up to revision ${compact_revision}`)
    // A missing permission and an expired token look the same here; the probe distinguishes them.
    await probe(session, prefix).then(() => fail(cancel_reason || 'it was cancelled'), end)
  }

  async function open(): Promise<void> {
    const stream = await session.openWatch()
    stream.on('data', take)
    stream.on('error', (error: unknown) => end(toFailure(error, session.endpoint, doing)))
    stream.on('end', () => fail('the stream has ended'))
    stream.write({
      create_request: {
        key: prefix.start,
        range_end: prefix.end,
        start_revision: String(next),
        progress_notify: true,
        fragment: true,
      },
    })
    timer = setTimeout(() => fail('no response in time'), CREATE_TIMEOUT_MS)
  }

  open().catch((error: unknown) => end(errorOf(error)))
}
