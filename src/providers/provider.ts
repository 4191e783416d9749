/**
 * The one seam every source of declarations plugs into. A provider yields the whole of what its source declares, first
 * at once and then after each change, never a half; it does not retry by itself (control/follow does) and it judges
 * nothing (control/admit does).
 */
import type { Problem } from '../model/problem.ts'

/** One object as its source wrote it: hostile until admitted. */
export interface DeclaredObject {
  readonly kind: 'listener' | 'backend' | 'frontend'
  readonly id: string
  readonly value: unknown
  /** Where in the source: a registry key, or `file.yaml#/frontends/vote`. */
  readonly key: string
  readonly line?: number
  readonly column?: number
}

/** From 1, where the source is text. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Declaration {
  readonly readable: true
  /** The source's own revision (a content hash for files), shown in /api/table. */
  readonly revision: string
  readonly objects: readonly DeclaredObject[]
  /** What could not even be read as an object. */
  readonly problems: readonly Problem[]
  /** When the change was noticed, ms since the epoch: the start of the way to "in force". */
  readonly changedAt: number
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
   * Only a first reading is never `Unreadable`: that one throws.
   */
  watch(signal: AbortSignal): AsyncIterable<Declaration | Unreadable>
  /** Look again now, and yield even if nothing has changed. */
  reload(): void
}
