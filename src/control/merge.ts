/**
 * Several sources into one set. The order of the list is the precedence: an object that two sources declare is the
 * earlier one's, and the later one's is a problem that names the earlier.
 */
import type { Problem } from '../model/problem.ts'
import type { Declaration, DeclaredObject } from '../providers/provider.ts'

export interface SourceDeclaration {
  readonly source: string
  readonly declaration: Declaration
}

/** What is left of one source. */
export interface MergedPart {
  readonly source: string
  readonly revision: string
  readonly objects: readonly DeclaredObject[]
  readonly locate: Declaration['locate']
}

export interface Merged {
  readonly parts: readonly MergedPart[]
  readonly problems: readonly Problem[]
}

export function mergeDeclarations(sources: readonly SourceDeclaration[]): Merged {
  const owners = {
    listener: new Map<string, string>(),
    backend: new Map<string, string>(),
    frontend: new Map<string, string>(),
  }
  const problems: Problem[] = []

  const parts = sources.map(({ source, declaration }): MergedPart => {
    problems.push(...declaration.problems)
    // Nothing to settle within one source: its ids are keys there.
    if (sources.length === 1) return toPart(source, declaration, declaration.objects)
    const objects = declaration.objects.filter((object) => {
      const owner = owners[object.kind].get(object.id)
      if (owner === undefined) {
        owners[object.kind].set(object.id, source)
        return true
      }
      problems.push(conflict(object, source, owner))
      return false
    })
    return toPart(source, declaration, objects)
  })
  return { parts, problems }
}

function toPart(
  source: string,
  { revision, locate }: Declaration,
  objects: readonly DeclaredObject[],
): MergedPart {
  return { source, revision, objects, locate }
}

function conflict(object: DeclaredObject, source: string, owner: string): Problem {
  const { kind, id, key, line, column } = object
  return {
    kind,
    id,
    message: `${kind} "${id}" is ignored: source "${owner}" already declares it; rename one of them`,
    source,
    key,
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  }
}
