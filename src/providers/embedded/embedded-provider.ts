/**
 * The embedded store as a source of declarations: one local file, the registry when no other is named. A store that was
 * never written is an empty one, and its file is waited for. A look at it is worth its time when the file rings (a writer
 * touches it after each write), when a key expires, and, for what no event tells, when its size or time has changed.
 *
 * What the file holds, and how: file.ts. What a look sees: reader.ts. How it is written: keys.ts.
 */
import { realpathSync, statSync } from 'node:fs'
import { setTimeout as passed } from 'node:timers/promises'
import type { StoreSource } from '../../model/source-spec.ts'
import { createBell } from '../bell.ts'
import { StoreBusy } from './failure.ts'
import { createStoreMemory } from './memory.ts'
import type { StoreMemory } from './memory.ts'
import { createStoreReader } from './reader.ts'
import type { Layout } from '../registry/mirror.ts'
import { watchPath } from '../file/path-watch.ts'
import type { Declaration, Provider } from '../provider.ts'

export { openEmbeddedKeys } from './keys.ts'

export interface EmbeddedProviderOptions {
  readonly reconcileMs?: number
  /** ms since the epoch, for times to live: they outlive the process that set them. */
  readonly now?: () => number
  /** From 0 up to 1. */
  readonly random?: () => number
}

/** For network filesystems, and for writers that died before they could ring. */
const pollMs = 1_000
/** A writer that writes all the time is not looked at all the time. */
const gapMs = 2
/** A file that is locked is looked at again so soon, and counts as lost after so long. */
const busyAgainMs = 20
const busyLostMs = 5_000

export function createEmbeddedProvider(
  spec: StoreSource,
  layout: Layout,
  options: EmbeddedProviderOptions = {},
): Provider {
  const { reconcileMs = 60_000, now = Date.now, random = Math.random } = options
  const reloads = new Set<() => void>()
  const seen = createStoreMemory()
  return {
    name: spec.name,
    watch: (signal) =>
      watchStore(spec.path, layout, { reconcileMs, now, random }, signal, reloads, seen),
    memory: () => seen.text,
    recall: seen.recall,
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
  seen: StoreMemory,
): AsyncGenerator<Declaration, void, undefined> {
  const bell = createBell()
  const reader = createStoreReader(path, layout, now, seen)
  let rungAt: number | null = null
  const ring = (): void => {
    rungAt ??= performance.now()
    bell.ring()
  }
  let owed: string | null = 'first'
  const ask = (): void => {
    owed ??= 'asked'
    bell.ring()
  }
  const watch = watchPath(path, ring)
  let signature = ''
  let lookedAt = -Infinity
  let reconcileAt = Infinity
  let busySince: number | null = null
  reloads.add(ask)
  signal.addEventListener('abort', bell.ring)

  /** Null: nothing is different, or the file is locked and looked at again. */
  function look(): Declaration | null {
    const changedAt = rungAt ?? performance.now()
    const reason = owed ?? (performance.now() >= reconcileAt ? 'reconcile' : null)
    rungAt = null
    try {
      const declaration = reader.look(reason, changedAt)
      busySince = null
      owed = null
      if (reason !== null) reconcileAt = performance.now() + reconcileMs * (1 + random() / 5)
      return declaration
    } catch (error) {
      if (!(error instanceof StoreBusy)) throw error
      busySince ??= performance.now()
      if (performance.now() - busySince > busyLostMs) throw error
      rungAt = changedAt
      return null
    }
  }

  /** Until something may be different. */
  async function wait(): Promise<void> {
    if (busySince !== null) {
      await bell.wait(busyAgainMs)
      return
    }
    while (!signal.aborted) {
      const expiresMs = (reader.nextExpiry() ?? Infinity) - now()
      const dueMs = Math.min(expiresMs, reconcileAt - performance.now())
      if (dueMs <= 0) return
      if (await bell.wait(Math.ceil(Math.min(dueMs, pollMs)))) break
      watch.arm()
      if (signatureOf(path) !== signature) break
    }
    const gap = lookedAt + gapMs - performance.now()
    if (gap > 0 && !signal.aborted) await passed(gap)
  }

  try {
    while (!signal.aborted) {
      // Before looking: what changes from here on rings, or polls as different.
      watch.arm()
      signature = signatureOf(path)
      lookedAt = performance.now()
      const declaration = look()
      if (declaration !== null) yield declaration
      await wait()
    }
  } finally {
    signal.removeEventListener('abort', bell.ring)
    reloads.delete(ask)
    watch.close()
  }
}

/** Of the file and of SQLite's log beside it, which grows first. */
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
  // An empty log is one that a reader has left.
  if (found === undefined || found.size === 0n) return ''
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')
}
