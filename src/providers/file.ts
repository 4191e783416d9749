/**
 * The file as a source of declarations: read at once, and again whenever what its path leads to changes, however it is
 * written (in place, renamed over, deleted and made again, a swapped symlink, a replaced directory).
 *
 * Writing takes time, and a half-written file looks like one that takes routes away. So a reading waits until writes have
 * stopped for a moment, one that is shorter than the last waits once more, and one that looks unfinished (missing, empty,
 * garbled) is repeated for a while before it is believed. What still cannot be read then is reported as that, never as a declaration.
 */
import { stat } from 'node:fs/promises'
import type { ReadableDocument } from '../model/document.ts'
import type { Problem } from '../model/problem.ts'
import { createBell } from './bell.ts'
import { readDeclarations } from './file-reading.ts'
import type { WholeFile } from './file-reading.ts'
import { watchPath } from './path-watch.ts'
import type { Declaration, Provider, Unreadable } from './provider.ts'

/** Writes have stopped when nothing was heard for this long ... */
const quietMs = 15
/** ... and are not waited for any longer than this. */
const busyMs = 50
/** An unfinished file may become whole for this long, looked at this often; for longer while it goes on changing. */
const unfinishedMs = 250
const lookAgainMs = 25
const changingMs = 1000
/** For what no event tells: network filesystems, a directory far up that is replaced. */
const pollMs = 1000

export interface FileProviderOptions {
  /** A file that got shorter in place may be half written: it must stay as it is for this much longer. */
  readonly shorterMs?: number
}

export function createFileProvider(path: string, options: FileProviderOptions = {}): Provider {
  const { shorterMs = 30 } = options
  const reloads = new Set<() => void>()

  return {
    name: 'file',
    watch: (signal) => watchFile(path, shorterMs, signal, reloads),
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function* watchFile(
  path: string,
  shorterMs: number,
  signal: AbortSignal,
  reloads: Set<() => void>,
): AsyncGenerator<Declaration | Unreadable, void, undefined> {
  const bell = createBell()
  const watch = watchPath(path, bell.ring)
  const stopPoll = await startPoll(path, bell.ring)
  /** Somebody asked: no waiting for quiet, and an answer in any case. */
  let isAsked = false
  const ask = (): void => {
    isAsked = true
    bell.ring()
  }
  reloads.add(ask)
  signal.addEventListener('abort', bell.ring)

  let last = { revision: '', bytes: 0, inode: 0 }
  let complaint: string | null = null
  /** Holds the text: let go as soon as the consumer comes back for more. */
  let document: ReadableDocument | null = null

  function declare(whole: WholeFile, changedAt: number): Declaration {
    const { revision, bytes, inode } = whole
    last = { revision, bytes, inode }
    complaint = null
    document = whole.document
    const { objects, problems } = document
    const locate: Declaration['locate'] = (object, place) => document?.locate(object, place) ?? null
    return { readable: true, revision, objects, problems, changedAt, locate }
  }

  async function readFirst(): Promise<Declaration> {
    watch.arm()
    const reading = await readDeclarations(path, null)
    if (reading.state === 'whole') return declare(reading, Date.now())
    throw new Error(reading.state === 'broken' ? describe(reading.problems) : path)
  }

  /** Null when there is nothing new to tell. */
  async function readNext(): Promise<Declaration | Unreadable | null> {
    document = null
    await bell.wait()
    const changedAt = Date.now()
    let wasAsked = false
    let isChanging = false
    for (;;) {
      await settle()
      if (signal.aborted) return null
      wasAsked ||= isAsked
      isAsked = false
      // Before reading: what changes from here on rings again.
      watch.arm()
      const known = wasAsked || complaint !== null ? null : last.revision
      const reading = await readDeclarations(path, known)
      const spentMs = Date.now() - changedAt
      if (reading.state === 'same') return null
      if (reading.state === 'whole') {
        if (!isCut(reading) || spentMs > changingMs) return declare(reading, changedAt)
        isChanging = await bell.wait(shorterMs)
        if (!isChanging) return declare(reading, changedAt)
      } else if (spentMs < (isChanging ? changingMs : unfinishedMs)) {
        isChanging = await bell.wait(lookAgainMs)
      } else {
        const text = describe(reading.problems)
        if (text === complaint && !wasAsked) return null
        complaint = text
        return { readable: false, problems: reading.problems, changedAt }
      }
    }
  }

  async function settle(): Promise<void> {
    const until = Date.now() + busyMs
    while (!signal.aborted && !isAsked && Date.now() < until) {
      if (!(await bell.wait(Math.min(quietMs, until - Date.now())))) return
    }
  }

  // Another inode was renamed into its place and is whole; the same one, shorter, may have been emptied to be written.
  function isCut(whole: WholeFile): boolean {
    return whole.inode === last.inode && whole.bytes < last.bytes
  }

  try {
    yield await readFirst()
    while (!signal.aborted) {
      const change = await readNext()
      if (change !== null) yield change
    }
  } finally {
    signal.removeEventListener('abort', bell.ring)
    reloads.delete(ask)
    stopPoll()
    watch.close()
  }
}

/** Rings when the path leads to another file than before, or to one with another size or time. */
async function startPoll(path: string, onChange: () => void): Promise<() => void> {
  let last = await signature(path)
  let isLooking = false

  async function look(): Promise<void> {
    isLooking = true
    const seen = await signature(path)
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

function describe(problems: readonly Problem[]): string {
  return problems.map(toLine).join('; ')
}

function toLine({ key, line, column, message }: Problem): string {
  const position = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`
  const [path = key] = key.split('#')
  return `${path}${position}: ${message}`
}
