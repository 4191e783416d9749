/**
 * The command line as data. Each command has one `CommandSpec`: its words are read by it, and --help, the manual page, the
 * tables of docs/cli.md and shell completion are made from it.
 */
import type { ObjectKind } from '../model/names.ts'

/**
 * What a shell completes: files, kinds of objects, ids of objects of the running Sluice (`id`: of the kind that the word before
 * it names), or these words.
 */
export type Completes = 'file' | 'folder' | 'kind' | 'id' | ObjectKind | readonly string[]

export interface Flag {
  /** The placeholder of its value. '': the flag is a switch. */
  readonly value: string
  readonly text: string
  /** As help shows it, behind the text. */
  readonly default?: string
  /** In place of `text` where Markdown says more. */
  readonly doc?: string
  readonly variable?: string
  /** Other names. */
  readonly aliases?: readonly string[]
  readonly isRepeated?: true
  readonly completes?: Completes
}

export type Flags = Readonly<Record<string, Flag>>

/** What was written behind the name of a command. */
export interface Words {
  /** The last value of each flag; '' for a switch that is on. By the name in the spec, not by an alias. */
  readonly flags: Readonly<Partial<Record<string, string>>>
  readonly positionals: readonly string[]
  /** Each flag as often as it was written. */
  readonly given: readonly (readonly [name: string, value: string])[]
}

export interface CommandSpec<C> {
  /** `serve`; of a group `backend upsert`. */
  readonly name: string
  /** What follows the name, one for each form. */
  readonly usage: readonly string[]
  readonly summary: string
  /** One for each form, in place of `summary`, for the table of docs/cli.md. */
  readonly forms?: readonly string[]
  readonly flags: Flags
  /** By place; the last one also for all behind it. */
  readonly positionals?: readonly Completes[]
  /** Paragraphs; one that begins with two spaces keeps its lines. */
  readonly text?: readonly string[]
  readonly examples?: readonly string[]
  readonly exits: string
  /** Flags as Go reads them: `-x v` and `-x=v`, too; a value may be empty, and a switch may be `-x=false`. */
  readonly isGo?: true
  /** Nothing lists it: it is for scripts that Sluice prints. */
  readonly isHidden?: true
  /** Words are not read as flags. */
  readonly isRaw?: true
  /** Returns the command, or what is wrong with its words. */
  readonly parse: (words: Words) => C | string
}

/** A name of `COMMANDS` that others begin with: `backend`. */
export interface Group {
  readonly name: string
  readonly summary: string
}

export const CONFIG: Flag = {
  value: 'FILE',
  text: 'the configuration with the address of the admin',
  variable: 'SLUICE_CONFIG',
  completes: 'file',
}

export const ADMIN_ADDRESS: Flag = {
  value: 'ADDRESS',
  text: 'of the admin listener',
  doc: 'address of the [admin](api.md)',
  default: '127.0.0.1:8182',
}
