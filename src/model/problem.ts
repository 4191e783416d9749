/** What is wrong with a declaration: which object, why, and where it is. A problem is shown, never thrown. */
import type { ObjectKind } from './names.ts'

/** For programs that tell problems apart; the message is for people. */
export type ProblemCode =
  /** Clients of the object get 503, or none is let in. */
  | 'closed'
  /** Another server of the backend has its URL. */
  | 'same-url'
  /** No server of the backend is declared. */
  | 'no-servers'

export interface Problem {
  /** `file` or `source`: a whole source; `settings`: what is fixed at start. */
  readonly kind: ObjectKind | 'file' | 'source' | 'settings'
  /** Missing: the object is not in force as written. Warning: it is in force but does not do what it says. Hint: nothing needs it. */
  readonly level?: 'warning' | 'hint'
  /** The object's id, or '' when there is none. */
  readonly id: string
  /** What cannot be done, why, and what helps. */
  readonly message: string
  readonly code?: ProblemCode
  /** The source (`file`), and the key or path there (`/etc/sluice.yaml`). */
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
