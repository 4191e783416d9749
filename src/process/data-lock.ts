/**
 * One program per data folder: two would overwrite each other's last good snapshots. SQLite locks a file there through the
 * kernel, so that the lock ends with the process in any case and never becomes stale. Commands that only write to the
 * embedded store take no such lock.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../model/error-message.ts'

export interface DataLock {
  /** Again has no effect: it is released to the next program, and at the end. */
  release(): void
}

/** The data folder of this program, which a predecessor may still write to. */
export interface DataFolder {
  /** Resolves once this program alone writes to it; to false if it ends before. */
  readonly owned: Promise<boolean>
  /** For the next program. */
  release(): void
}

/** `free`: resolves when the predecessor has released it. A lock that fails then is reported: the program serves already. */
export function inheritData(
  free: Promise<void>,
  lock: () => Promise<DataLock | null>,
  complain: (line: string) => void,
): DataFolder {
  const { promise: owned, resolve } = Promise.withResolvers<boolean>()
  let held: DataLock | null = null
  let isOver = false
  void free.then(async () => {
    if (isOver) return
    held = await lock().catch((error: unknown) => {
      complain(messageOf(error))
      return null
    })
    if (isOver) held?.release()
    resolve(!isOver)
  })
  return {
    owned,
    release() {
      isOver = true
      held?.release()
      held = null
      resolve(false)
    },
  }
}

export function ownData(lock: DataLock | null): DataFolder {
  return { owned: Promise.resolve(true), release: () => lock?.release() }
}

/** Throws if another program has locked the folder. Returns null if it cannot be locked at all, after a line to `complain`. */
export async function lockData(
  folder: string,
  complain: (line: string) => void,
): Promise<DataLock | null> {
  const path = join(folder, 'serve.lock')
  const holder = join(folder, 'serve.pid')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(path, { timeout: 0 })
    // Nothing is written to it: it stays empty, and cannot be damaged.
    database.exec('BEGIN EXCLUSIVE')
    writeFileSync(holder, `${process.pid}\n`)
    return {
      release() {
        if (database.isOpen) database.close()
      },
    }
  } catch (error) {
    if (isLocked(error)) {
      throw new Error(
        `the data folder ${folder} is in use by another sluice${processOf(holder)}: stop that one, or give this one a folder of its own (data: in the file, or --data)`,
        { cause: error },
      )
    }
    const reason = messageOf(error)
    complain(
      `the data folder ${folder} cannot be locked: ${reason}; a second program on it would not be refused`,
    )
    return null
  }
}

const SQLITE_BUSY = 5

function isLocked(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}

function processOf(holder: string): string {
  try {
    const pid = readFileSync(holder, 'utf8').trim()
    return /^\d+$/.test(pid) ? ` (process ${pid})` : ''
  } catch {
    return ''
  }
}
