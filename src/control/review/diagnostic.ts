/** A probable mistake in an object that is in force all the same. Level `warning`: it does not work as declared; `hint`: it is not used. */
import { flaw, type Path } from '../../model/parsed.ts'
import type { Problem, ProblemCode } from '../../model/problem.ts'
import { hideReferred } from '../../document/referred.ts'
import type { ObjectKind } from '../../model/names.ts'
import type { DeclaredObject } from '../../providers/provider.ts'

export interface Diagnostic {
  readonly object: {
    readonly kind: ObjectKind
    readonly id: string
    readonly source: string
    readonly declared: DeclaredObject
  }
  readonly level: 'warning' | 'hint'
  readonly message: string
  readonly code?: ProblemCode
  /** Within the declared object. */
  readonly path: Path
}

/** `locate` gives the position in the source's text, if that is available. */
export function toProblem(
  { object: { kind, id, source, declared }, level, message, code, path }: Diagnostic,
  locate: (
    object: DeclaredObject,
    path: Path,
  ) => { readonly line: number; readonly column: number } | null = () => null,
): Problem {
  const shown = hideReferred(flaw(path, message), declared)
  const { line, column } = locate(declared, path) ?? declared
  const position = line === undefined ? {} : column === undefined ? { line } : { line, column }
  const coded = code === undefined ? {} : { code }
  return { kind, id, level, message: shown, ...coded, source, key: declared.key, ...position }
}
