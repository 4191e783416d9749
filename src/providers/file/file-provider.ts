/**
 * The file as a source of declarations: read immediately, and again each time the file that its path leads to changes, in any way
 * (written in place, renamed over, deleted and created, a swapped symlink, a replaced directory).
 *
 * It is read after writes have stopped for a moment. If it got shorter, it waits again; if it looks unfinished (missing,
 * empty, garbled), it is read again for a while. A file that still cannot be read is reported as unreadable, never as a
 * declaration.
 */
import type { KnownDocument, ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { createNotifier } from '../notifier.ts'
import { readDeclarations, type ReadingOptions, type WholeFile } from './reading.ts'
import {
  CHANGING_MS,
  RETRY_MS,
  POLL_INTERVAL_MS,
  debounce,
  SHORTER_MS,
  UNFINISHED_MS,
} from './debounce.ts'
import { watchPath } from './path-watch.ts'
import { signatureOf } from './signature.ts'
import type { Position } from '../../document/tree.ts'
import type { Declaration, DeclaredObject, Provider, Unreadable } from '../provider.ts'

export interface FileProviderOptions {
  /** A file that got shorter in place may be half written: it must stay unchanged for this much longer. */
  readonly shorterMs?: number
  /** Variables for references in the file. */
  readonly env?: ReadingOptions['env']
}

export function createFileProvider(path: string, options: FileProviderOptions = {}): Provider {
  const whole = { shorterMs: SHORTER_MS, env: process.env, ...options }
  const reloads = new Set<() => void>()

  return {
    name: 'file',
    watch: (signal) => watchFile(path, whole, signal, reloads),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchFile(
  path: string,
  { shorterMs, env }: Required<FileProviderOptions>,
  signal: AbortSignal,
  reloads: Set<() => void>,
): AsyncGenerator<Declaration | Unreadable, void, undefined> {
  const notifier = createNotifier()
  const watch = watchPath(path, notifier.notify)
  let last: Omit<WholeFile, 'document'> | null = null
  const stopPoll = await startPoll(
    () => [path, ...(last?.references.keys() ?? [])],
    notifier.notify,
  )
  /** A reload was requested: it does not wait for the end of writes, and yields in any case. */
  let isReloading = false
  const reload = (): void => {
    isReloading = true
    notifier.notify()
  }
  reloads.add(reload)
  signal.addEventListener('abort', notifier.notify)

  let complaint: string | null = null
  /** The last declaration with its text: the next read parses only what has changed. */
  let before: KnownDocument | null = null
  /** Dropped at the next yield. */
  let document: ReadableDocument | null = null

  function declare(whole: WholeFile, listed: string, changedAt: number): Declaration {
    const { document: declared, ...rest } = whole
    last = rest
    complaint = null
    before = declared.known
    document = declared
    return {
      readable: true,
      revision: whole.revision,
      objects: declared.objects,
      changes: null,
      listed,
      problems: declared.problems,
      changedAt,
      settings: declared,
      locate: (object, place) => locateIn(document, object, place),
    }
  }

  async function readFirst(): Promise<Declaration> {
    watch.arm()
    const reading = await readDeclarations(path, { known: null, env })
    if (reading.state === 'whole') return declare(reading, 'first', performance.now())
    throw new Error(reading.state === 'broken' ? describe(reading.problems) : path)
  }

  /** Null if nothing has changed. */
  async function readNext(): Promise<Declaration | Unreadable | null> {
    document = null
    await notifier.wait()
    const changedAt = performance.now()
    let wasReloading = false
    let isChanging = false
    for (;;) {
      await debounce(notifier, () => signal.aborted || isReloading)
      if (signal.aborted) return null
      wasReloading ||= isReloading
      isReloading = false
      // Before reading: later changes notify again.
      watch.arm()
      const known = wasReloading || complaint !== null ? null : last
      const reading = await readDeclarations(path, { known, before, env })
      const spentMs = performance.now() - changedAt
      if (reading.state === 'same') return null
      if (reading.state === 'whole') {
        const listed = wasReloading ? 'asked' : 'changed'
        if (!isCut(reading) || spentMs > CHANGING_MS) return declare(reading, listed, changedAt)
        isChanging = await notifier.wait(shorterMs)
        if (!isChanging) return declare(reading, listed, changedAt)
      } else if (spentMs < (isChanging ? CHANGING_MS : UNFINISHED_MS)) {
        isChanging = await notifier.wait(RETRY_MS)
      } else {
        const text = describe(reading.problems)
        if (text === complaint && !wasReloading) return null
        complaint = text
        return { readable: false, problems: reading.problems, changedAt }
      }
    }
  }

  // A file that was renamed into its place is complete; one that got shorter in place may be half written.
  function isCut(whole: WholeFile): boolean {
    return last !== null && whole.inode === last.inode && whole.bytes < last.bytes
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

/** Calls `onChange` when one of the paths leads to another file, or its size or time has changed. */
async function startPoll(
  paths: () => readonly string[],
  onChange: () => void,
): Promise<() => void> {
  const signatures = async (): Promise<string> =>
    (await Promise.all(paths().map(signatureOf))).join()
  let last = await signatures()
  let isLooking = false

  async function look(): Promise<void> {
    isLooking = true
    const seen = await signatures()
    isLooking = false
    if (seen !== last) onChange()
    last = seen
  }

  const timer = setInterval(() => {
    if (!isLooking) void look()
  }, POLL_INTERVAL_MS)
  return () => clearInterval(timer)
}

/** Documents have no servers and middlewares with keys of their own. */
export function locateIn(
  document: ReadableDocument | null,
  { kind, id }: DeclaredObject,
  path: readonly (string | number)[],
): Position | null {
  if (kind === 'server' || kind === 'middleware') return null
  return document?.locate({ kind, id }, path) ?? null
}

function describe(problems: readonly Problem[]): string {
  return problems.map(toLine).join('; ')
}

function toLine({ key, line, column, message }: Problem): string {
  const position = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  const [path = key] = key.split('#')
  return `${path}${position}: ${message}`
}
