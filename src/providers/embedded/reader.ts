/**
 * Reads the embedded store: all of it the first time and on any doubt, otherwise the keys above the last revision. The file is
 * open only during a read, so that a removed or replaced file is noticed, and an idle store is a single file, easy to back up.
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { MirrorDeclaration } from '../registry/mirror.ts'
import { createOpenedMirror } from '../registry/opened-mirror.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import type { Declaration } from '../provider.ts'
import { MAX_PATH_LENGTH, MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import { explain } from './failure.ts'
import { openFile } from './database.ts'
import { createStoreRollbackDetector } from './rollback.ts'
import type { StoreRollbackDetector } from './rollback.ts'

export interface StoreReader {
  /** With a reason it lists and always returns a declaration; without one, null if nothing has changed. */
  look(reason: string | null, changedAt: number): Promise<Declaration | null>
  /** When the next key expires, ms since the epoch; null: none does. */
  nextExpiry(): number | null
}

/** The state of the last read; `store` is null if there was no file. */
interface Seen {
  readonly store: { readonly identity: string; readonly id: string } | null
  readonly revision: number
}

type Row = Record<string, SQLOutputValue>

/** A wait for a writer blocks the thread for at most this long. */
const BUSY_MS = 20

const COLUMNS = `path, revision, value IS NULL AS gone, octet_length(value) AS bytes, expires,
  CASE WHEN octet_length(value) <= ${MAX_VALUE_SIZE} THEN value END AS text`

export function createStoreReader(
  path: string,
  layout: Layout,
  now: () => number,
  signal: AbortSignal,
  rollback: StoreRollbackDetector = createStoreRollbackDetector(),
): StoreReader {
  const mirror = createOpenedMirror(layout, signal)
  let seen: Seen | null = null
  let nextExpiry: number | null = null
  /** Keys that expired before this time have been removed. */
  let expiredAt = 0

  async function look(reason: string | null, changedAt: number): Promise<Declaration | null> {
    const read = readFile(reason, changedAt)
    if (read === null) return null
    const declaration = await mirror.declare(read)
    // Only heartbeats, or keys that had expired before.
    return mirror.hasNews ? declaration : null
  }

  /** Null: nothing has changed. */
  function readFile(reason: string | null, changedAt: number): MirrorDeclaration | null {
    const file = openFile(path, { write: false, busyMs: BUSY_MS })
    if (file === null) return declareNothing(reason, changedAt)
    try {
      file.database.exec('BEGIN')
      return lookAt(file.database, file.identity, reason, changedAt)
    } catch (error) {
      throw explain(path, error)
    } finally {
      file.database.close()
    }
  }

  /** A store that was never written is empty. A removed store is declared empty, too, which control holds as a shrink. */
  function declareNothing(reason: string | null, changedAt: number): MirrorDeclaration | null {
    if (reason === null && seen?.store === null) return null
    seen = { store: null, revision: 0 }
    nextExpiry = null
    mirror.replace([])
    return { revision: '0', listed: reason ?? 'removed', changedAt }
  }

  function lookAt(
    database: DatabaseSync,
    identity: string,
    reason: string | null,
    changedAt: number,
  ): MirrorDeclaration | null {
    const at = now()
    const row = database.prepare('SELECT id, revision, floor FROM store').get()
    if (row === undefined) throw new Error(`cannot read the store ${path}: its first row is gone`)
    const store = { identity, id: String(row['id']) }
    const revision = Number(row['revision'])
    // A restored backup is the reason of the list, even if there are others.
    const hasGoneBack = seen?.store !== null && rollback.isAhead(store.id, revision)
    const floor = Number(row['floor'])
    const listed = hasGoneBack ? 'replaced' : (reason ?? reasonToList(store, floor))
    if (listed !== null) {
      check(database)
      mirror.replace(list(database, at))
    } else {
      const isDifferent = takeChanges(database, seen?.revision ?? 0, at)
      if (!isDifferent && revision === seen?.revision) return null
    }
    expiredAt = at
    seen = { store, revision }
    rollback.record(store.id, revision)
    const next = database.prepare('SELECT min(expires) AS next FROM keys WHERE expires > ?').get(at)
    nextExpiry = typeof next?.['next'] === 'number' ? next['next'] : null

    return { revision: String(revision), listed, changedAt }
  }

  function reasonToList(
    store: { readonly identity: string; readonly id: string },
    floor: number,
  ): string | null {
    if (seen === null) return 'first'
    if (seen.store === null) return 'appeared'
    if (seen.store.identity !== store.identity) return 'replaced'
    return seen.revision < floor ? 'behind' : null
  }

  function takeChanges(database: DatabaseSync, above: number, at: number): boolean {
    let rows = 0
    for (const row of select(database, 'revision > ?', above)) {
      rows += 1
      if (isThere(row, at)) mirror.put(toEntry(row))
      else mirror.delete(String(row['path']))
    }
    const from = Math.min(expiredAt, at)
    const expired = database.prepare('SELECT path FROM keys WHERE expires > ? AND expires <= ?')
    for (const row of expired.iterate(from, at)) {
      rows += 1
      mirror.delete(String(row['path']))
    }
    return rows > 0
  }

  // A page that cannot be read is an error, never a set of missing keys.
  function check(database: DatabaseSync): void {
    const [found] = database.prepare('PRAGMA quick_check(1)').all()
    const result = String(found?.['quick_check'])
    if (result === 'ok') return
    throw new Error(
      `cannot read the store ${path}: the file is damaged (${result}); put back a backup, or move it away to start with an empty one`,
    )
  }

  return { look, nextExpiry: () => nextExpiry }
}

function* list(database: DatabaseSync, at: number): Generator<KeyEntry> {
  for (const row of select(database, 'value IS NOT NULL')) if (isThere(row, at)) yield toEntry(row)
}

function select(database: DatabaseSync, which: string, ...values: number[]): Iterable<Row> {
  return database
    .prepare(`SELECT ${COLUMNS} FROM keys WHERE ${which} AND length(path) <= ${MAX_PATH_LENGTH}`)
    .iterate(...values)
}

function isThere(row: Row, at: number): boolean {
  const { gone, expires } = row
  return gone === 0 && !(typeof expires === 'number' && expires <= at)
}

function toEntry({ path, text, bytes, revision }: Row): KeyEntry {
  const about = { path: String(path), key: String(path), revision: String(revision) }
  if (typeof text === 'string') return { ...about, text }
  return { ...about, text: null, fault: `has ${bytes} bytes, at most ${MAX_VALUE_SIZE} are taken` }
}
