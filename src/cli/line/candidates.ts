/** What the last word of a command line may become. The scripts of shells.ts ask this with each press of Tab. */
import { OBJECT_KINDS, type ObjectKind } from '../../model/names.ts'
import type { Completes, Flag, Words } from '../spec.ts'
import { readWords } from '../words.ts'
import { takeUrl } from './ahead.ts'
import { ALONE, COMMANDS, GROUPS, membersOf, type Spec } from './catalog.ts'

export interface Candidate {
  readonly word: string
  readonly text: string
}

export interface Candidates {
  /** `files`, `folders`: the shell completes them itself. */
  readonly kind: 'words' | 'files' | 'folders'
  readonly words: readonly Candidate[]
}

export interface IdsWanted {
  readonly kind: ObjectKind
  /** Of a server or middleware, without the object that it belongs to, which has a flag of its own. */
  readonly isPart: boolean
  /** Of the line, which may say where Sluice runs, and what the object belongs to. */
  readonly flags: Words['flags']
}

/** Ids of objects of a running Sluice. */
export type IdsOf = (wanted: IdsWanted) => Promise<readonly string[]>

const FILES: Candidates = { kind: 'files', words: [] }
const FOLDERS: Candidates = { kind: 'folders', words: [] }

/** `words`: behind the name of the program; the last one is completed. */
export async function findCandidates(words: readonly string[], idsOf: IdsOf): Promise<Candidates> {
  const last = words.at(-1) ?? ''
  const { url, others } = takeUrl(words.slice(0, -1))
  const found = await candidatesFor(others, url, last, idsOf)
  return { ...found, words: found.words.filter(({ word }) => word.startsWith(last)) }
}

function candidatesFor(
  before: readonly string[],
  /** Words of a flag that may stand before the command. */
  ahead: readonly string[],
  last: string,
  idsOf: IdsOf,
): Promise<Candidates> | Candidates {
  const [first = '', second = ''] = before
  if (before.length === 0) return listed([...ALONE, ...GROUPS])
  if (first === 'help') {
    return before.length === 1 ? listed([...ALONE, ...GROUPS]) : NOTHING
  }
  const isGroup = GROUPS.some(({ name }) => name === first)
  if (isGroup && before.length === 1) {
    return listed(
      membersOf(first).map(({ name, summary }) => ({
        name: name.slice(first.length + 1),
        summary,
      })),
    )
  }
  const name = isGroup ? `${first} ${second}` : first
  const spec = COMMANDS.find((one) => one.name === name && one.isHidden !== true)
  if (spec === undefined) return NOTHING
  return ofCommand(spec, [...ahead, ...before.slice(isGroup ? 2 : 1)], last, idsOf)
}

const NOTHING: Candidates = { kind: 'words', words: [] }

function listed(of: readonly { readonly name: string; readonly summary: string }[]): Candidates {
  return { kind: 'words', words: of.map(({ name, summary }) => ({ word: name, text: summary })) }
}

async function ofCommand(
  spec: Spec,
  args: readonly string[],
  last: string,
  idsOf: IdsOf,
): Promise<Candidates> {
  const previous = args.at(-1) ?? ''
  const waiting = previous.includes('=') ? null : flagNamed(spec, previous)
  // A flag that still waits for its value is no word of the line yet.
  const isValue = waiting !== null && waiting.value !== ''
  const read = readWords(spec, isValue ? args.slice(0, -1) : args)
  const written: Words = typeof read === 'string' ? { flags: {}, positionals: [], given: [] } : read
  const find = (completes: Completes | undefined): Promise<Candidates> =>
    ofValue(completes, written, (kind) =>
      idsOf({ kind, isPart: spec.isGo === true, flags: written.flags }),
    )
  if (isValue) return find(waiting.completes)

  const equals = last.indexOf('=')
  if (last.startsWith('-') && equals !== -1) {
    const start = last.slice(0, equals)
    const found = await find(flagNamed(spec, start)?.completes)
    const words = found.words.map(({ word, text }) => ({ word: `${start}=${word}`, text }))
    return { ...found, words }
  }
  const flags = flagsLeft(spec, written)
  const { positionals = [] } = spec
  if (last.startsWith('-')) return flags
  const completes = positionals[written.positionals.length]
  if (completes !== undefined) return find(completes)
  return spec.isGo === true ? flags : NOTHING
}

function flagNamed({ flags, isGo }: Spec, word: string): Flag | null {
  const [, dashes = '', name = ''] = /^(--?)(.+)$/.exec(word) ?? []
  if (dashes === '' || (dashes === '-' && isGo !== true)) return null
  const found = Object.entries(flags).find(
    ([known, { aliases = [] }]) => known === name || aliases.includes(name),
  )
  return found?.[1] ?? null
}

/** Flags that were not written yet, or may be repeated. */
function flagsLeft({ flags }: Spec, written: Words): Candidates {
  const left = Object.entries(flags).filter(
    ([name, { isRepeated }]) => isRepeated === true || written.flags[name] === undefined,
  )
  const words = left.map(([name, { text }]) => ({ word: `--${name}`, text }))
  return { kind: 'words', words: [...words, { word: '--help', text: 'print the flags' }] }
}

async function ofValue(
  completes: Completes | undefined,
  written: Words,
  idsOf: (kind: ObjectKind) => Promise<readonly string[]>,
): Promise<Candidates> {
  if (completes === undefined) return NOTHING
  if (completes === 'file') return FILES
  if (completes === 'folder') return FOLDERS
  if (completes === 'kind') return plain(OBJECT_KINDS)
  if (completes === 'id') {
    const kind = OBJECT_KINDS.find((one) => one === written.positionals.at(-1))
    return kind === undefined ? NOTHING : plain(await idsOf(kind))
  }
  if (typeof completes === 'string') return plain(await idsOf(completes))
  return plain(completes)
}

// What a shell would read as more than one word, or as something to run, is not offered.
const SAFE = /^[\w.@:/*+-]+$/

function plain(words: readonly string[]): Candidates {
  return {
    kind: 'words',
    words: words.filter((word) => SAFE.test(word)).map((word) => ({ word, text: '' })),
  }
}

/** For a script: what to complete, then a line for each word, with its text behind a tab. */
export function candidateLines({ kind, words }: Candidates): readonly string[] {
  return [`:${kind}`, ...words.map(({ word, text }) => (text === '' ? word : `${word}\t${text}`))]
}
