/**
 * Frontends whose routes say the same: only the first in the order of routes ever takes a request. Cheap enough for a
 * running table, as each text of a route is read once.
 */
import { expressionText, toAlternatives } from '../../routing/alternatives.ts'
import { parseRoute } from '../../routing/parse.ts'
import type { InForce } from '../admission/admit.ts'
import type { Finding } from './finding.ts'

type OfFrontend = Extract<InForce, { kind: 'frontend' }>

export interface SameRoutes {
  findings(inForce: Iterable<InForce>): Finding[]
}

export function createSameRoutes(): SameRoutes {
  let known = new Map<string, string>()
  return {
    findings(inForce) {
      const texts = new Map<string, string>()
      const groups = new Map<string, OfFrontend[]>()
      for (const one of inForce) {
        if (one.kind !== 'frontend') continue
        const { route } = one.object
        const text = known.get(route) ?? texts.get(route) ?? normalText(route)
        texts.set(route, text)
        const group = groups.get(text)
        if (group === undefined) groups.set(text, [one])
        else group.push(one)
      }
      known = texts
      return [...groups.values()].flatMap(toFindings)
    },
  }
}

function normalText(route: string): string {
  const parsed = parseRoute(route)
  return parsed.ok ? expressionText(toAlternatives(parsed.expression)) : route
}

function toFindings(group: readonly OfFrontend[]): Finding[] {
  if (group.length === 1) return []
  const [first, ...others] = group.toSorted(
    (one, other) => priorityOf(other) - priorityOf(one) || (one.id < other.id ? -1 : 1),
  )
  return first === undefined ? [] : others.map((of) => toFinding(of, first))
}

function toFinding(of: OfFrontend, first: OfFrontend): Finding {
  const [won, lost] = [priorityOf(first), priorityOf(of)]
  const why = won === lost ? 'by its id, as all else is equal' : `by priority ${won} over ${lost}`
  const message = `says the same as that of frontend "${first.id}", which takes all of its requests, ${why}`
  return { of, level: 'warning', path: ['route'], message }
}

function priorityOf({ object }: OfFrontend): number {
  return object.priority ?? 0
}
