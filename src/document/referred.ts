/**
 * Values with resolved references: their types, and what messages may show of them.
 *
 * The text of a reference stays text. If a scalar is one reference and the parser of the object refuses the text there, what
 * YAML reads in a plain scalar (a number, a boolean) is tried. So no code has to know which keys are numbers, and
 * `password: ${PIN}` keeps the 0 of 0123. The texts of labels are read in the same way, and are lists with commas, too.
 */
import { refuse, type Flaw, type Parsed, type Path } from '../model/parsed.ts'
import { HIDDEN } from '../model/secrets.ts'
import { splitList } from '../model/units.ts'
import { toPointer } from './tree.ts'
import type { Reference } from './references.ts'

/** What of a declaration must not be shown. */
export interface Referred {
  /** The parts that came from references: their places and texts. */
  readonly references?: readonly Reference[]
  readonly secrets?: readonly string[]
  /** All of it was sealed in its source. */
  readonly isSealed?: true
}

export interface ParsedReferred<T> {
  readonly parsed: Parsed<T>
  /** The value that was parsed last, with the numbers and booleans that were tried. */
  readonly value: unknown
}

/** Parses `value`. If a scalar that is a reference is refused as text, its plain YAML value is tried. */
export function parseReferred<T>(
  value: unknown,
  references: readonly Reference[],
  parse: (value: unknown) => Parsed<T>,
): ParsedReferred<T> {
  let current = value
  let parsed = parse(value)
  let left = references.filter((one) => one.whole && insteadAt(value, one) !== undefined)
  // For a place that was read as a number, the flaw of its text: it quotes the value as one token.
  const said = new Map<string, Flaw>()
  while (!parsed.ok && left.length > 0) {
    const refused = new Map(parsed.problems.map((one) => [toPointer(one.path), one]))
    const tried = left.filter(({ path }) => refused.has(toPointer(path)))
    if (tried.length === 0) break
    for (const one of tried) {
      const place = toPointer(one.path)
      const first = refused.get(place)
      if (first !== undefined) said.set(place, first)
      current = replaced(current, one.path, insteadAt(value, one))
    }
    left = left.filter((one) => !tried.includes(one))
    parsed = parse(current)
  }
  if (parsed.ok || said.size === 0) return { parsed, value: current }
  const problems = parsed.problems.map((one) => said.get(toPointer(one.path)) ?? one)
  return { parsed: refuse(problems), value: current }
}

/** The number or boolean that YAML 1.2 (core schema) reads in a plain scalar; undefined: text. */
export function readPlain(text: string): number | boolean | undefined {
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^[-+]?\d+$/.test(text) || /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) {
    return Number(text)
  }
  return /^0o[0-7]+$/.test(text) || /^0x[\da-fA-F]+$/.test(text) ? Number(text) : undefined
}

/** What a refused text may stand for; undefined: nothing but itself. */
function insteadAt(
  value: unknown,
  { path, isList }: Reference,
): number | boolean | readonly string[] | undefined {
  const text = path.reduce<unknown>((found, step) => membersOf(found)?.[step], value)
  if (typeof text !== 'string') return undefined
  return readPlain(text) ?? (isList === true ? splitList(text) : undefined)
}

/** A copy with another value at `path`; only the maps and lists on the path are new. */
function replaced(value: unknown, path: Path, instead: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return instead
  if (Array.isArray(value)) {
    return value.map((item: unknown, at) => (at === step ? replaced(item, rest, instead) : item))
  }
  const members = Object.entries(membersOf(value) ?? {})
  return Object.fromEntries(
    members.map(([key, item]) => [key, key === step ? replaced(item, rest, instead) : item]),
  )
}

function membersOf(value: unknown): Readonly<Record<string | number, unknown>> | null {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string | number, unknown>>)
    : null
}

/** Shorter texts occur in any sentence. Messages quote them, and quoted text is hidden anyway. */
const SHORTEST = 4

/** From the first quote to the last: the text between may contain quotes. */
const QUOTED = /".*"/s
/** A refused number is not quoted: `must be text, not 1234`. */
const NUMBER = /(?<=\bnot )-?\d[\w.+-]*/

/**
 * A message without the texts of references. Messages quote a value as one token, shortened and escaped; if the place of the
 * message has a reference, all quoted text is hidden. Long texts are hidden in all messages.
 */
export function hideReferred(
  { message, path }: Flaw,
  { references = [], secrets = [], isSealed }: Referred,
): string {
  if (isSealed === true) return message.replace(QUOTED, HIDDEN).replace(NUMBER, HIDDEN)
  if (secrets.length === 0) return message
  const isAbout = references.length === 0 || refersAt({ references }, path)
  let shown = isAbout ? message.replace(QUOTED, HIDDEN) : message
  for (const secret of secrets) {
    const isText = secret.length >= SHORTEST && readPlain(secret) === undefined
    if (isText) shown = shown.replaceAll(secret, HIDDEN)
  }
  return shown
}

/** Whether a reference is at `path`, below it, or above it. */
export function refersAt({ references = [] }: Referred, path: Path): boolean {
  return references.some((one) => isBeside(one.path, path))
}

/** Whether one path is the other one or its beginning. */
function isBeside(a: Path, b: Path): boolean {
  const shared = Math.min(a.length, b.length)
  return a.slice(0, shared).every((step, at) => String(step) === String(b[at]))
}
