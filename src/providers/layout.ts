/** The interface of layouts: which objects are in which keys of a registry. A layout is pure. */
import type { ObjectKind, ObjectName } from '../model/names.ts'
import type { DeclaredObject } from './provider.ts'

/** Those of `MemberLayoutName` hold the members of services, see layouts/members. */
export type LayoutName = 'sluice' | 'vulcand' | 'traefik' | 'fabio' | MemberLayoutName
export type MemberLayoutName = 'nerve' | 'serverset' | 'curator' | 'registrator'

/** A layout with what it needs to read the keys. */
export interface LayoutChoice {
  readonly layout: LayoutName
  /** Opens vulcand's sealed key pairs: 64 hex digits. */
  readonly sealKey: string | null
  /** Flags of vulcand's program; missing: the defaults of Sluice. */
  readonly vulcand?: DaemonFlags
  /** Missing: its values are read as they are. */
  readonly decrypt?: Decryption
  /** `redis`: what Traefik calls the source, in `shop@redis`. */
  readonly kind?: string
  /** Missing: plain http, to their main endpoint. */
  readonly members?: MemberChoice
}

/** What vulcand's objects leave to flags of its program. Null: as Sluice has it. */
export interface DaemonFlags {
  readonly dialMs: number | null
  readonly readMs: number | null
  readonly maxHeaderBytes: number | null
  /** From a part of a route to what it also stands for. */
  readonly aliases: Readonly<Record<string, string>>
}

/** Of the members of services. */
export interface MemberChoice {
  readonly scheme: 'http' | 'https' | 'h2c'
  /** The name of an additional endpoint of a server set; null: the service endpoint. */
  readonly endpoint: string | null
}

/** How values that are sealed as a whole are opened, see sealed/sealed-values.ts. */
export interface Decryption {
  /** Armored OpenPGP secret keys, once the file is read. */
  readonly keyring: string
  /** Of paths below the prefix: key-globs.ts. */
  readonly keys: readonly string[]
  /** `required`: a plain value of these keys is a fault. `auto`: it is read as it is. */
  readonly mode: 'required' | 'auto'
}

export interface SealedValues {
  /** Whether the entry has to be opened before a layout reads it. */
  isSealed(entry: KeyEntry): boolean
  /** The entry with its plain text, or with a fault. Never rejects. */
  open(entry: KeyEntry): Promise<KeyEntry>
  /** The text as it is to be written: sealed, if these keys are. */
  seal(path: string, text: string): Promise<string>
}

export interface KeyEntry {
  /** Below the prefix, without a leading slash: `backends/vote/backend`. */
  readonly path: string
  /** The whole key, for messages: `/vulcand/backends/vote/backend`. */
  readonly key: string
  /** Null if it cannot be read, see `fault`. */
  readonly text: string | null
  /** Why there is no text: too long, not UTF-8, or over the limit of its source. */
  readonly fault?: string
  readonly revision?: string
  /** Its text was sealed, and is not to be shown. */
  readonly isSealed?: true
}

export interface Layout {
  /** For messages. */
  readonly name: string
  /** Of the source that has this layout; missing: its values are not sealed. The only part of a layout that is not pure. */
  readonly sealed?: SealedValues
  /** Only keys without keys below them are objects. */
  readonly isFlat?: true
  /** The key that is the prefix itself is read, too, as the path ''. */
  readonly hasRoot?: true
  /** Whether a path may be a key, or have keys below it; others are not listed. Missing: all may. */
  isNear?(path: string): boolean
  /** Keys of one object, or of a few that are read together, have one group; null: the layout does not know the key. */
  groupOf(path: string): string | null
  /**
   * The objects of a group, in any order of `entries`. No two groups may have an object of the same name. `entriesOf` returns
   * the keys of another group; this group is then read again when that one changes.
   */
  read(
    entries: readonly KeyEntry[],
    entriesOf: (group: string) => readonly KeyEntry[],
  ): readonly DeclaredObject[]
  /** For a group without objects: the rest of an object whose main key is missing; null: there is none. */
  orphanOf?(entries: readonly KeyEntry[]): Orphan | null
  /** The key of an object; null if this layout cannot hold it or is read-only. */
  pathOf(kind: ObjectKind, id: string): string | null
}

/** Keys of an object without its main key: they declare nothing, which is reported. */
export interface Orphan extends ObjectName {
  readonly key: string
  /** `has no rule` */
  readonly message: string
}
