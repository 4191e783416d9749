/**
 * `sluice check --synapse FILE`: what `serve --synapse FILE` does with a configuration, without reading the registries that it
 * names. Each line of HAProxy that has no counterpart, or is not needed, is reported with its place.
 */
import { checkSource } from '../control/review/check-source.ts'
import { messageOf } from '../model/error-message.ts'
import type { Problem } from '../model/problem.ts'
import type { DeclaredObject } from '../providers/provider.ts'
import { declareService } from '../providers/synapse/declare.ts'
import type { Note } from '../providers/synapse/form.ts'
import { isFrontrunner, readFrontrunner } from '../providers/synapse/frontrunner.ts'
import { planSynapse } from '../providers/synapse/plan.ts'
import { noteProblem } from '../providers/synapse/problems.ts'
import { readSynapseConfig, type SynapseConfig } from '../providers/synapse/read-config.ts'
import { inventory, printReport } from './check.ts'

/** Nothing is known of any registry. */
const WORLD = { stateOf: () => null, isLost: () => false, previousOf: () => null }

/** Returns the exit code: 0 if there are hints at most. */
export function checkSynapse(path: string, print: (line: string) => void): 0 | 1 {
  let config: SynapseConfig
  try {
    config = readSynapseConfig(path)
  } catch (error) {
    print(messageOf(error))
    return 1
  }
  let checked: { readonly notes: readonly Note[]; readonly objects: readonly DeclaredObject[] }
  try {
    checked = check(config)
  } catch (error) {
    print(`${path}: ${messageOf(error)}`)
    return 1
  }
  const { notes, objects } = checked
  const admitted = checkSource('synapse', objects, path, null).problems.filter(isAboutFile)
  const problems = [...notes.map((note) => noteProblem(note, config)), ...admitted]
  const fileOf = ({ key }: Problem): string =>
    key.includes('#') ? key.slice(0, key.indexOf('#')) : path
  return printReport(path, problems, inventory(objects), print, fileOf)
}

function check({ root }: SynapseConfig): {
  readonly notes: readonly Note[]
  readonly objects: readonly DeclaredObject[]
} {
  if (isFrontrunner(root)) return { notes: readFrontrunner(root).notes, objects: [] }
  const { notes, services } = planSynapse(root)
  return { notes, objects: services.flatMap((one) => declareService(one, WORLD).objects) }
}

/** Servers are in registries, and frontends may be in another file. */
function isAboutFile({ level }: Problem): boolean {
  return level !== 'hint'
}
