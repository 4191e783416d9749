/**
 * The file as a source of declarations: read at once, and again whenever what its path leads to changes, however it is
 * written (in place, renamed over, deleted and made again, a swapped symlink, a replaced directory).
 *
 * A reading waits until writes have stopped for a moment, one that is shorter than the last waits once more, and one that
 * looks unfinished (missing, empty, garbled) is repeated for a while before it is believed. What still cannot be read then
 * is reported as that, never as a declaration.
 */
import { stat } from 'node:fs/promises'
import type { KnownDocument, ReadableDocument } from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { createNotifier } from '../notifier.ts'
import { readDeclarations } from './reading.ts'
import type { ReadingOptions, WholeFile } from './reading.ts'
import { changingMs, lookAgainMs, pollMs, settle, shorterMs, unfinishedMs } from './settle.ts'
import { watchPath } from './path-watch.ts'
import type { Position } from '../../document/tree.ts'
import type { Declaration, DeclaredObject, Provider, Unreadable } from '../provider.ts'

export interface FileProviderOptions {
  /** A file that got shorter in place may be half written: it must stay as it is for this much longer. */
  readonly shorterMs?: number
  /** What the references of the file may name. */
  readonly env?: ReadingOptions['env']
}

export function createFileProvider(path: string, options: FileProviderOptions = {}): Provider {
  const whole = { shorterMs, env: process.env, ...options }
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
  /** Somebody asked: no waiting for quiet, and an answer in any case. */
  let isAsked = false
  const ask = (): void => {
    isAsked = true
    notifier.notify()
  }
  reloads.add(ask)
  signal.addEventListener('abort', notifier.notify)

  let complaint: string | null = null
  /** What was declared last, with its text: the next reading parses what is written otherwise. */
  let before: KnownDocument | null = null
  /** Let go as soon as the consumer comes back for more. */
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

  /** Null when there is nothing new to tell. */
  async function readNext(): Promise<Declaration | Unreadable | null> {
    document = null
    await notifier.wait()
    const changedAt = performance.now()
    let wasAsked = false
    let isChanging = false
    for (;;) {
      await settle(notifier, () => signal.aborted || isAsked)
      if (signal.aborted) return null
      wasAsked ||= isAsked
      isAsked = false
      // Before reading: what changes from here on notifies again.
      watch.arm()
      const known = wasAsked || complaint !== null ? null : last
      const reading = await readDeclarations(path, { known, before, env })
      const spentMs = performance.now() - changedAt
      if (reading.state === 'same') return null
      if (reading.state === 'whole') {
        const listed = wasAsked ? 'asked' : 'changed'
        if (!isCut(reading) || spentMs > changingMs) return declare(reading, listed, changedAt)
        isChanging = await notifier.wait(shorterMs)
        if (!isChanging) return declare(reading, listed, changedAt)
      } else if (spentMs < (isChanging ? changingMs : unfinishedMs)) {
        isChanging = await notifier.wait(lookAgainMs)
      } else {
        const text = describe(reading.problems)
        if (text === complaint && !wasAsked) return null
        complaint = text
        return { readable: false, problems: reading.problems, changedAt }
      }
    }
  }

  // Another inode was renamed into its place and is whole; the same one, shorter, may have been emptied to be written.
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
    reloads.delete(ask)
    stopPoll()
    watch.close()
  }
}

/** Rings when one of the paths leads to another file than before, or to one with another size or time. */
async function startPoll(
  paths: () => readonly string[],
  onChange: () => void,
): Promise<() => void> {
  const signatures = async (): Promise<string> => (await Promise.all(paths().map(signature))).join()
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
  }, pollMs)
  return () => clearInterval(timer)
}

async function signature(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(':')
  } catch (error) {
    return String(error)
  }
}

/** A document knows the kinds that stand in files. */
export function locateIn(
  document: ReadableDocument | null,
  { kind, id }: DeclaredObject,
  path: readonly (string | number)[],
): Position | null {
  if (kind === 'server' || kind === 'middleware') return null
  return document?.locate({ kind, id }, path) ?? null
}

export function describe(problems: readonly Problem[]): string {
  return problems.map(toLine).join('; ')
}

function toLine({ key, line, column, message }: Problem): string {
  const position = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  const [path = key] = key.split('#')
  return `${path}${position}: ${message}`
}
