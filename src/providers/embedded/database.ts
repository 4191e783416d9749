/**
 * The file of the embedded store: an SQLite database that nobody else's is taken for. SQLite is what makes a write
 * atomic and durable at any byte of it (a write-ahead log, synced at each commit) and several processes one after another.
 *
 *   store      one row: who this store is, its revision (one more with every transaction, for ever), and the floor: what
 *              was deleted at or below that revision is not remembered any more
 *   keys       a key's text, the revision of its last change, when it expires (ms since the epoch); a tombstone has no text
 *
 * The file appears whole: it is made under another name and linked to its own, so whoever finds it can read it.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { SourceRefused } from '../provider.ts'
import { codeOf, explain } from './failure.ts'

/** A longer value is no value of ours: readers show it as a fault. */
export const MAX_VALUE_BYTES: number = 1 << 20

const magic = 'SQLite format 3\0'
/** In the header of every database: whose it is ("Sluc"), and of which version. */
const applicationId = 0x536c7563
const version = 1

const schema = `
PRAGMA application_id = ${applicationId};
PRAGMA user_version = ${version};
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  floor INTEGER NOT NULL
) STRICT;
CREATE TABLE keys (
  path TEXT PRIMARY KEY,
  value TEXT,
  revision INTEGER NOT NULL,
  expires INTEGER
) STRICT;
CREATE INDEX keys_by_revision ON keys (revision);
CREATE INDEX keys_by_expiry ON keys (expires) WHERE expires IS NOT NULL;
CREATE INDEX tombstones ON keys (revision) WHERE value IS NULL;
COMMIT;`

export interface OpenFile {
  readonly database: DatabaseSync
  /** Of the file that was opened, whatever stands under its name by now. */
  readonly identity: string
}

export interface OpenOptions {
  readonly write: boolean
  /** How long a locked database is waited for. */
  readonly busyMs: number
}

/** Null: there is no such file. Refuses a file that is no store, or a newer one's, and leaves it as it is. */
export function openFile(path: string, { write, busyMs }: OpenOptions): OpenFile | null {
  // The name may lead to another file between the looks: then it is opened again.
  for (let attempt = 0; attempt < 5; attempt++) {
    const identity = identify(path)
    if (identity === null) return null
    let database: DatabaseSync
    try {
      // As a URL, because otherwise SQLite would make a file that has gone in between.
      database = new DatabaseSync(toUrl(path, write), { timeout: busyMs })
    } catch (error) {
      if (identify(path) !== identity) continue
      throw explain(path, error)
    }
    if (identify(path) === identity) {
      if (write) database.exec('PRAGMA synchronous = FULL')
      return { database, identity }
    }
    database.close()
  }
  throw new Error(`cannot open the store ${path}: it is replaced again and again`)
}

function toUrl(path: string, write: boolean): URL {
  const url = pathToFileURL(path)
  url.searchParams.set('mode', write ? 'rw' : 'ro')
  return url
}

/** Which file stands under this name, when it is a store of ours; null: none. */
export function identify(path: string): string | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw explain(path, error)
  }
  try {
    const header = Buffer.alloc(100)
    const bytes = readSync(file, header, 0, header.length, 0)
    checkHeader(path, header.subarray(0, bytes))
    const { dev, ino } = fstatSync(file)
    return `${dev}:${ino}`
  } catch (error) {
    throw explain(path, error)
  } finally {
    closeSync(file)
  }
}

/** Before SQLite has a look, which might mend what it takes for a database of its own. */
function checkHeader(path: string, header: Buffer): void {
  if (header.length < 100 || header.toString('latin1', 0, magic.length) !== magic) {
    throw new Error(
      `cannot read the store ${path}: the file is ${header.length === 0 ? 'empty' : 'damaged, or no store at all'}; put back a backup without -wal and -shm files beside it, or move it away to begin anew`,
    )
  }
  if (header.readUInt32BE(68) !== applicationId) {
    throw new SourceRefused(
      `cannot use ${path} as a store: it is another program's database; name another file`,
    )
  }
  const found = header.readUInt32BE(60)
  if (found !== version) {
    throw new SourceRefused(
      `cannot use the store ${path}: it has version ${found}, this Sluice knows ${version}; a newer Sluice is needed`,
    )
  }
}

/** Makes the store unless it is there. Only its owner may read it: there are private keys in it. */
export function makeFile(path: string): void {
  const folder = dirname(path)
  const draft = `${path}.${randomUUID()}.new`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    closeSync(openSync(draft, 'wx', 0o600))
    const database = new DatabaseSync(draft)
    try {
      database.exec(schema)
      database.prepare('INSERT INTO store VALUES (1, ?, 0, 0)').run(randomUUID())
    } finally {
      database.close()
    }
    const unlock = lockMaking(path)
    try {
      if (existsSync(path)) return
      // Left beside a store that was moved away, they would be played into this one.
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      linkSync(draft, path)
    } finally {
      unlock()
    }
    syncFolder(folder)
  } catch (error) {
    throw explain(path, error)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** A new name is durable only with its folder. */
/** One process at a time: the log of a store that another one has just made is no leftover. */
function lockMaking(path: string): () => void {
  const lock = `${path}.making`
  const unlock = (): void => rmSync(lock, { recursive: true, force: true })
  for (;;) {
    try {
      mkdirSync(lock)
      return unlock
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      // It takes milliseconds: whoever left it there has died.
      if (age > abandonedMs) unlock()
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

const abandonedMs = 5000
const pause = new Int32Array(new SharedArrayBuffer(4))

function syncFolder(folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
