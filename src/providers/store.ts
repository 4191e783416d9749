/**
 * How objects are written to a registry. The command line writes through `Store`, the same for every registry. A registry
 * implements `KeyStore`, with keys and texts; the layout that reads the objects also maps them to keys.
 */
import type { ObjectKind } from '../model/names.ts'

export interface StoredObject {
  readonly kind: ObjectKind
  readonly id: string
  readonly value: unknown
  /** Why the key has no valid value; `value` is undefined then. */
  readonly fault?: string
  /** Of the object, for a compare-and-set. */
  readonly revision: string
  /** The remaining time to live; null: it does not expire. */
  readonly ttlMs: number | null
}

export interface WriteOptions {
  /** The object expires after this time unless it is put again; without it, it does not expire. */
  readonly ttlMs?: number
  /** Compare-and-set: the revision that it must have; null: it must not exist. Otherwise it throws StoreConflict. */
  readonly expected?: string | null
}

export interface Store {
  get(kind: ObjectKind, id: string): Promise<StoredObject | null>
  list(): Promise<readonly StoredObject[]>
  /** Returns the object's new revision once it is as durable as the registry guarantees. */
  put(kind: ObjectKind, id: string, value: unknown, options?: WriteOptions): Promise<string>
  /** Returns whether it existed. */
  delete(kind: ObjectKind, id: string, options?: Pick<WriteOptions, 'expected'>): Promise<boolean>
  close(): Promise<void>
}

export interface StoredKey {
  /** Below the prefix, without a leading slash: `backends/vote/backend`. */
  readonly path: string
  readonly text: string
  /** Why there is no text; `text` is '' then. */
  readonly fault?: string
  readonly revision: string
  readonly ttlMs: number | null
}

/** The keys of one registry below one prefix. Error messages say what failed, why, and what helps. */
export interface KeyStore {
  get(path: string): Promise<StoredKey | null>
  /** All keys, or those whose path begins with `start`. */
  list(start?: string): Promise<readonly StoredKey[]>
  put(path: string, text: string, options: WriteOptions): Promise<string>
  delete(path: string, options: Pick<WriteOptions, 'expected'>): Promise<boolean>
  close(): Promise<void>
}

/** What the registry never takes: a value that is too large, a time to live that it does not have. Nothing was changed. */
export class StoreRefusal extends Error {
  override readonly name = 'StoreRefusal'
}

/** The object does not have the expected revision; nothing was changed. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict'
}
