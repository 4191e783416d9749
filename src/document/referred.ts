/**
 * Values that references were put into: of which type they are, and what a message may say of them.
 *
 * A reference is text. Where the whole scalar is one and a number or a flag is wanted, it is read as YAML reads a plain
 * scalar. What is wanted is known to the parser of the object alone: so the text is tried first, and where the parser
 * refuses it, what YAML would read. Text stays text wherever text is wanted: `password: ${PIN}` keeps the 0 of 0123.
 */
import { refuse, type Flaw, type Parsed, type Path } from '../model/parsed.ts'
import { toPointer } from './tree.ts'
import type { Reference } from './references.ts'

/** What of a declaration came from elsewhere: where it stands, and its texts. */
export interface Referred {
  readonly references?: readonly Reference[]
  readonly secrets?: readonly string[]
}

export interface ParsedReferred<T> {
  readonly parsed: Parsed<T>
  /** The value that was parsed last, with what became a number or a flag. */
  readonly value: unknown
}

/** Parses `value`; scalars that are references and are refused as text are tried as what YAML would read. */
export function parseReferred<T>(
  value: unknown,
  references: readonly Reference[],
  parse: (value: unknown) => Parsed<T>,
): ParsedReferred<T> {
  let current = value
  let parsed = parse(value)
  let left = references.filter(({ path, whole }) => whole && plainAt(value, path) !== undefined)
  // Of a place that was read as a number, what was said of its text: it quotes the value as one token.
  const said = new Map<string, Flaw>()
  while (!parsed.ok && left.length > 0) {
    const refused = new Map(parsed.problems.map((one) => [toPointer(one.path), one]))
    const tried = left.filter(({ path }) => refused.has(toPointer(path)))
    if (tried.length === 0) break
    for (const { path } of tried) {
      const place = toPointer(path)
      const first = refused.get(place)
      if (first !== undefined) said.set(place, first)
      current = withPlain(current, path)
    }
    left = left.filter((one) => !tried.includes(one))
    parsed = parse(current)
  }
  if (parsed.ok || said.size === 0) return { parsed, value: current }
  const problems = parsed.problems.map((one) => said.get(toPointer(one.path)) ?? one)
  return { parsed: refuse(problems), value: current }
}

/** The number or the flag that YAML 1.2 (core schema) reads in a plain scalar; undefined: it is text to YAML, too. */
export function readPlain(text: string): number | boolean | undefined {
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^[-+]?\d+$/.test(text) || /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) {
    return Number(text)
  }
  return /^0o[0-7]+$/.test(text) || /^0x[\da-fA-F]+$/.test(text) ? Number(text) : undefined
}

function plainAt(value: unknown, path: Path): number | boolean | undefined {
  const text = path.reduce<unknown>((found, step) => membersOf(found)?.[step], value)
  return typeof text === 'string' ? readPlain(text) : undefined
}

/** The same with the plain reading at `path`; only the maps and lists on the way are new ones. */
function withPlain(value: unknown, path: Path): unknown {
  const [step, ...rest] = path
  if (step === undefined) return typeof value === 'string' ? readPlain(value) : value
  if (Array.isArray(value)) {
    return value.map((item: unknown, at) => (at === step ? withPlain(item, rest) : item))
  }
  const members = Object.entries(membersOf(value) ?? {})
  return Object.fromEntries(
    members.map(([key, item]) => [key, key === step ? withPlain(item, rest) : item]),
  )
}

function membersOf(value: unknown): Readonly<Record<string | number, unknown>> | null {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string | number, unknown>>)
    : null
}

/** In place of a value that is not shown. */
export const HIDDEN = '(hidden)'
/** Shorter ones are found in any sentence; they stand in quotes, where messages quote them. */
const SHORTEST = 4

/**
 * A message about a value that references were put into, without them. A message quotes what it complains of, as one
 * token, shortened and escaped: what is quoted is hidden whole where the message is about a place that has a reference. A
 * long text is looked for in all of them.
 */
export function hideReferred(
  { message, path }: Flaw,
  { references = [], secrets = [] }: Referred,
): string {
  if (secrets.length === 0) return message
  const isAbout = references.length === 0 || refersAt({ references }, path)
  // From the first quote to the last: what stands between may have quotes of its own.
  let shown = isAbout ? message.replace(/".*"/s, HIDDEN) : message
  for (const secret of secrets) {
    const isText = secret.length >= SHORTEST && readPlain(secret) === undefined
    if (isText) shown = shown.replaceAll(secret, HIDDEN)
  }
  return shown
}

/** Whether a reference was put in at `path`, below it, or around it. */
export function refersAt({ references = [] }: Referred, path: Path): boolean {
  return references.some((one) => isBeside(one.path, path))
}

/** One of them is the other, or stands in it. */
function isBeside(a: Path, b: Path): boolean {
  const shared = Math.min(a.length, b.length)
  return a.slice(0, shared).every((step, at) => String(step) === String(b[at]))
}
