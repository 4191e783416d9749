/**
 * What every parser of declarations answers: the total value, or what is wrong with it and where inside the object. A
 * message names its place by itself, so that it also helps where there is no line to point at (a registry's key).
 */
export type Path = readonly (string | number)[]

export interface Flaw {
  readonly message: string
  /** From the object down: `['timeouts', 'head']`. */
  readonly path: Path
  /** What a parser threw: a fault of ours, and none of who wrote the object. */
  readonly thrown?: unknown
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Flaw[] }

/** What the parser of one value returns: the value, or why not, as the end of a sentence that begins with its place. */
export type Scalar<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

export function good<T>(value: T): Scalar<T> {
  return { ok: true, value }
}

export function bad(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}

/** A hostile object could make as many flaws as it has keys; nobody reads more than these. */
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
  return { message: path.length === 0 ? what : `${path.map(nameStep).join('.')}: ${what}`, path }
}

/** Keys are hostile, too. */
function nameStep(step: string | number): string {
  return typeof step === 'number' || /^[\w.@:-]{1,128}$/.test(step) ? String(step) : quote(step)
}

/** Hostile input, short, on one line and without anything that a terminal obeys. */
export function quote(value: unknown): string {
  if (value === null) return 'nothing'
  if (typeof value === 'string') {
    return escapeControls(JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value))
  }
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return escapeControls(String(value))
}

// Controls, line separators, and the marks that turn the direction of writing.
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
