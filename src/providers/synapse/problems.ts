/** The notes on a configuration as problems, with their places in its files. */
import type { Problem } from '../../model/problem.ts'
import { toPointer } from '../../document/tree.ts'
import type { Note } from './form.ts'
import type { SynapsePlan } from './plan.ts'
import type { SynapseConfig } from './read-config.ts'

/** What a running program shows; hints are for `sluice check` alone. */
export function planProblems({ notes }: SynapsePlan, config: SynapseConfig): readonly Problem[] {
  return notes.filter(({ level }) => level !== 'hint').map((note) => noteProblem(note, config))
}

export function noteProblem(
  { level, service, message, path }: Note,
  { locate }: SynapseConfig,
): Problem {
  const { file, line, column } = locate(path)
  return {
    kind: service === '' ? 'source' : 'backend',
    ...(level === 'error' ? {} : { level }),
    id: service,
    message,
    source: '',
    key: `${file}#${toPointer(path)}`,
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  }
}
