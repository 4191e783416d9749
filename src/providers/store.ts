/**
 * The way back: how objects are written to a registry. Whatever writes (the command line, later the admin API) does so
 * through `Store`, whichever registry is configured. A registry implements `KeyStore`, which knows keys and texts; the
 * layout that says which object has which key is the same one that reads them.
 */
import type { ObjectKind } from '../model/names.ts'

export interface StoredObject {
  readonly kind: ObjectKind
  readonly id: string
  readonly value: unknown
  /** Why what stands there is no value; `value` is undefined then. */
  readonly fault?: string
  /** Of the object; what a compare-and-set expects. */
  readonly revision: string
  /** Left to live; null: for ever. */
  readonly ttlMs: number | null
}

export interface WriteOptions {
  /** The object goes by itself after this time unless it is put again; without it, it stays. */
  readonly ttlMs?: number
  /** Compare-and-set: the revision it must have now; null: it must not be there. Else `StoreConflict`. */
  readonly expected?: string | null
}

export interface Store {
  get(kind: ObjectKind, id: string): Promise<StoredObject | null>
  list(): Promise<readonly StoredObject[]>
  /** Answers the object's new revision once it is durable, as far as the registry promises that. */
  put(kind: ObjectKind, id: string, value: unknown, options?: WriteOptions): Promise<string>
  /** Whether it was there. */
  delete(kind: ObjectKind, id: string, options?: Pick<WriteOptions, 'expected'>): Promise<boolean>
  close(): Promise<void>
}

export interface StoredKey {
  /** Below the root, without a leading slash: `backends/vote/backend`. */
  readonly path: string
  readonly text: string
  readonly revision: string
  readonly ttlMs: number | null
}

/** One registry's keys below one root. Errors say what could not be done, why, and what would help. */
export interface KeyStore {
  get(path: string): Promise<StoredKey | null>
  list(): Promise<readonly StoredKey[]>
  put(path: string, text: string, options: WriteOptions): Promise<string>
  delete(path: string, options: Pick<WriteOptions, 'expected'>): Promise<boolean>
  close(): Promise<void>
}

/** What was expected to be there is not what is there: nothing was changed. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict'
}
