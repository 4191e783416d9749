/** The seam of layouts: which objects stand in which keys of a registry. A layout is pure. */
import type { DeclaredObject, ObjectKind, ObjectName } from './provider.ts'

export type LayoutName = 'sluice' | 'vulcand' | 'traefik'

/** A layout with what it needs to read the keys. */
export interface LayoutChoice {
  readonly layout: LayoutName
  /** Opens vulcand's sealed key pairs: 64 hex digits. */
  readonly sealKey: string | null
  /** `redis`: what Traefik calls the source, in `shop@redis`. */
  readonly kind?: string
}

export interface KeyEntry {
  /** Below the root, without a leading slash: `backends/vote/backend`. */
  readonly path: string
  /** As the registry has it, for people: `/vulcand/backends/vote/backend`. */
  readonly key: string
  /** Null: it cannot be had, see `fault`. */
  readonly text: string | null
  /** Why there is no text: too long, not UTF-8, too much beside it. */
  readonly fault?: string
  readonly revision?: string
}

export interface Layout {
  readonly name: LayoutName
  /** The keys that belong to one object, or to a few that are read together, have one group; null: no key of ours. */
  groupOf(path: string): string | null
  /**
   * The objects of a group: no two groups ever have one of the same name, and the order of `entries` means nothing.
   * `entriesOf` gives the keys of another group, which is then read again whenever that one changes.
   */
  read(
    entries: readonly KeyEntry[],
    entriesOf: (group: string) => readonly KeyEntry[],
  ): readonly DeclaredObject[]
  /** Of a group that holds no object: what is left of one whose main key has gone; null: nothing. */
  remnantOf?(entries: readonly KeyEntry[]): Remnant | null
  /** Where the object is written; null: this layout cannot hold it, or is only read. */
  pathOf(kind: ObjectKind, id: string): string | null
}

/** It declares nothing, which somebody may have to be told. */
export interface Remnant extends ObjectName {
  readonly key: string
  /** `has no rule` */
  readonly message: string
}
