/**
 * The interface of every source of declarations. A provider yields all objects of its source, immediately and after each
 * change, never a part of them. When it cannot know them for certain (a connection breaks or falls silent, events are
 * missing, the source was wiped) it throws. `control/sources/follow.ts` watches again after a backoff, and each watch begins with a
 * list, so that getting back in step is the same as a start.
 *
 * A provider does not validate objects: control admits or rejects them.
 */
import type { WrittenSettings } from '../document/document.ts'
import type { Problem } from '../model/problem.ts'
import type { Referred } from '../document/referred.ts'
import type { FailClosed } from './fail-closed.ts'

/**
 * `server` and `middleware` are parts of another object that may have a key of their own in a registry, so that each writer
 * owns its key. Their ids are `backend/server` and `frontend/middleware`. A `host` is a certificate for all https listeners.
 */
export type ObjectKind = 'listener' | 'host' | 'backend' | 'server' | 'frontend' | 'middleware'

export interface ObjectName {
  readonly kind: ObjectKind
  readonly id: string
}

/** One object as its source wrote it, not trusted until it is admitted. */
export interface DeclaredObject extends ObjectName, Referred {
  readonly value: unknown
  /** Why the source's text has no value (not JSON, too long): the object is rejected with this reason; `value` is undefined. */
  readonly fault?: string
  /** Members that have no effect, a line each. They are reported only. */
  readonly remarks?: readonly string[]
  /** For a route or a middleware that must fail closed. */
  readonly closed?: FailClosed
  /** Where in the source: a registry key as the registry has it, or `file.yaml#/frontends/vote`. */
  readonly key: string
  /** Of the object, if the source has one. */
  readonly revision?: string
  /** Of a source with several files: the file of the object, which also identifies it after a rename. */
  readonly part?: string
  readonly line?: number
  readonly column?: number
}

/** Counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** The difference from the previous yield of the same watch. */
export interface Changes {
  readonly upserts: readonly DeclaredObject[]
  readonly deletes: readonly ObjectName[]
  /**
   * The source runs what it declares (an engine of containers), so that deleted objects have stopped, however many they are.
   * Otherwise deletes of many objects at once may be a mistake, and are held.
   */
  readonly haveStopped?: boolean
}

export interface Declaration {
  readonly readable: true
  /** The source's own revision (a content hash for files), reported by /api/table. */
  readonly revision: string
  /** All objects, each name once. Valid until the next yield; to keep them, the caller must copy them. */
  readonly objects: Iterable<DeclaredObject>
  /** Null after a list: everything may have changed. Otherwise the source reported each change. */
  readonly changes: Changes | null
  /**
   * Why the source was listed, as a metric label: `first`, `reconcile`, `asked`, ... `changed`: a source that can only be read
   * as a whole was edited, so missing objects were removed just now. `rewound`, `replaced`, `log`: its revision went back,
   * because a backup was put in its place. `restarted`: it may have lost writes that it had not saved. Null unless `changes` is.
   */
  readonly listed: string | null
  /** Of what could not be read as an object. */
  readonly problems: readonly Problem[]
  /** When the change was noticed, performance.now() of the main thread. */
  readonly changedAt: number
  /** Of the main file: its current settings. */
  readonly settings?: WrittenSettings
  /**
   * Whether a previously declared object, of this process or an earlier one, is from a part of the source (one file of
   * several) that cannot be read since. Such an object stays. Undefined: everything could be read.
   */
  readonly isUnread?: (object: DeclaredObject) => boolean
  /** The position of an object's member in the source's text. For problems only; valid until the next yield. */
  readonly locate?: (object: DeclaredObject, path: readonly (string | number)[]) => Position | null
}

/**
 * The source can be reached, but its content cannot be read as a whole (missing, empty, garbled). The last declaration of
 * the source stays in force.
 */
export interface Unreadable {
  readonly readable: false
  readonly problems: readonly Problem[]
  readonly changedAt: number
}

export interface Provider {
  /** `file`, `etcd` ...: the source's name in `name@source`. */
  readonly name: string
  /**
   * Throws when the source is lost or cannot be read the first time, and returns when the signal aborts. A silent
   * connection counts as lost after 5 s at most. Throws SourceRefused if the source refuses a password or a permission. The
   * first yield is never `Unreadable`.
   */
  watch(signal: AbortSignal): AsyncIterable<Declaration | Unreadable>
  /** Lists again now, and yields even if nothing has changed. */
  reload(): void
  /**
   * The state of the source besides its objects, for `restore` in a later process, so that the first list there also
   * detects a source that has gone back to an earlier state.
   */
  checkpoint?(): string
  /** To be called before the first watch. The text is not trusted: any other than a checkpoint of this provider is ignored. */
  restore?(checkpoint: string): void
}

/** The source can be reached but refuses requests: another try fails until the configuration of one side changes. */
export class SourceRefused extends Error {
  override readonly name = 'SourceRefused'
}
