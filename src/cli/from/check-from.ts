/**
 * `sluice check --from WHAT [FILE]`: what of another proxy's configuration Sluice would do. WHAT is a kind of source (docker,
 * consul), the name of a source in FILE, or a file of another proxy. Nothing comes into force.
 */
import { messageOf } from '../../model/error-message.ts'
import type { Problem } from '../../model/problem.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import { countRows, type Row, summaryOf, toRows } from './rows.ts'
import { toTable } from './table.ts'

export interface Declared {
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
}

export interface FromWorld {
  /** Throws with the reason if it cannot be read. */
  readonly read: (from: string) => Promise<Declared>
  /** Admission and review. */
  readonly check: (objects: readonly DeclaredObject[]) => {
    readonly problems: readonly Problem[]
    readonly inForce: ReadonlySet<string>
  }
  /** Whether a configuration is known, whose listeners are those that routes may name. */
  readonly hasConfig: boolean
  readonly print: (line: string) => void
  /** Of the terminal; null: there is none. */
  readonly columns: number | null
}

/** Returns the exit code: 0 if all of it maps. */
export async function checkFrom(from: string, world: FromWorld): Promise<0 | 1> {
  const { read, check, print, columns } = world
  let declared: Declared
  try {
    declared = await read(from)
  } catch (error) {
    print(`${from}: ${messageOf(error)}`)
    return 1
  }
  const { problems, inForce } = check(declared.objects)
  const all = [...declared.problems, ...problems.filter(isAboutKnown(declared.problems))]
  const rows = [
    ...toRows(declared.objects, all, inForce),
    ...(world.hasConfig ? [] : listenersOf(declared.objects)),
  ]
  for (const line of toTable(rows, columns)) print(line)
  const counts = countRows(rows)
  print(`${from}: ${summaryOf(counts)}`)
  return counts.differs + counts['not there'] > 0 ? 1 : 0
}

/** A server that is only a note, because a file does not say all about it, is a server of its backend. */
function isAboutKnown(notes: readonly Problem[]): (problem: Problem) => boolean {
  const served = new Set(
    notes.filter(({ kind }) => kind === 'server').map(({ id }) => id.split('/', 1)[0]),
  )
  return ({ id, code }) => !(code === 'no-servers' && served.has(id))
}

/** Entry points are listeners, which the configuration has to have. */
function listenersOf(objects: readonly DeclaredObject[]): readonly Row[] {
  const named = new Set<string>()
  for (const { value } of objects) {
    const { route } = Object(value) as { readonly route?: unknown }
    if (typeof route !== 'string') continue
    for (const [, id = ''] of route.matchAll(/\bListener\("([^"]*)"\)/g)) named.add(id)
  }
  return [...named].sort().map((id) => ({
    ...{ verdict: 'note', place: `listener ${id}` },
    text: 'routes name it, so the configuration needs a listener with this id',
  }))
}
