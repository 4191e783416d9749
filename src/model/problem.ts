/** What is wrong with a declaration: which object, why, and where it is. A problem is shown, never thrown. */
import type { ObjectKind } from './names.ts'

export interface Problem {
  /** `file` or `source`: a whole source; `settings`: what is fixed at start. */
  readonly kind: ObjectKind | 'file' | 'source' | 'settings'
  /** Without it the object is not in force as it is written. A warning: it is, and does not do what it says; a hint: nothing needs it. */
  readonly level?: 'warning' | 'hint'
  /** The object's id, or '' when there is none. */
  readonly id: string
  /** What could not be done, why, and what would help. */
  readonly message: string
  /** Where it came from, `file`; and its key or path there, `/etc/sluice.yaml`. */
  readonly source: string
  readonly key: string
  /** From 1, where the source is text. */
  readonly line?: number
  readonly column?: number
}

/** In one line, with its place: `routes.yaml: is not valid YAML (line 3, column 1)`. */
export function describeProblem({ kind, id, key, line, column, message }: Problem): string {
  const position =
    line === undefined ? '' : ` (line ${line}${column === undefined ? '' : `, column ${column}`})`
  const what = id === '' ? key : `${kind} "${id}"`
  return `${what}: ${message}${position}`
}
