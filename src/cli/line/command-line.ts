/** Parses a command line to one command, or to a one-line usage error. */
import { quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { readWords } from '../words.ts'
import {
  COMMANDS,
  firstWords,
  GROUPS,
  LISTED,
  membersOf,
  type Parsed,
  type Spec,
} from './catalog.ts'
import { takeUrl } from './ahead.ts'
import { helpOf, helpOfGroup, helpText } from './help.ts'
import { COMPLETE } from './own-words.ts'

export type Command =
  | Exclude<Parsed, { readonly kind: 'explain' }>
  /** `topic`: the name of a command or group; '': of all. */
  | { readonly kind: 'help'; readonly topic: string; readonly text: string }
  /** For standard error, with exit code 2. */
  | { readonly kind: 'usage-error'; readonly message: string }

/** `argv` without Node and the program. Never throws. */
export function parseCommandLine(argv: readonly string[]): Command {
  const [first = '--help', second, ...rest] = withUrlLast(argv)
  if (first === '--help' || first === '-h') return help('')
  if (first === '--version' || first === '-v') return { kind: 'version' }
  const group = GROUPS.find(({ name }) => name === first)
  if (group !== undefined) {
    if (second === '--help' || second === '-h') return help(group.name)
    const names = membersOf(group.name).map(({ name }) => name.slice(group.name.length + 1))
    const spec = specOf(`${first} ${second ?? ''}`)
    if (spec !== undefined) return parseWords(spec, rest)
    return mistake(
      second === undefined
        ? `${first} needs one of ${names.join(', ')}`
        : `there is no ${first} ${quote(second)}${didYouMean(second, names)}; it has ${names.join(', ')}`,
      group.name,
    )
  }
  const spec = specOf(first)
  if (spec !== undefined) return parseWords(spec, second === undefined ? rest : [second, ...rest])
  return mistake(
    first.startsWith('-')
      ? `unknown option ${quote(first)}${didYouMean(first, ['--help', '--version'])}`
      : `unknown command ${quote(first)}${didYouMean(first, firstWords())}`,
  )
}

/** Where a command that has it reads it: behind `--` are no flags. */
function withUrlLast(argv: readonly string[]): readonly string[] {
  if (argv[0] === COMPLETE.name) return argv
  const { url, others } = takeUrl(argv)
  const end = others.indexOf('--')
  return end === -1 ? [...others, ...url] : others.toSpliced(end, 0, ...url)
}

function parseWords(spec: Spec, words: readonly string[]): Command {
  const read = readWords(spec, words)
  if (read === 'help') return help(spec.name)
  if (typeof read === 'string') return mistake(read, spec.name)
  const parsed = spec.parse(read)
  if (typeof parsed === 'string') return mistake(parsed, spec.name)
  return parsed.kind === 'explain' ? explain(parsed.topic) : parsed
}

function explain(topic: string): Command {
  const isKnown =
    topic === '' || topic === 'sluice' || specOf(topic) !== undefined || groupNamed(topic)
  if (isKnown) return help(topic === 'sluice' ? '' : topic)
  const names = [...LISTED.map(({ name }) => name), ...GROUPS.map(({ name }) => name)]
  return mistake(`there is no help on ${quote(topic)}${didYouMean(topic, names)}`)
}

function specOf(name: string): Spec | undefined {
  return COMMANDS.find((spec) => spec.name === name)
}

function groupNamed(name: string): boolean {
  return GROUPS.some((group) => group.name === name)
}

function help(topic: string): Command {
  const spec = specOf(topic)
  const group = GROUPS.find(({ name }) => name === topic)
  const text =
    spec !== undefined ? helpOf(spec) : group !== undefined ? helpOfGroup(group) : helpText()
  return { kind: 'help', topic, text }
}

function mistake(what: string, topic: string = ''): Command {
  const ask = topic === '' ? 'sluice --help' : `sluice ${topic} --help`
  return { kind: 'usage-error', message: `sluice: ${what} (see ${ask})` }
}
