/**
 * A directory as a source: each *.yaml, *.yml and *.json in it declares objects as the main file does. An invalid file is
 * reported, and its last valid content stays declared. A deleted file takes its objects with it. Of an object that two files
 * declare, the first by file name wins. Subdirectories and hidden files are ignored.
 *
 * If the directory does not exist, the source is lost, which is not the same as empty.
 */
import type { FilesSource } from './source.ts'
import { createNotifier } from '../notifier.ts'
import type { ReadingOptions } from '../file/reading.ts'
import {
  RETRY_MS,
  POLL_INTERVAL_MS,
  debounce,
  SHORTER_MS,
  UNFINISHED_MS,
} from '../file/debounce.ts'
import { createDirectory, isDeclaring } from './directory.ts'
import type { Directory } from './directory.ts'
import { watchDirectory } from './directory-watch.ts'
import type { Declaration, Provider } from '../provider.ts'

/** An unstable file is read again after this time, which is long enough for one that got shorter. */
const RECHECK_MS = SHORTER_MS + 1

export interface DirectoryProviderOptions {
  /** Variables for references in the files. */
  readonly env?: ReadingOptions['env']
}

export function createDirectoryProvider(
  spec: Pick<FilesSource, 'name' | 'directory'>,
  options: DirectoryProviderOptions = {},
): Provider {
  const { name, directory } = spec
  const reloads = new Set<() => void>()
  // It outlives a watch: the last valid content stays if the directory was missing in between.
  const files = createDirectory({ name, directory, env: options.env ?? process.env })

  return {
    name,
    watch: (signal) => watchDirectoryFiles(directory, files, signal, reloads),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchDirectoryFiles(
  directory: string,
  files: Directory,
  signal: AbortSignal,
  reloads: Set<() => void>,
): AsyncGenerator<Declaration, void, undefined> {
  const notifier = createNotifier()
  const watch = watchDirectory(directory, isDeclaring, notifier.notify)
  const stopPoll = startPoll(files, () => {
    isPolled = true
    notifier.notify()
  })
  let isPolled = false
  let isReloading = false
  const reload = (): void => {
    isReloading = true
    notifier.notify()
  }
  reloads.add(reload)
  signal.addEventListener('abort', notifier.notify)

  function declare(listed: string, changedAt: number): Declaration {
    const { revision, objects, problems } = files.merge()
    const { locate, isUnread } = files
    const declared = { revision, objects, changes: null, listed, problems, changedAt, locate }
    return { readable: true, ...declared, ...(isUnread === undefined ? {} : { isUnread }) }
  }

  /** Returns whether anything has changed. Retries, because a directory that is being replaced is missing for a moment. */
  async function look(isAll: boolean, wasReloading: boolean, patienceMs: number): Promise<boolean> {
    const until = performance.now() + patienceMs
    for (;;) {
      // Before reading: later changes notify again.
      watch.arm(files.targets)
      const changed = watch.takeChanged()
      try {
        return await files.refresh(isAll ? null : changed, wasReloading)
      } catch (error) {
        if (signal.aborted || performance.now() >= until) throw error
        isAll = true
        await notifier.wait(RETRY_MS)
      }
    }
  }

  async function readFirst(): Promise<Declaration> {
    const changedAt = performance.now()
    await look(true, false, 0)
    // A file that is still being written would remove its routes.
    while (files.hasUnstable && !signal.aborted) {
      await notifier.wait(RECHECK_MS)
      await look(false, false, UNFINISHED_MS)
    }
    // The targets of symlinks are known only now.
    watch.arm(files.targets)
    return declare('first', changedAt)
  }

  /** Null if nothing has changed. */
  async function readNext(): Promise<Declaration | null> {
    files.forgetText()
    let wasReloading = false
    let since: number | null = null
    do {
      const isNotified = await notifier.wait(files.hasUnstable ? RECHECK_MS : undefined)
      since ??= performance.now()
      if (isNotified) await debounce(notifier, () => signal.aborted || isReloading)
      if (signal.aborted) return null
      wasReloading ||= isReloading
      const [isAll, isReloadNow] = [isPolled, isReloading]
      isPolled = isReloading = false
      const isNew = await look(isAll, isReloadNow, UNFINISHED_MS)
      // An unstable file must not delay the others.
      if (isNew || wasReloading) return declare(wasReloading ? 'asked' : 'changed', since)
    } while (files.hasUnstable)
    return null
  }

  try {
    yield await readFirst()
    while (!signal.aborted) {
      const change = await readNext()
      if (change !== null) yield change
    }
  } finally {
    signal.removeEventListener('abort', notifier.notify)
    reloads.delete(reload)
    stopPoll()
    watch.close()
  }
}

/** Reading the state of 10,000 files takes a while, so they are polled every ten seconds only. */
function startPoll(files: Directory, onDue: () => void): () => void {
  let timer = setTimeout(due, POLL_INTERVAL_MS)

  function due(): void {
    onDue()
    timer = setTimeout(due, Math.max(POLL_INTERVAL_MS, files.size))
  }

  return () => clearTimeout(timer)
}
