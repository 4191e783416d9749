/**
 * Parses a command line as Go's package flag does: `-x v`, `--x v`, `-x=v`; a boolean is `-x` or `-x=false`, and never takes the
 * next word; the first word that is no flag, or `--`, ends the flags.
 */
import { quote } from '../../model/parsed.ts'

export interface FlagSpec {
  /** As Go's usage names the value; '': a boolean. */
  readonly value: 'string' | 'int' | 'duration' | 'value' | ''
  readonly text: string
  /** As it is written on the command line; '': that of the type. */
  readonly normal: string
  /** May be repeated. */
  readonly isList?: true
  /** Why the value is refused; null: it is good. */
  readonly refuse?: (value: string) => string | null
}

export type FlagSpecs<Name extends string> = Readonly<Record<Name, FlagSpec>>

export type ParsedFlags<Name extends string> =
  | {
      readonly ok: true
      /** As often as each was written, in order. */
      readonly given: ReadonlyMap<Name, readonly string[]>
      /** The words after the flags. */
      readonly rest: readonly string[]
    }
  /** `-help`: the usage was asked for. */
  | { readonly ok: false; readonly isHelp: true }
  | { readonly ok: false; readonly isHelp: false; readonly message: string }

export function parseGoFlags<Name extends string>(
  argv: readonly string[],
  specs: FlagSpecs<Name>,
): ParsedFlags<Name> {
  const given = new Map<Name, string[]>()
  let at = 0
  while (at < argv.length) {
    const word = argv[at] ?? ''
    if (word.length < 2 || !word.startsWith('-')) break
    at += 1
    if (word === '--') break
    const [, name = '', , written] = /^--?([^-=][^=]*)(=(.*))?$/s.exec(word) ?? []
    if (name === '') return refused(`bad flag syntax: ${word}`)
    if (!isNamed(name, specs)) {
      if (name === 'help' || name === 'h') return { ok: false, isHelp: true }
      return refused(`flag provided but not defined: -${name}`)
    }
    const spec = specs[name]
    let value = written
    if (value === undefined && spec.value === '') value = 'true'
    if (value === undefined) {
      value = argv[at]
      at += 1
    }
    if (value === undefined) return refused(`flag needs an argument: -${name}`)
    const reason = refuseValue(value, spec)
    if (reason !== null) {
      const what = spec.value === '' ? 'boolean value' : 'value'
      const form = spec.value === '' ? `for -${name}` : `for flag -${name}`
      return refused(`invalid ${what} ${quote(value)} ${form}: ${reason}`)
    }
    given.set(name, [...(given.get(name) ?? []), value])
  }
  return { ok: true, given, rest: argv.slice(at) }
}

/** As Go prints it, sorted by name. */
export function usageText(program: string, specs: FlagSpecs<string>): string {
  const lines = Object.entries(specs)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([name, { value, text, normal }]) => {
      const shown = value === 'string' || value === 'value' ? `"${normal}"` : normal
      const end = normal === '' || normal === 'false' ? '' : ` (default ${shown})`
      return [`  -${name}${value === '' ? '' : ` ${value}`}`, `    \t${text}${end}`]
    })
  return [`Usage of ${program}:`, ...lines].join('\n')
}

/** Go's strconv.ParseBool; null: it is neither. */
export function parseGoBool(text: string): boolean | null {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false
  return null
}

function isNamed<Name extends string>(name: string, specs: FlagSpecs<Name>): name is Name {
  return Object.hasOwn(specs, name)
}

function refuseValue(value: string, { value: type, refuse }: FlagSpec): string | null {
  if (type === '' && parseGoBool(value) === null) return 'parse error'
  if (type === 'int' && !/^[+-]?(?:\d{1,15}|0x[0-9a-f]{1,12})$/i.test(value)) return 'parse error'
  return refuse === undefined ? null : refuse(value)
}

function refused(message: string): Extract<ParsedFlags<never>, { readonly ok: false }> {
  return { ok: false, isHelp: false, message }
}
