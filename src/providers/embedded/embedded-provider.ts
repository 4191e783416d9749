/**
 * The embedded store as a source of declarations: one local file, the registry if no other is configured. A store that was
 * never written is empty, and the provider waits for its file. It is read when the file is touched (writers do so after each
 * write), when a key expires, and when its size or time has changed without an event.
 *
 * The format of the file: database.ts. How it is read: reader.ts. How it is written: embedded-key-store.ts.
 */
import { realpathSync, statSync } from 'node:fs'
import { setTimeout as passed } from 'node:timers/promises'
import type { StoreSource } from './source.ts'
import { createNotifier } from '../notifier.ts'
import { StoreBusy } from './failure.ts'
import { createStoreRollbackDetector } from './rollback.ts'
import type { StoreRollbackDetector } from './rollback.ts'
import { createStoreReader } from './reader.ts'
import type { Layout } from '../layout.ts'
import { watchPath } from '../file/path-watch.ts'
import type { Declaration, Provider } from '../provider.ts'

export { openEmbeddedKeyStore } from './embedded-key-store.ts'

export interface EmbeddedProviderOptions {
  readonly reconcileMs?: number
  /** ms since the epoch: times to live outlive the process that set them. */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** For network file systems, and for writers that died before they touched the file. */
const POLL_INTERVAL_MS = 1_000
/** Between reads, however often the file is written. */
const MIN_READ_INTERVAL_MS = 2
/** A locked file is read again after the first time, and counts as lost after the second. */
const BUSY_RETRY_MS = 20
const BUSY_TIMEOUT_MS = 5_000

export function createEmbeddedProvider(
  spec: StoreSource,
  layout: Layout,
  options: EmbeddedProviderOptions = {},
): Provider {
  const { reconcileMs = 60_000, now = Date.now, random = Math.random } = options
  const reloads = new Set<() => void>()
  const rollback = createStoreRollbackDetector()
  return {
    name: spec.name,
    watch: (signal) =>
      watchStore(spec.path, layout, { reconcileMs, now, random }, signal, reloads, rollback),
    checkpoint: () => rollback.checkpoint,
    restore: rollback.restore,
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchStore(
  path: string,
  layout: Layout,
  { reconcileMs, now, random }: Required<EmbeddedProviderOptions>,
  signal: AbortSignal,
  reloads: Set<() => void>,
  rollback: StoreRollbackDetector,
): AsyncGenerator<Declaration, void, undefined> {
  const notifier = createNotifier()
  const reader = createStoreReader(path, layout, now, signal, rollback)
  let notifiedAt: number | null = null
  const notify = (): void => {
    notifiedAt ??= performance.now()
    notifier.notify()
  }
  let listReason: string | null = 'first'
  const reload = (): void => {
    listReason ??= 'asked'
    notifier.notify()
  }
  const watch = watchPath(path, notify)
  let signature = ''
  let lookedAt = -Infinity
  let reconcileAt = Infinity
  let busySince: number | null = null
  reloads.add(reload)
  signal.addEventListener('abort', notifier.notify)

  /** Null: nothing has changed, or the file is locked and will be read again. */
  async function look(): Promise<Declaration | null> {
    const changedAt = notifiedAt ?? performance.now()
    const reason = listReason ?? (performance.now() >= reconcileAt ? 'reconcile' : null)
    notifiedAt = null
    try {
      const declaration = await reader.look(reason, changedAt)
      busySince = null
      listReason = null
      if (reason !== null) reconcileAt = performance.now() + reconcileMs * (1 + random() / 5)
      return declaration
    } catch (error) {
      if (!(error instanceof StoreBusy)) throw error
      busySince ??= performance.now()
      if (performance.now() - busySince > BUSY_TIMEOUT_MS) throw error
      notifiedAt = changedAt
      return null
    }
  }

  /** Resolves when something may have changed. */
  async function wait(): Promise<void> {
    if (busySince !== null) {
      await notifier.wait(BUSY_RETRY_MS)
      return
    }
    while (!signal.aborted) {
      const expiresMs = (reader.nextExpiry() ?? Infinity) - now()
      const dueMs = Math.min(expiresMs, reconcileAt - performance.now())
      if (dueMs <= 0) return
      if (await notifier.wait(Math.ceil(Math.min(dueMs, POLL_INTERVAL_MS)))) break
      watch.arm()
      if (signatureOf(path) !== signature) break
    }
    const gap = lookedAt + MIN_READ_INTERVAL_MS - performance.now()
    if (gap > 0 && !signal.aborted) await passed(gap)
  }

  try {
    while (!signal.aborted) {
      // Before reading: later changes then notify, or differ in the poll.
      watch.arm()
      signature = signatureOf(path)
      lookedAt = performance.now()
      const declaration = await look()
      if (declaration !== null) yield declaration
      await wait()
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', notifier.notify)
    reloads.delete(reload)
    watch.close()
  }
}

/** Of the file and its write-ahead log, which grows first. */
function signatureOf(path: string): string {
  try {
    const real = realpathSync(path)
    return [real, `${real}-wal`].map(stateOf).join()
  } catch (error) {
    return String(error)
  }
}

function stateOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  // A reader leaves an empty log behind.
  if (found === undefined || found.size === 0n) return ''
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')
}
