/**
 * The records in the registry, with a copy of them in memory. Registries differ in how they report changes, so writers list the
 * paths that they changed in one small key, which every instance reads once a second: a change is seen within that time, and it
 * costs the registry one read. Nothing depends on that list being complete: locks and certificates are read again before they
 * matter, and everything is listed at times.
 */
import type { KeyStore, StoredKey } from '../../providers/store.ts'
import { StoreConflict } from '../../providers/store.ts'
import {
  CHANGES,
  changesSchema,
  isOpen,
  nameOf,
  pathOf,
  SCHEMAS,
  type ChangeRecord,
  type RecordKind,
  type RecordOf,
} from './records.ts'
import type { Sealing } from './sealing.ts'

export interface Stored<T> {
  readonly record: T
  readonly revision: string
}

export interface RecordStore {
  /** What was read last. */
  all<Kind extends RecordKind>(kind: Kind): ReadonlyMap<string, Stored<RecordOf[Kind]>>
  /** Reads what has changed since the last call. */
  poll(): Promise<void>
  /** Another number whenever a record is another one, by a poll or by a write, except for quiet writes. */
  version(): number
  /** Reads one record now. Null: it is not there. Throws if it cannot be opened. */
  read<Kind extends RecordKind>(kind: Kind, name: string): Promise<Stored<RecordOf[Kind]> | null>
  /** `expected`: the revision that it must have; null: it must not exist. Otherwise it throws StoreConflict. */
  write<Kind extends RecordKind>(
    kind: Kind,
    name: string,
    record: RecordOf[Kind],
    expected: string | null | undefined,
    isQuiet?: boolean,
  ): Promise<Stored<RecordOf[Kind]>>
  remove(kind: RecordKind, name: string, expected?: string): Promise<void>
  /** Records that cannot be read, and why. */
  problems(): readonly string[]
  close(): Promise<void>
}

export interface RecordStoreOptions {
  readonly keys: KeyStore
  readonly sealing: Sealing
  /** ms of a monotonic clock. */
  readonly now: () => number
  /** How often everything is listed. */
  readonly listMs?: number
}

/** A reader that is further behind lists everything. */
const KEPT_CHANGES = 200
const MAX_ATTEMPTS = 20

type Maps = { readonly [Kind in RecordKind]: Map<string, Stored<RecordOf[Kind]>> }

export function createRecordStore(options: RecordStoreOptions): RecordStore {
  const { keys, sealing, now, listMs = 600_000 } = options
  const maps: Maps = {
    accounts: new Map(),
    certificates: new Map(),
    orders: new Map(),
    failures: new Map(),
  }
  const problems = new Map<string, string>()
  /** The number of the last change that was read; null: everything has to be listed. */
  let seen: number | null = null
  let listedAt = -Infinity
  let version = 0
  /** Paths that were written and are not in the list of changes yet. */
  const unreported = new Set<string>()
  let reporting: Promise<void> | null = null

  function mapOf<Kind extends RecordKind>(kind: Kind): Map<string, Stored<RecordOf[Kind]>> {
    return maps[kind]
  }

  /** Takes what a key has now. Throws if it is no record. */
  function take(kind: RecordKind, name: string, key: StoredKey | null): void {
    const map = mapOf(kind) as Map<string, Stored<RecordOf[RecordKind]>>
    const path = pathOf(kind, name)
    problems.delete(path)
    if (key === null) {
      if (map.delete(name)) version++
      return
    }
    if (map.get(name)?.revision === key.revision) return
    const read = parse(kind, path, key.text)
    if (typeof read === 'string') {
      problems.set(path, `acme/${path} ${read}`)
      throw new UnreadableRecord(`acme/${path} ${read}`)
    }
    map.set(name, { record: read, revision: key.revision })
    version++
  }

  /** A text says what is wrong with it. */
  function parse(kind: RecordKind, path: string, text: string): RecordOf[RecordKind] | string {
    const opened = sealing.open(path, text)
    if (!opened.ok) return opened.reason
    let value: unknown
    try {
      value = JSON.parse(opened.value)
    } catch {
      return 'is not JSON'
    }
    const parsed = SCHEMAS[kind].safeParse(value)
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    return `is not in the form of this version: ${issue?.path.join('.')} ${issue?.message}`
  }

  /** As `take`, for what changed by itself: a record that cannot be read is a problem, and the last one stays. */
  function takeIfReadable(kind: RecordKind, name: string, key: StoredKey | null): void {
    try {
      take(kind, name, key)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
    }
  }

  async function list(): Promise<void> {
    const at = now()
    const before = await readChanges()
    const found = new Set<string>()
    for (const key of await keys.list()) {
      const record = nameOf(key.path)
      if (record === null) continue
      found.add(key.path)
      takeIfReadable(record.kind, record.name, key)
    }
    for (const kind of Object.keys(maps) as RecordKind[]) {
      for (const name of maps[kind].keys()) {
        if (!found.has(pathOf(kind, name))) takeIfReadable(kind, name, null)
      }
    }
    seen = before.record.number
    listedAt = at
  }

  async function readChanges(): Promise<{ record: ChangeRecord; revision: string | null }> {
    const key = await keys.get(CHANGES)
    if (key === null) return { record: { number: 0, paths: [] }, revision: null }
    const { revision } = key
    try {
      const parsed = changesSchema.safeParse(JSON.parse(key.text))
      if (parsed.success) return { record: parsed.data, revision }
    } catch {
      // It is replaced by the next change.
    }
    return { record: { number: 0, paths: [] }, revision }
  }

  /** Adds the paths to the list of changes; those that are written meanwhile are added next. */
  async function report(): Promise<void> {
    for (let attempt = 1; unreported.size > 0; attempt++) {
      const paths = [...unreported]
      unreported.clear()
      try {
        const { record, revision } = await readChanges()
        const next: ChangeRecord = {
          number: record.number + paths.length,
          paths: [...record.paths, ...paths].slice(-KEPT_CHANGES),
        }
        await keys.put(CHANGES, JSON.stringify(next), { expected: revision })
      } catch (error) {
        for (const path of paths) unreported.add(path)
        if (!(error instanceof StoreConflict) || attempt >= MAX_ATTEMPTS) throw error
      }
    }
  }

  function reportSoon(): Promise<void> {
    reporting ??= report().finally(() => (reporting = null))
    return reporting
  }

  function changed(path: string): void {
    unreported.add(path)
    // The next poll tries it again.
    reportSoon().catch(() => {})
  }

  return {
    all: mapOf,
    version: () => version,
    async poll() {
      if (unreported.size > 0) await reportSoon()
      if (seen === null || now() - listedAt >= listMs) return list()
      const { record } = await readChanges()
      const behind = record.number - seen
      if (behind === 0) return
      if (behind < 0 || behind > record.paths.length) return list()
      for (const path of new Set(record.paths.slice(-behind))) {
        const name = nameOf(path)
        if (name !== null) takeIfReadable(name.kind, name.name, await keys.get(path))
      }
      seen = record.number
    },
    async read(kind, name) {
      take(kind, name, await keys.get(pathOf(kind, name)))
      return mapOf(kind).get(name) ?? null
    },
    async write(kind, name, record, expected, isQuiet = false) {
      const path = pathOf(kind, name)
      const json = JSON.stringify(record)
      const sealed = isOpen(kind) ? json : sealing.seal(path, json)
      const revision = await keys.put(path, sealed, expected === undefined ? {} : { expected })
      const stored = { record, revision }
      mapOf(kind).set(name, stored)
      problems.delete(path)
      if (isQuiet) return stored
      version++
      changed(path)
      return stored
    },
    async remove(kind, name, expected) {
      const path = pathOf(kind, name)
      await keys.delete(path, expected === undefined ? {} : { expected })
      if (maps[kind].delete(name)) version++
      problems.delete(path)
      changed(path)
    },
    problems: () => [...problems.values()],
    async close() {
      await reporting?.catch(() => {})
      await keys.close()
    },
  }
}

export class UnreadableRecord extends Error {
  override readonly name = 'UnreadableRecord'
}
