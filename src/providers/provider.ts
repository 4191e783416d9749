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

export interface Declaration {
  /** The source's own revision (a content hash for files), shown in /api/table. */
  readonly revision: string
  readonly objects: readonly DeclaredObject[]
  /** What could not even be read as an object. */
  readonly problems: readonly Problem[]
}

export interface Provider {
  /** `file`, `etcd` ...: the source's name in `name@source`. */
  readonly name: string
  /** Ends by throwing when the source is lost or unreadable, or by returning when the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<Declaration>
}
