/**
 * Definitions of the same object by several instances, as five containers of one service have them. Equal ones are one object.
 * If they differ, the one of the instance that was created first is in force, and the others are reported: dropping the object,
 * as Traefik does, would make one wrong label of a new container an outage of all the old ones. A definition that can be read is
 * preferred to one that cannot, and options of a backend to none.
 */
import { isDeepStrictEqual } from 'node:util'
import { createNameMap } from '../../model/name-map.ts'
import { isMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import type { DeclaredObject } from '../provider.ts'
import type { Definition, Reading } from './definition.ts'
import type { LabelledObjects } from './labelled.ts'

const MAX_PROBLEMS = 100

/** `readings`: the oldest instance first. */
export function mergeReadings(readings: readonly Reading[]): LabelledObjects {
  const inForce = createNameMap<Definition>()
  const problems: Problem[] = []

  function settle(definition: Definition): void {
    const name = definition.object
    const before = inForce.get(name)
    if (before === undefined || (before.isDefault && !definition.isDefault)) {
      inForce.set(name, definition)
      return
    }
    if (before.text === definition.text || definition.isDefault) return
    const isBetter = isFaulty(before) && !isFaulty(definition)
    if (isBetter) inForce.set(name, definition)
    problems.push(isBetter ? describe(before, definition) : describe(definition, before))
  }

  for (const reading of readings) {
    problems.push(...reading.problems)
    reading.definitions.forEach(settle)
  }
  return { objects: inForce.values().map(({ object }) => object), problems: limited(problems) }
}

function isFaulty({ object }: Definition): boolean {
  return object.fault !== undefined
}

/** `left` is not in force, `winner` is. */
function describe({ object: left }: Definition, { object: winner }: Definition): Problem {
  const { kind, id, key, fault } = left
  const message =
    fault === undefined
      ? `${differenceOf(left, winner)} differs from that of ${winner.key}, which is older and in force`
      : `${fault}; the labels of ${winner.key} are in force`
  return { kind, id, message, source: '', key }
}

/** `its route`, or all that differs. */
function differenceOf({ value: one }: DeclaredObject, { value: other }: DeclaredObject): string {
  if (!isMap(one) || !isMap(other)) return 'it'
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  const found = names.filter((name) => !isDeepStrictEqual(one[name], other[name]))
  return found.length === 0 ? 'its name' : `its ${found.slice(0, 5).join(', ')}`
}

function limited(problems: readonly Problem[]): readonly Problem[] {
  const left = problems.length - MAX_PROBLEMS
  const next = problems[MAX_PROBLEMS]
  if (next === undefined) return problems
  const more = { ...next, kind: 'source', id: '', message: `and ${left} more problems` } as const
  return [...problems.slice(0, MAX_PROBLEMS), more]
}
