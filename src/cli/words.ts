/** Reads the words of one command by its spec. Node's own parser knows neither suggestions nor Go's form of flags. */
import { quote } from '../model/parsed.ts'
import { didYouMean } from '../model/suggest.ts'
import type { CommandSpec, Flag, Words } from './spec.ts'

/** `help`: it is asked for, which wins over everything else. A string: the usage error. */
export function readWords(
  spec: CommandSpec<unknown>,
  words: readonly string[],
): Words | 'help' | string {
  if (spec.isRaw === true) return { flags: {}, positionals: words, given: [] }
  const flags: Partial<Record<string, string>> = {}
  const positionals: string[] = []
  const given: [name: string, value: string][] = []
  let mistake: string | null = null
  const refuse = (what: string): void => void (mistake ??= what)

  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--') {
      positionals.push(...words.slice(at + 1))
      break
    }
    const option = toOption(spec, word)
    if (option === null) {
      positionals.push(word)
      continue
    }
    if (option.name === 'help' || option.raw === '-h') return 'help'
    const name = nameOf(spec, option.name)
    const flag = name === null ? undefined : spec.flags[name]
    if (name === null || flag === undefined) {
      const known = [...Object.keys(spec.flags), 'help'].map((one) => `--${one}`)
      refuse(`unknown option ${quote(option.raw)}${didYouMean(option.raw, known)}`)
      continue
    }
    if (flag.value === '') {
      const state = switchState(spec, option.value)
      if (state === null) refuse(`${option.raw} takes no value`)
      if (state === true) flags[name] = ''
      if (state === false) delete flags[name]
      continue
    }
    const value = option.value ?? nextValue(spec, words[at + 1])
    if (value === null || (value === '' && spec.isGo !== true)) {
      refuse(`${option.raw} needs a value`)
      continue
    }
    if (option.value === null) at++
    flags[name] = value
    given.push([name, value])
  }
  return mistake ?? { flags, positionals, given }
}

interface Option {
  /** As it is written, without its value. */
  readonly raw: string
  readonly name: string
  /** Behind `=`; null without one. */
  readonly value: string | null
}

/** Null: the word is no option. A single - is one of the command's own words: standard input. */
function toOption({ isGo }: CommandSpec<unknown>, word: string): Option | null {
  if (!word.startsWith('-') || word === '-') return null
  const [, dashes = '', rest = ''] = /^(--?)([^]*)$/.exec(word) ?? []
  const equals = rest.indexOf('=')
  const name = equals === -1 ? rest : rest.slice(0, equals)
  const value = equals === -1 ? null : rest.slice(equals + 1)
  const isKnownForm = dashes === '--' || isGo === true
  return { raw: dashes + name, name: isKnownForm ? name : `-${name}`, value }
}

/** Null: there is no such flag. */
function nameOf({ flags }: CommandSpec<unknown>, written: string): string | null {
  if (Object.hasOwn(flags, written)) return written
  const found = Object.entries(flags).find(([, { aliases = [] }]) => aliases.includes(written))
  return found?.[0] ?? null
}

/** Null: it has a value that no switch has. */
function switchState({ isGo }: CommandSpec<unknown>, value: string | null): boolean | null {
  if (value === null) return true
  if (isGo !== true) return null
  if (/^(?:1|t|true)$/i.test(value)) return true
  return /^(?:0|f|false)$/i.test(value) ? false : null
}

/** An option where a value is needed means a forgotten value. Null: there is none. */
function nextValue({ isGo }: CommandSpec<unknown>, next: string | undefined): string | null {
  if (next === undefined) return null
  const isNumber = isGo === true && /^-\d/.test(next)
  return next.startsWith('-') && next !== '-' && !isNumber ? null : next
}

/** `--name VALUE`, as help and tables show it. */
export function shownFlag(name: string, { value, aliases = [] }: Flag): string {
  const others = aliases.map((alias) => `, -${alias}`)
  return `--${name}${others.join('')} ${value}`.trimEnd()
}
