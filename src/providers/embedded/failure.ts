/** Turns errors of the file system and SQLite into messages that help. */
import { SourceRefused } from '../provider.ts'
import { StoreConflict, StoreRefusal } from '../store.ts'

/** SQLITE_BUSY: another process holds the lock. */
const BUSY = 5
const REASONS: Readonly<Record<number, string>> = {
  5: 'another process holds it locked',
  10: 'the disk fails to read or write',
  11: 'the file is damaged; put back a backup without -wal and -shm files beside it, or move it away to start with an empty one',
  13: 'the disk is full',
  14: 'it cannot be opened; it needs the right to read it and to write to its folder',
  26: 'the file is damaged, or no store at all; put back a backup without -wal and -shm files beside it, or move it away to start with an empty one',
}

/** Nothing was read or written; a retry may succeed. */
export class StoreBusy extends Error {
  override readonly name = 'StoreBusy'
}

export function explain(path: string, error: unknown): Error {
  const isToldAlready = [SourceRefused, StoreConflict, StoreRefusal].some(
    (kind) => error instanceof kind,
  )
  if (isToldAlready) return error as Error
  if (!(error instanceof Error)) return new Error(String(error), { cause: error })
  const code = codeOf(error)
  if (code === 'EACCES' || code === 'EPERM') {
    const help = 'run as its owner, or set "data" (SLUICE_DATA) to a folder of your own'
    return new SourceRefused(`cannot use the store ${path}: permission denied; ${help}`, {
      cause: error,
    })
  }
  if (code === 'EROFS') {
    return new SourceRefused(`cannot write the store ${path}: its file system is read-only`, {
      cause: error,
    })
  }
  const { errcode } = error as { errcode?: unknown }
  // The primary result code is the lower byte.
  const primary = typeof errcode === 'number' ? errcode & 0xff : null
  if (primary === null) {
    return code === null
      ? error
      : new Error(`cannot use the store ${path}: ${error.message}`, { cause: error })
  }
  if (primary === 8) {
    return new SourceRefused(`cannot write the store ${path}: permission denied`, { cause: error })
  }
  const message = `cannot use the store ${path}: ${REASONS[primary] ?? error.message}`
  return primary === BUSY
    ? new StoreBusy(message, { cause: error })
    : new Error(message, { cause: error })
}

export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null
}
