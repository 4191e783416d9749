/** `sluice import vulcand`: what Sluice makes of vulcand's objects, row by row, and on request a file with them. */
import { countRows, summaryOf, toRows } from '../from/rows.ts'
import { toTable } from '../from/table.ts'
import { messageOf } from '../../model/error-message.ts'
import { splitParts } from '../../model/names.ts'
import { isMap, quote } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { describeClosed } from '../../providers/fail-closed.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { compareWithVulcand } from './compare.ts'
import { toFile } from './file.ts'
import type { ImportCommand, ImportFrom } from './words.ts'

export interface Declared {
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
}

export interface ImportWorld {
  /** Throws with the reason if it cannot be read. */
  readonly read: (from: ImportFrom, sealKey: string | null) => Promise<Declared>
  /** Admission and review. */
  readonly check: (objects: readonly DeclaredObject[]) => {
    readonly problems: readonly Problem[]
    readonly inForce: ReadonlySet<string>
  }
  /** Throws with the reason; a file that exists stays as it is. */
  readonly write: (path: string, text: string) => void
  readonly print: (line: string) => void
  readonly complain: (line: string) => void
  /** Of the terminal; null: there is none. */
  readonly columns: number | null
}

/** Returns the exit code: 0 if all means the same, 1 if something differs, 2 if it could not be read or written. */
export async function importVulcand(
  command: ImportCommand,
  world: ImportWorld,
): Promise<0 | 1 | 2> {
  const { from, sealKey, json, write } = command
  const { print, complain } = world
  let declared: Declared
  try {
    declared = await world.read(from, sealKey)
  } catch (error) {
    complain(`sluice: cannot read ${placeOf(from)}: ${messageOf(error)}`)
    return 2
  }
  const { objects } = declared
  const { problems, inForce } = world.check(objects)
  const all = [...declared.problems, ...problems.map(ofOneServer), ...withoutBackend(objects)]
  const rows = [...toRows(objects, all, inForce), ...compareWithVulcand(objects, inForce)]
  const counts = countRows(rows)
  if (json) {
    print(JSON.stringify({ from: placeOf(from), counts, rows }, null, 2))
  } else {
    for (const line of toTable(rows, world.columns)) print(line)
    print(`${placeOf(from)}: ${summaryOf(counts)}`)
  }
  if (write !== null) {
    try {
      world.write(write, toFile(objects, all, inForce, write.endsWith('.json')))
    } catch (error) {
      complain(`sluice: cannot write ${write}: ${messageOf(error)}`)
      return 2
    }
    if (!json) print(`${write}: written; sluice check ${write} checks it`)
  }
  return counts.differs + counts['not there'] > 0 ? 1 : 0
}

/** Two servers of one URL are one, as in vulcand. */
function ofOneServer(problem: Problem): Problem {
  return problem.code === 'same-url'
    ? { ...problem, level: 'hint', message: `${problem.message}, as in vulcand` }
    : problem
}

/** The tree is all there is, so that a backend that is not in it does not exist. */
function withoutBackend(objects: readonly DeclaredObject[]): readonly Problem[] {
  const backends = new Set(
    objects.flatMap(({ kind, id }) => {
      // A server alone makes its backend.
      if (kind === 'server') return [splitParts(id)[0]]
      return kind === 'backend' ? [id] : []
    }),
  )
  return objects.flatMap(({ kind, id, key, value }): Problem[] => {
    const backend = kind === 'frontend' && isMap(value) ? value['backend'] : undefined
    if (typeof backend !== 'string' || backends.has(backend)) return []
    const message = describeClosed(`there is no backend ${quote(backend)}; vulcand does not start`)
    return [{ kind, id, key, source: 'vulcand', message, code: 'closed' }]
  })
}

function placeOf(from: ImportFrom): string {
  switch (from.kind) {
    case 'etcd':
      return `${from.prefix} in etcd`
    case 'api':
      return from.url
    case 'dump':
      return from.path
    default:
      return from satisfies never
  }
}
