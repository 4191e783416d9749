/**
 * What the subscribed connections have reported since the reader last took it: paths to read again, a reason to list, or
 * the end of a connection. Its size is limited: a path is kept once, and too many paths become a reason to list.
 */
import { createNotifier } from '../notifier.ts'

export interface ChangeBatch {
  /** From path to node. */
  readonly paths: ReadonlyMap<string, number>
  /** Why to list, as a metric label; null: there is no need. */
  readonly listReason: string | null
  /** When the first of it arrived, in ms of `now`; null if nothing did. */
  readonly since: number | null
}

export interface PendingChanges {
  add(path: string, node: number): void
  requestList(reason: string): void
  fail(error: Error): void
  /** Resolves when there is something to take, or after `ms`. */
  wait(ms: number): Promise<void>
  /** Returns what has arrived and starts a new batch. Throws the error of `fail`. */
  take(): ChangeBatch
}

/** Reading this many keys one by one takes about as long as a list. */
const MAX_PATHS = 5_000

/** `onFailure` is called at the first failure only. */
export function createPendingChanges(now: () => number, onFailure: () => void): PendingChanges {
  const notifier = createNotifier()
  let paths = new Map<string, number>()
  let listReason: string | null = null
  let since: number | null = null
  let failure: Error | null = null

  function notify(): void {
    since ??= now()
    notifier.notify()
  }

  return {
    add(path, node) {
      if (paths.size < MAX_PATHS) paths.set(path, node)
      else listReason ??= 'many'
      notify()
    },
    requestList(reason) {
      listReason = reason
      notify()
    },
    fail(error) {
      if (failure !== null) return
      failure = error
      onFailure()
      notify()
    },
    async wait(ms) {
      await notifier.wait(ms)
    },
    take() {
      if (failure !== null) throw failure
      const batch = { paths, listReason, since }
      paths = new Map()
      listReason = null
      since = null
      return batch
    },
  }
}
