/** `templates` of the settings: files that are rendered, see docs/rendering.md. */
import type { SourceSpec } from './settings.ts'

export interface TemplateSettings {
  /** Its key under `templates`. */
  readonly name: string
  /** The template itself, or the path of its file. */
  readonly text: { readonly inline: string } | { readonly path: string }
  /** The file that is written. */
  readonly dest: string
  /** Null: there is none, only the routing table can be read. */
  readonly keys: TemplateKeys | null
  /** 0 to 0o7777; null: that of the file that is there, else 0o644. */
  readonly mode: number | null
  /** Null: those of this process. */
  readonly uid: number | null
  readonly gid: number | null
  /** A template with `{{.src}}`, the path of the staged file; run by /bin/sh before that takes the place of `dest`. Null: none. */
  readonly check: string | null
  /** Run by /bin/sh afterwards. Null: none. */
  readonly reload: string | null
  /** Of each of the two. */
  readonly timeoutMs: number
  /** Changes that follow one another within this time are rendered together. */
  readonly settleMs: number
  /** Between two renderings. */
  readonly minIntervalMs: number
  /** The template is rendered after this time also without a change; null: never. */
  readonly intervalMs: number | null
  readonly keepStage: boolean
  /** `dest` is left as it is: what would change is logged. */
  readonly noop: boolean
  /** `check` and `reload` are not run. */
  readonly syncOnly: boolean
}

export interface TemplateKeys {
  readonly source: KeySourceSpec
  /** With a slash at its beginning and none at its end; '' is the root. Keys are shown to the template without it. */
  readonly prefix: string
  /** Whole keys, which begin with the prefix, of the same form: each with those below it. */
  readonly read: readonly string[]
}

export type KeySourceSpec = KeyRegistry | KeyFiles | { readonly kind: 'environment' }

export interface KeyRegistry {
  readonly kind: 'registry'
  /** As its kind has parsed it, but its prefix ends in a segment that stands for the key to read. */
  readonly source: SourceSpec
  /** Armored OpenPGP secret keys or the path of their file, for values that are sealed; null: there are none. */
  readonly keyring: string | null
}

export interface KeyFiles {
  readonly kind: 'files'
  /** Of files or folders. */
  readonly paths: readonly string[]
}
