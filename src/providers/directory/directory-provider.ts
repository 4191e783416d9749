/**
 * A directory as a source: each *.yaml, *.yml and *.json in it declares objects as the main file does, and stands for
 * itself. A bad file is told, and what was read from it last stays declared; a file that is deleted takes its objects
 * with it; of an object that two files declare, the first by file name holds. Folders in it and hidden files are left alone.
 *
 * A directory that is not there at all declares nothing: the source is lost then, which is another thing than empty.
 */
import type { FilesSource } from './source.ts'
import { createNotifier } from '../notifier.ts'
import type { ReadingOptions } from '../file/reading.ts'
import { lookAgainMs, pollMs, settle, shorterMs, unfinishedMs } from '../file/settle.ts'
import { createDirectory, isDeclaring } from './directory.ts'
import type { Directory } from './directory.ts'
import { watchDirectory } from './directory-watch.ts'
import type { Declaration, Provider } from '../provider.ts'

/** What is in doubt is looked at again after this: late enough for one that got shorter to be believed. */
const doubtMs = shorterMs + 1

export interface FilesProviderOptions {
  /** What the references of the files may name. */
  readonly env?: ReadingOptions['env']
}

export function createFilesProvider(
  spec: Pick<FilesSource, 'name' | 'directory'>,
  options: FilesProviderOptions = {},
): Provider {
  const { name, directory } = spec
  const reloads = new Set<() => void>()
  // It outlives a watch: what was read from a file last stays also when the directory was away in between.
  const files = createDirectory({ name, directory, env: options.env ?? process.env })

  return {
    name,
    watch: (signal) => watchFiles(directory, files, signal, reloads),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchFiles(
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
  let isAsked = false
  const ask = (): void => {
    isAsked = true
    notifier.notify()
  }
  reloads.add(ask)
  signal.addEventListener('abort', notifier.notify)

  function declare(listed: string, changedAt: number): Declaration {
    const { revision, objects, problems } = files.together()
    const { locate, isUnread } = files
    const declared = { revision, objects, changes: null, listed, problems, changedAt, locate }
    return { readable: true, ...declared, ...(isUnread === undefined ? {} : { isUnread }) }
  }

  /** Whether anything is new. One that is being replaced is away for a moment. */
  async function look(isAll: boolean, wasAsked: boolean, patienceMs: number): Promise<boolean> {
    const until = performance.now() + patienceMs
    for (;;) {
      // Before reading: what changes from here on notifies again.
      watch.arm(files.targets)
      const heard = watch.takeHeard()
      try {
        return await files.look(isAll ? null : heard, wasAsked)
      } catch (error) {
        if (signal.aborted || performance.now() >= until) throw error
        isAll = true
        await notifier.wait(lookAgainMs)
      }
    }
  }

  async function readFirst(): Promise<Declaration> {
    const changedAt = performance.now()
    await look(true, false, 0)
    // A file that is being written would come as one that takes its routes away.
    while (files.hasDoubts && !signal.aborted) {
      await notifier.wait(doubtMs)
      await look(false, false, unfinishedMs)
    }
    // What its symlinks lead to is known only now.
    watch.arm(files.targets)
    return declare('first', changedAt)
  }

  /** Null when there is nothing new to tell. */
  async function readNext(): Promise<Declaration | null> {
    files.forgetText()
    let wasAsked = false
    let since: number | null = null
    do {
      const isNotified = await notifier.wait(files.hasDoubts ? doubtMs : undefined)
      since ??= performance.now()
      if (isNotified) await settle(notifier, () => signal.aborted || isAsked)
      if (signal.aborted) return null
      wasAsked ||= isAsked
      const [isAll, isNowAsked] = [isPolled, isAsked]
      isPolled = isAsked = false
      const isNew = await look(isAll, isNowAsked, unfinishedMs)
      // One that is in doubt must not keep the others waiting.
      if (isNew || wasAsked) return declare(wasAsked ? 'asked' : 'changed', since)
    } while (files.hasDoubts)
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
    reloads.delete(ask)
    stopPoll()
    watch.close()
  }
}

/** A look at 10,000 files takes a while itself: then it comes every ten seconds. */
function startPoll(files: Directory, onDue: () => void): () => void {
  let timer = setTimeout(due, pollMs)

  function due(): void {
    onDue()
    timer = setTimeout(due, Math.max(pollMs, files.size))
  }

  return () => clearTimeout(timer)
}
