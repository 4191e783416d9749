/**
 * The results of parsers of declarations: the total value, or its flaws with their places in the object. A message names its
 * place itself, because a value in a registry has no line to point at.
 */
import { HIDDEN, holdsPrivateKey, withoutSecret } from './secrets.ts'

export type Path = readonly (string | number)[]

export interface Flaw {
  readonly message: string
  /** From the object down: `['timeouts', 'head']`. */
  readonly path: Path
  /** What a parser threw: a fault of Sluice, not of the object's author. */
  readonly thrown?: unknown
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Flaw[] }

/** A value of JSON or YAML that is neither a list nor a scalar. */
export interface JsonMap {
  readonly [key: string]: unknown
}

export function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The result of the parser of one value: the value, or the reason, which completes a sentence that begins with its place. */
export type Scalar<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

export function good<T>(value: T): Scalar<T> {
  return { ok: true, value }
}

export function bad(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}

/** A hostile object could have as many flaws as keys; more than these help no reader. */
const MAX_FLAWS = 20

export function refuse(flaws: readonly Flaw[]): { ok: false; problems: readonly Flaw[] } {
  if (flaws.length <= MAX_FLAWS) return { ok: false, problems: flaws }
  const left = flaws.length - MAX_FLAWS
  return {
    ok: false,
    problems: [...flaws.slice(0, MAX_FLAWS), { message: `and ${left} more problems`, path: [] }],
  }
}

/** `what` about the place `path`. */
export function flaw(path: Path, what: string): Flaw {
  const shown = withoutSecret(path, what)
  return { message: path.length === 0 ? shown : `${path.map(nameStep).join('.')}: ${shown}`, path }
}

/** Keys are hostile input, too. */
function nameStep(step: string | number): string {
  return typeof step === 'number' || /^[\w.@:-]{1,128}$/.test(step) ? String(step) : quote(step)
}

/** Hostile input for a message: short, on one line, without control characters for a terminal, and no private key. */
export function quote(value: unknown): string {
  if (value === null) return 'nothing'
  if (typeof value === 'string') {
    if (holdsPrivateKey(value)) return HIDDEN
    return escapeControls(JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value))
  }
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return escapeControls(String(value))
}

// Control characters, line separators, and marks that change the direction of text.
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
