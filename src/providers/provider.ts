/**
 * The one seam every source of declarations plugs into. A provider yields the whole of what its source declares, first
 * at once and then after each change, never a half. On any doubt (a link that breaks or falls silent, a gap in what was
 * heard, a source that was wiped) it throws; control/follow watches again after a while, and a new watch begins with a
 * new list. So there is one way to get in step with a source, and it is the one that every start takes.
 *
 * A provider judges nothing: what stands in an object is admitted, or refused, by control.
 */
import type { WrittenSettings } from '../document/document.ts'
import type { Problem } from '../model/problem.ts'
import type { Referred } from '../document/referred.ts'
import type { Closed } from './closed.ts'

/**
 * `server` and `middleware` are parts that a registry may hold under keys of their own, so that each writer owns its key:
 * their ids are `backend/server` and `frontend/middleware`. A `host` is a certificate for every https listener.
 */
export type ObjectKind = 'listener' | 'host' | 'backend' | 'server' | 'frontend' | 'middleware'

export interface ObjectName {
  readonly kind: ObjectKind
  readonly id: string
}

/** One object as its source wrote it: hostile until admitted. */
export interface DeclaredObject extends ObjectName, Referred {
  readonly value: unknown
  /** Why the source's text is no value at all (not JSON, too long): set aside with this reason; `value` is undefined. */
  readonly fault?: string
  /** What stands there but is not honoured, a line each. Told, and changes nothing. */
  readonly remarks?: readonly string[]
  /** Of a route or a middleware whose guards must hold or close it. */
  readonly closed?: Closed
  /** Where in the source: a registry key as the registry has it, or `file.yaml#/frontends/vote`. */
  readonly key: string
  /** Of the object, where the source has one. */
  readonly revision?: string
  /** Of a source of several files: the one that it stands in, known under another name, too. */
  readonly part?: string
  readonly line?: number
  readonly column?: number
}

/** From 1, where the source is text. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** What is different from the yield before, in the same watch. */
export interface Changes {
  readonly upserts: readonly DeclaredObject[]
  readonly deletes: readonly ObjectName[]
}

export interface Declaration {
  readonly readable: true
  /** The source's own revision (a content hash for files), shown in /api/table. */
  readonly revision: string
  /** All there is, each name once. Valid until the next yield: whoever keeps it copies it. */
  readonly objects: Iterable<DeclaredObject>
  /** Null after a list: everything may have changed. Otherwise the source said what did, one by one. */
  readonly changes: Changes | null
  /**
   * Why it was listed: `first`, `reconcile`, `asked`, ...: words for a metric's label. `changed` is of sources that can only
   * be read as a whole, and were edited: what is missing was taken away just now. `rewound`, `replaced` and `log` are of
   * sources whose revisions went back: a backup was put in their place. `restarted` is of
   * a source that may have lost what it had not written down. Null when `changes` is not.
   */
  readonly listed: string | null
  /** What could not even be read as an object. */
  readonly problems: readonly Problem[]
  /** When the change was noticed, performance.now() of the main thread: the start of the way to "in force". */
  readonly changedAt: number
  /** Of the file that the program was started with: the settings that stand in it now. */
  readonly settings?: WrittenSettings
  /**
   * Of an object that was declared before, by this process or an earlier one: whether it stood in a part of the source
   * (one file of several) that cannot be read, and has not been since. Then it stays. Missing: all could be read.
   */
  readonly isUnread?: (object: DeclaredObject) => boolean
  /** Where a member of an object stands in the source's text. Asked only for what is wrong, and only until the next yield. */
  readonly locate?: (object: DeclaredObject, path: readonly (string | number)[]) => Position | null
}

/**
 * The source is there, but what stands in it now cannot be read as a whole (missing, empty, garbled). It is not a
 * declaration of nothing: what the source declared last stays in force.
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
   * Ends by throwing when the source is lost (or cannot be read the first time), or by returning when the signal aborts.
   * A link that fell silent counts as lost after 5 s at most. What the source refuses (a password, a right) throws
   * SourceRefused. Only a first reading is never `Unreadable`: that one throws.
   */
  watch(signal: AbortSignal): AsyncIterable<Declaration | Unreadable>
  /** List again now, and yield even if nothing has changed. */
  reload(): void
  /**
   * What it knows of the source besides its objects, for `recall` in a later process: by that a source that has gone back
   * to an earlier state is known as one in the first list, too.
   */
  memory?(): string
  /** Before the first watch. Hostile: what is no memory of this provider's is ignored. */
  recall?(memory: string): void
}

/** The source is there and does not let us in: trying again helps only once somebody has changed something. */
export class SourceRefused extends Error {
  override readonly name = 'SourceRefused'
}
