/**
 * The file of the embedded store: an SQLite database with an application id of its own. SQLite makes writes atomic and durable
 * (a write-ahead log, synced at each commit) and serialises the writes of several processes.
 *
 *   store      one row: the id of the store, its revision (incremented by every transaction), and the floor: tombstones
 *              at or below that revision have been removed
 *   keys       a key's text, the revision of its last change, when it expires (ms since the epoch); a tombstone has no text
 *
 * The file is created under another name and then linked, so it is complete as soon as it exists.
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

const MAGIC = 'SQLite format 3\0'
/** In the header of every database: its application ("Sluc") and the version of its schema. */
const APPLICATION_ID = 0x536c7563
const VERSION = 1

const SCHEMA = `
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${VERSION};
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
  /** Of the opened file; its path may lead to another one by now. */
  readonly identity: string
}

export interface OpenOptions {
  readonly write: boolean
  /** How long to wait for a locked database. */
  readonly busyMs: number
}

/** Null if the file does not exist. Rejects a file that is not a store or has a newer version, without changing it. */
export function openFile(path: string, { write, busyMs }: OpenOptions): OpenFile | null {
  // If the path leads to another file meanwhile, it is opened again.
  for (let attempt = 0; attempt < 5; attempt++) {
    const identity = identify(path)
    if (identity === null) return null
    let database: DatabaseSync
    try {
      // As a URL, because otherwise SQLite would create a file that was removed meanwhile.
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

/** The identity of the file, if it is a store; null if it does not exist. */
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

/** Checked before SQLite opens the file, because SQLite may repair what it takes for a database. */
function checkHeader(path: string, header: Buffer): void {
  if (header.length < 100 || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new Error(
      `cannot read the store ${path}: the file is ${header.length === 0 ? 'empty' : 'damaged, or no store at all'}; put back a backup without -wal and -shm files beside it, or move it away to start with an empty one`,
    )
  }
  if (header.readUInt32BE(68) !== APPLICATION_ID) {
    throw new SourceRefused(
      `cannot use ${path} as a store: it is another program's database; name another file`,
    )
  }
  const found = header.readUInt32BE(60)
  if (found !== VERSION) {
    throw new SourceRefused(
      `cannot use the store ${path}: it has version ${found}, this Sluice knows ${VERSION}; a newer Sluice is needed`,
    )
  }
}

/** Creates the store unless it exists. Only its owner may read it, because it holds private keys. */
export function makeFile(path: string): void {
  const folder = dirname(path)
  const draft = `${path}.${randomUUID()}.new`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    closeSync(openSync(draft, 'wx', 0o600))
    const database = new DatabaseSync(draft)
    try {
      database.exec(SCHEMA)
      database.prepare('INSERT INTO store VALUES (1, ?, 0, 0)').run(randomUUID())
    } finally {
      database.close()
    }
    const unlock = lockMaking(path)
    try {
      if (existsSync(path)) return
      // Left behind by a store that was moved away, SQLite would apply them to this one.
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

/** One process at a time, so that the log of a store that another process has just created is not removed. */
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
      // The lock is held for milliseconds; the process that holds it longer has died.
      if (age > ABANDONED_MS) unlock()
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

const ABANDONED_MS = 5000
const pause = new Int32Array(new SharedArrayBuffer(4))

/** A new file is durable only after its directory is synced. */
function syncFolder(folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
