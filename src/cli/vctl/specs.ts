/** Makes the specs of the commands of vctl: each kind of object has ls, show, upsert and rm. */
import type { CommandSpec, Flag, Flags, Words } from '../spec.ts'
import { readPlace } from '../place-words.ts'
import type { VctlCall, VctlCommand, VctlKind, VctlName } from './command.ts'
import { COMMON, Mistake, required } from './flags.ts'

const EXITS =
  'Exit 0: done; 1: refused, or there is no response, with the reason on standard error; 2: wrong usage.'

interface Draft {
  readonly name: string
  readonly summary: string
  readonly flags: Flags
  readonly text?: readonly string[]
  readonly examples?: readonly string[]
  readonly call: (words: Words) => VctlCall
}

export function vctlSpec({ name, call, flags, ...rest }: Draft): CommandSpec<VctlCommand> {
  return {
    ...rest,
    name,
    usage: ['[flags]'],
    flags: { ...flags, ...COMMON },
    exits: EXITS,
    isGo: true,
    parse(words) {
      const [extra] = words.positionals
      if (extra !== undefined) return `${name} takes flags only, not ${JSON.stringify(extra)}`
      const place = readPlace(words)
      if (typeof place === 'string') return place
      try {
        return { kind: 'vctl', call: call(words), place, isJson: 'json' in words.flags }
      } catch (error) {
        if (error instanceof Mistake) return error.message
        throw error
      }
    },
  }
}

/** What an upsert sends, beside what all kinds have. */
export type Upserted = Omit<Extract<VctlCall, { verb: 'upsert' }>, 'verb' | 'kind' | 'of' | 'done'>

export interface Kind {
  /** The first word: `backend`; `ratelimit` of a middleware. */
  readonly word: string
  readonly kind: VctlKind
  /** The flag of the id, and how it is shown. */
  readonly id: readonly [name: string, flag: Flag]
  /** The flag of what it belongs to. */
  readonly owner: readonly [name: string, flag: Flag] | null
  readonly upsert: Omit<Draft, 'name' | 'summary' | 'call'> & {
    readonly object: (words: Words) => Upserted
  }
  /** What vctl says of what is done. */
  readonly done: { readonly upsert: string; readonly rm: (id: string) => string }
}

const PLACES: Readonly<Partial<Record<VctlKind, string>>> = {
  server: ' of a backend',
  middleware: ' of a frontend',
}

/** ls, show, upsert and rm. */
export function specsOf(of: Kind): readonly CommandSpec<VctlCommand>[] {
  const { word, kind, done, upsert } = of
  const [idName, idShown] = of.id
  const id: Flags = { [idName]: idShown }
  const owner: Flags = of.owner === null ? {} : { [of.owner[0]]: of.owner[1] }
  const ownerOf = (words: Words, verb: string): string | null =>
    of.owner === null ? null : required(words, of.owner[0], `${word} ${verb}`)
  const nameOf = (words: Words, verb: string): VctlName => ({
    kind,
    of: ownerOf(words, verb),
    id: required(words, idName, `${word} ${verb}`),
  })
  return [
    vctlSpec({
      name: `${word} ls`,
      summary: `list ${word}s${PLACES[kind] ?? ''}`,
      flags: owner,
      call: (words) => ({
        ...{ verb: 'ls', kind, of: ownerOf(words, 'ls') },
        type: kind === 'middleware' ? word : null,
      }),
    }),
    vctlSpec({
      name: `${word} show`,
      summary: `show one ${word}`,
      flags: { ...id, ...owner },
      call: (words) => ({ verb: 'show', name: nameOf(words, 'show') }),
    }),
    vctlSpec({
      name: `${word} upsert`,
      summary: `create or replace a ${word}`,
      flags: { ...id, ...owner, ...upsert.flags },
      ...(upsert.text === undefined ? {} : { text: upsert.text }),
      ...(upsert.examples === undefined ? {} : { examples: upsert.examples }),
      call(words) {
        nameOf(words, 'upsert')
        const parts = upsert.object(words)
        return { verb: 'upsert', kind, of: ownerOf(words, 'upsert'), ...parts, done: done.upsert }
      },
    }),
    vctlSpec({
      name: `${word} rm`,
      summary: `remove a ${word}`,
      flags: { ...id, ...owner },
      call(words) {
        const name = nameOf(words, 'rm')
        return { verb: 'rm', name, done: done.rm(name.id) }
      },
    }),
  ]
}
