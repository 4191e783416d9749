/** Something about an object in force that does not keep it from being so: it does not do what it says, or nothing needs it. */
import { flaw, type Path } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { hideReferred } from '../../document/referred.ts'
import type { DeclaredObject, ObjectKind } from '../../providers/provider.ts'

export interface Finding {
  readonly of: {
    readonly kind: ObjectKind
    readonly id: string
    readonly source: string
    readonly declared: DeclaredObject
  }
  readonly level: 'warning' | 'hint'
  readonly message: string
  /** Within the object as it is written. */
  readonly path: Path
}

/** `locate`: where it stands in its source's text, where that is at hand. */
export function toProblem(
  { of: { kind, id, source, declared }, level, message, path }: Finding,
  locate: (
    object: DeclaredObject,
    path: Path,
  ) => { readonly line: number; readonly column: number } | null = () => null,
): Problem {
  const told = hideReferred(flaw(path, message), declared)
  const { line, column } = locate(declared, path) ?? declared
  const place = line === undefined ? {} : column === undefined ? { line } : { line, column }
  return { kind, id, level, message: told, source, key: declared.key, ...place }
}
