/** Parses a command line to one command, or to a one-line usage error. */
import { parseArgs } from 'node:util'
import { parseDuration } from '../model/units.ts'
import type { SettingName } from '../schema/resolve-settings.ts'
import { quote } from '../model/parsed.ts'
import { didYouMean } from '../model/suggest.ts'
import { parseBenchWords, type BenchOptions } from './bench-words.ts'
import {
  BENCH_FLAGS,
  CHECK_FLAGS,
  COMMANDS,
  HEALTHCHECK_FLAGS,
  OBJECT_FLAGS,
  SERVE_FLAGS,
  helpText,
  type Topic,
} from './help.ts'
import { parseObjectWords } from './object-words.ts'
import type { DeleteCommand, GetCommand, PutCommand } from './objects.ts'

export type Flags = Readonly<Partial<Record<SettingName, string>>>

export type Command =
  /** `config`, `synapse`: null without the flag. */
  | {
      readonly kind: 'serve'
      readonly config: string | null
      readonly synapse: string | null
      readonly flags: Flags
    }
  | { readonly kind: 'check'; readonly file: string }
  | { readonly kind: 'check-synapse'; readonly file: string }
  /** `from`: a kind or a name of a source, or a file of another proxy. `config`: null: there is none. */
  | { readonly kind: 'check-from'; readonly from: string; readonly config: string | null }
  /** `waitMs`: 0 for one request. */
  | {
      readonly kind: 'healthcheck'
      readonly config: string | null
      readonly flags: Flags
      readonly waitMs: number
    }
  | PutCommand
  | DeleteCommand
  | GetCommand
  | {
      readonly kind: 'bench'
      readonly config: string | null
      readonly flags: Flags
      readonly options: BenchOptions
    }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly topic: Topic; readonly text: string }
  /** For standard error, with exit code 2. */
  | { readonly kind: 'usage-error'; readonly message: string }

/** `argv` without Node and the program. Never throws. */
export function parseCommandLine(argv: readonly string[]): Command {
  const [first = '--help', ...rest] = argv
  if (first === '--help' || first === '-h') return help('sluice')
  if (first === '--version' || first === '-v') return { kind: 'version' }
  if (first === 'help') return explain(rest)
  const command = COMMANDS.find((one) => one === first)
  switch (command) {
    case 'serve':
      return withFlags('serve', rest, Object.keys(SERVE_FLAGS))
    case 'healthcheck':
      return healthcheck(rest)
    case 'check':
      return check(rest)
    case 'put':
    case 'delete':
    case 'get':
      return objects(command, rest)
    case 'bench':
      return bench(rest)
    case 'version':
      return version(rest)
    case undefined:
      return mistake(
        first.startsWith('-')
          ? `unknown option ${quote(first)}${didYouMean(first, ['--help', '--version'])}`
          : `unknown command ${quote(first)}${didYouMean(first, [...COMMANDS, 'help'])}`,
      )
    default:
      return command satisfies never
  }
}

function explain(rest: readonly string[]): Command {
  const [word = 'sluice'] = rest
  const topic = COMMANDS.find((command) => command === word)
  if (topic !== undefined || word === 'sluice') return help(topic ?? 'sluice')
  return mistake(`there is no help on ${quote(word)}${didYouMean(word, COMMANDS)}`)
}

function withFlags(
  kind: 'serve' | 'healthcheck',
  words: readonly string[],
  known: readonly string[],
): Command {
  const read = readWords(kind, words, known)
  if ('kind' in read) return read
  const [extra] = read.positionals
  if (extra !== undefined) {
    return mistake(`${kind} takes no ${quote(extra)}; a file is given as --config FILE`, kind)
  }
  const { config = null, synapse = null, ...flags } = read.flags
  return kind === 'serve'
    ? { kind, config, synapse, flags: flags as Flags }
    : { kind, config, flags: flags as Flags, waitMs: 0 }
}

function healthcheck(words: readonly string[]): Command {
  const command = withFlags('healthcheck', words, Object.keys(HEALTHCHECK_FLAGS))
  if (command.kind !== 'healthcheck') return command
  const { wait = '0', ...flags } = command.flags as Flags & { readonly wait?: string }
  const waitMs = parseDuration(wait, 0, LONGEST_WAIT_MS)
  if (!waitMs.ok) return mistake(`--wait ${waitMs.reason}`, 'healthcheck')
  return { ...command, flags, waitMs: waitMs.value }
}

const LONGEST_WAIT_MS = 3_600_000

function check(words: readonly string[]): Command {
  const read = readWords('check', words, Object.keys(CHECK_FLAGS))
  if ('kind' in read) return read
  const [file, extra] = read.positionals
  const { from, synapse } = read.flags
  if (synapse !== undefined) {
    if (file === undefined && from === undefined) return { kind: 'check-synapse', file: synapse }
    return mistake(`check --synapse takes no ${quote(file ?? '--from')}`, 'check')
  }
  if (from !== undefined && extra === undefined) {
    return { kind: 'check-from', from, config: file ?? null }
  }
  if (file === undefined) return mistake('check needs the file to check', 'check')
  if (extra !== undefined)
    return mistake(`check takes one file, ${quote(extra)} is too many`, 'check')
  return { kind: 'check', file }
}

function objects(kind: 'put' | 'delete' | 'get', words: readonly string[]): Command {
  const read = readWords(kind, words, Object.keys(OBJECT_FLAGS[kind]))
  if ('kind' in read) return read
  const parsed = parseObjectWords(kind, read.positionals, read.flags)
  return typeof parsed === 'string' ? mistake(parsed, kind) : parsed
}

function bench(words: readonly string[]): Command {
  const read = readWords('bench', words, Object.keys(BENCH_FLAGS), SWITCHES)
  if ('kind' in read) return read
  const { flags, positionals, given } = read
  const headers = given.flatMap(([name, value]) => (name === 'header' ? [value] : []))
  const options = parseBenchWords({ flags, positionals, headers })
  if (typeof options === 'string') return mistake(options, 'bench')
  const { config = null, 'admin-address': admin } = flags
  return {
    ...{ kind: 'bench', config, options },
    flags: admin === undefined ? {} : { 'admin-address': admin },
  }
}

const SWITCHES = Object.keys(BENCH_FLAGS).filter((name) => BENCH_FLAGS[name]?.value === '')

function version(words: readonly string[]): Command {
  const read = readWords('version', words, [])
  if ('kind' in read) return read
  const [extra] = read.positionals
  return extra === undefined
    ? { kind: 'version' }
    : mistake(`version takes no ${quote(extra)}`, 'version')
}

interface Words {
  readonly flags: Readonly<Partial<Record<string, string>>>
  readonly positionals: readonly string[]
  /** Each flag as often as it was written. */
  readonly given: readonly (readonly [name: string, value: string])[]
}

/** `known`: flags, all with a value but for `switches`. --help wins over everything else. */
function readWords(
  topic: Topic,
  words: readonly string[],
  known: readonly string[],
  switches: readonly string[] = [],
): Words | Command {
  const options = Object.fromEntries(
    known.map((name) => [name, { type: switches.includes(name) ? 'boolean' : 'string' } as const]),
  )
  const { tokens } = parseArgs({
    args: [...words],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
    // Not strict: its messages have several lines and no suggestions.
    strict: false,
    tokens: true,
  })
  if (tokens.some((token) => token.kind === 'option' && token.name === 'help')) return help(topic)

  const flags: Partial<Record<string, string>> = {}
  const positionals: string[] = []
  const given: [name: string, value: string][] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    if (!known.includes(token.name)) {
      const hint = didYouMean(
        token.rawName,
        [...known, 'help'].map((name) => `--${name}`),
      )
      return mistake(`unknown option ${quote(token.rawName)}${hint}`, topic)
    }
    const value = token.value ?? ''
    if (switches.includes(token.name)) {
      if (token.inlineValue) return mistake(`${token.rawName} takes no value`, topic)
      flags[token.name] = ''
      continue
    }
    // An option after an option that needs a value means a forgotten value. A single - is standard output.
    if (value === '' || (!token.inlineValue && value.startsWith('-') && value !== '-')) {
      return mistake(`${token.rawName} needs a value`, topic)
    }
    flags[token.name] = value
    given.push([token.name, value])
  }
  return { flags, positionals, given }
}

function help(topic: Topic): Command {
  return { kind: 'help', topic, text: helpText(topic) }
}

function mistake(what: string, topic: Topic = 'sluice'): Command {
  const ask = topic === 'sluice' ? 'sluice --help' : `sluice ${topic} --help`
  return { kind: 'usage-error', message: `sluice: ${what} (see ${ask})` }
}
