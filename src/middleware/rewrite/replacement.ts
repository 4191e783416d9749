/**
 * What takes the place of a match: text, groups as in Go (`$1`, `${name}`, `$$`), and variables of the request. It is read once, at
 * admission; what a request brings is put in as it is, and neither groups nor variables are looked for in it.
 */
import type { Exchange } from '../../http/exchange.ts'
import { KNOWN_VARIABLES, parseVariable, type Variable } from './variables.ts'

export type Piece =
  { readonly text: string } | { readonly group: number } | { readonly variable: Variable }

export type ParsedReplacement =
  | { readonly ok: true; readonly pieces: readonly Piece[] }
  | { readonly ok: false; readonly message: string }

/** The groups of a regular expression. */
export interface Groups {
  readonly count: number
  readonly named: Readonly<Record<string, number>>
}

/** A found match. */
export interface Match {
  start(group: number): number
  group(group: number): string | null
}

/** A group in braces, or as long a name as there is; `$$`. Another `$` is text. */
const REFERENCE = /^\$(?:\{(\w+)\}|(\w+)|\$)/
const VISIBLE = /^[!-~]*$/

export function parseReplacement(text: string, groups: Groups): ParsedReplacement {
  const pieces: Piece[] = []
  let plain = ''
  let at = 0
  const add = (piece: Piece): void => {
    if (plain !== '') pieces.push({ text: plain })
    plain = ''
    pieces.push(piece)
  }
  while (at < text.length) {
    if (text.startsWith('{{', at)) {
      const close = text.indexOf('}}', at)
      if (close < 0) return refuse('has a "{{" that no "}}" closes')
      const written = text.slice(at, close + 2)
      const variable = parseVariable(written)
      if (variable === null)
        return refuse(`has the unknown variable ${written}; there are ${KNOWN_VARIABLES}`)
      add({ variable })
      at = close + 2
      continue
    }
    const found = text[at] === '$' ? REFERENCE.exec(text.slice(at)) : null
    if (found === null) {
      plain += text[at++]
      continue
    }
    const [reference, braced, bare] = found
    at += reference.length
    const name = braced ?? bare
    if (name === undefined) {
      plain += '$'
      continue
    }
    const group = numberOf(name, groups)
    if (group === null) return refuse(missingGroup(name))
    add({ group })
  }
  if (plain !== '') pieces.push({ text: plain })
  return pieces.every((piece) => !('text' in piece) || VISIBLE.test(piece.text))
    ? { ok: true, pieces }
    : refuse('must be visible ASCII; other characters are escaped in a URL (%20 is a space)')
}

function refuse(message: string): ParsedReplacement {
  return { ok: false, message }
}

function numberOf(name: string, { count, named }: Groups): number | null {
  if (!/^\d+$/.test(name)) return Object.hasOwn(named, name) ? (named[name] ?? null) : null
  const number = Number(name)
  return number <= count ? number : null
}

function missingGroup(name: string): string {
  const [, number, rest] = /^(\d+)(\D\w*)$/.exec(name) ?? []
  const why =
    number === undefined ? '' : `; group ${number} with "${rest}" behind it is \${${number}}${rest}`
  return `names the group "${name}", which the regexp does not have${why}`
}

/** Of no input: the text of the rule, or a value of a variable. */
export const OF_THE_RULE = -1
export const OF_A_VALUE = -2

/** Takes each piece of the result. `from`: where in the input it begins, or one of the two above. */
export type Append = (text: string, from: number) => void

export function expand(
  pieces: readonly Piece[],
  match: Match,
  exchange: Exchange,
  append: Append,
): void {
  for (const piece of pieces) {
    if ('text' in piece) append(piece.text, OF_THE_RULE)
    else if ('variable' in piece) append(escapeHash(piece.variable(exchange)), OF_A_VALUE)
    else append(match.group(piece.group) ?? '', match.start(piece.group))
  }
}

/** Behind a `#`, the rest of the rule would be no part of the URL. */
function escapeHash(value: string): string {
  return value.includes('#') ? value.replaceAll('#', '%23') : value
}
