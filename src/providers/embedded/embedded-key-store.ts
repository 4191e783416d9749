/**
 * Writes the embedded store. Every write is one transaction, synced before it resolves: it compares the expected revision,
 * increments the store's revision, changes the key, and turns expired keys into tombstones. Any number of processes may
 * write, one after another.
 */
import { MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import { utimesSync } from 'node:fs'
import { setTimeout as passed } from 'node:timers/promises'
import type { DatabaseSync } from 'node:sqlite'
import { StoreConflict, StoreRefusal } from '../store.ts'
import type { KeyStore, StoredKey, WriteOptions } from '../store.ts'
import { explain, StoreBusy } from './failure.ts'
import { identify, makeFile, openFile } from './database.ts'
import type { OpenFile } from './database.ts'

/** A wait for another process blocks the thread for at most this long; then the event loop runs ... */
const BUSY_MS = 100
/** ... and the write is tried again, for at most this long. */
const TIMEOUT_MS = 5_000

/** Tombstones are kept for this many revisions; a reader that is further behind lists again. */
const TOMBSTONE_REVISIONS = 10_000
/** Old tombstones are removed once per this many revisions. */
const TRIM_EVERY = 256

interface Row {
  readonly path: string
  readonly value: string
  readonly revision: number
  readonly expires: number | null
}

export interface EmbeddedKeyStoreOptions {
  readonly now?: () => number
}

/** Opens the file with the first call, and creates it only to write. */
export function openEmbeddedKeyStore(
  path: string,
  options: EmbeddedKeyStoreOptions = {},
): Promise<KeyStore> {
  const { now = Date.now } = options
  let open: OpenFile | null = null

  /** The current file, which may have been removed or replaced since the last call. */
  function current(make: boolean): DatabaseSync | null {
    const identity = identify(path)
    if (open !== null && open.identity === identity) return open.database
    close()
    if (identity === null && make) makeFile(path)
    open = openFile(path, { write: true, busyMs: BUSY_MS })
    return open?.database ?? null
  }

  function close(): void {
    open?.database.close()
    open = null
  }

  async function run<T>(what: () => T): Promise<T> {
    const deadline = performance.now() + TIMEOUT_MS
    for (;;) {
      try {
        return what()
      } catch (error) {
        const failure = explain(path, error)
        if (!(failure instanceof StoreBusy) || performance.now() > deadline) throw failure
      }
      await passed(1 + Math.random() * 10)
    }
  }

  /** `change` returns whether it changed anything; if not, the revision stays. */
  function write(
    database: DatabaseSync,
    key: string,
    change: (found: Row | null, revision: number, at: number) => boolean,
  ): number | null {
    database.exec('BEGIN IMMEDIATE')
    try {
      const at = now()
      const found = select(database, key, at)
      const counted = database
        .prepare('UPDATE store SET revision = revision + 1 RETURNING revision')
        .get()
      const revision = Number(counted?.['revision'])
      if (!change(found, revision, at)) {
        database.exec('ROLLBACK')
        return null
      }
      deleteExpired(database, revision, at)
      database.exec('COMMIT')
      assertStillThere()
      return revision
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  function assertStillThere(): void {
    if (open?.identity !== identify(path)) {
      throw new Error(`cannot write the store ${path}: it was replaced meanwhile; try again`)
    }
    // Notifies readers: an event for the write-ahead log comes before the commit is visible.
    try {
      const time = new Date()
      utimesSync(path, time, time)
    } catch {
      // Not permitted: readers notice the write with their poll.
    }
  }

  return Promise.resolve({
    get: (key) =>
      run(() => {
        const database = current(false)
        const at = now()
        const row = database === null ? null : select(database, key, at)
        return row === null ? null : toStored(row, at)
      }),

    list: (start = '') =>
      run(() => {
        const at = now()
        const rows = current(false)
          ?.prepare(
            'SELECT path, value, revision, expires FROM keys WHERE path >= ? AND path < ? AND value IS NOT NULL AND (expires IS NULL OR expires > ?) ORDER BY path',
          )
          .all(start, `${start}\u{10ffff}`, at)
        return ((rows ?? []) as unknown as readonly Row[]).map((row) => toStored(row, at))
      }),

    put: (key, text, { ttlMs, expected }) =>
      run(() => {
        const bytes = Buffer.byteLength(text)
        if (bytes > MAX_VALUE_SIZE) {
          throw new StoreRefusal(
            `cannot put ${key}: it has ${bytes} bytes, at most ${MAX_VALUE_SIZE} are taken`,
          )
        }
        if (ttlMs !== undefined && !(ttlMs > 0)) {
          throw new StoreRefusal(`cannot put ${key}: its time to live must be more than nothing`)
        }
        const database = current(true)
        if (database === null) throw new Error(`cannot write the store ${path}: it was removed`)
        const revision = write(database, key, (found, next, at) => {
          compare(`put ${key}`, found, expected)
          database
            .prepare(
              'INSERT INTO keys (path, value, revision, expires) VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET value = excluded.value, revision = excluded.revision, expires = excluded.expires',
            )
            .run(key, text, next, ttlMs === undefined ? null : Math.ceil(at + ttlMs))
          return true
        })
        return String(revision)
      }),

    delete: (key, { expected }) =>
      run(() => {
        const database = current(false)
        if (database === null) {
          compare(`delete ${key}`, null, expected)
          return false
        }
        const revision = write(database, key, (found, next) => {
          compare(`delete ${key}`, found, expected)
          if (found === null) return false
          deleteKey(database, 'path = ?', next, key)
          return true
        })
        return revision !== null
      }),

    close() {
      close()
      return Promise.resolve()
    },
  })
}

function select(database: DatabaseSync, key: string, at: number): Row | null {
  const row = database
    .prepare(
      'SELECT path, value, revision, expires FROM keys WHERE path = ? AND value IS NOT NULL AND (expires IS NULL OR expires > ?)',
    )
    .get(key, at)
  return (row as unknown as Row | undefined) ?? null
}

function compare(what: string, found: Row | null, expected: WriteOptions['expected']): void {
  if (expected === undefined) return
  const revision = found === null ? null : String(found.revision)
  if (revision === expected) return
  const is = revision === null ? 'it is not there' : `it is at revision ${revision}`
  const wanted = expected === null ? 'it was expected not to be there' : `not at ${expected}`
  throw new StoreConflict(`cannot ${what}: ${is}, ${wanted}; read it again and decide anew`)
}

function deleteKey(
  database: DatabaseSync,
  which: string,
  revision: number,
  value: string | number,
): void {
  database
    .prepare(`UPDATE keys SET value = NULL, expires = NULL, revision = ? WHERE ${which}`)
    .run(revision, value)
}

function deleteExpired(database: DatabaseSync, revision: number, at: number): void {
  deleteKey(database, 'expires <= ?', revision, at)
  if (revision % TRIM_EVERY !== 0) return
  const floor = revision - TOMBSTONE_REVISIONS
  const { changes } = database
    .prepare('DELETE FROM keys WHERE value IS NULL AND revision <= ?')
    .run(floor)
  if (changes > 0) database.prepare('UPDATE store SET floor = ?').run(floor)
}

function toStored({ path, value, revision, expires }: Row, at: number): StoredKey {
  const ttlMs = expires === null ? null : Math.max(1, expires - at)
  return { path, text: value, revision: String(revision), ttlMs }
}
