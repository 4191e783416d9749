/**
 * Frontends with equivalent routes: only the first in the order of routes ever takes a request. Each route text is parsed
 * once, so that a running table can afford it.
 */
import { expressionText, toAlternatives } from '../../routing/alternatives.ts'
import type { RouteOrder } from '../../model/settings.ts'
import type { RouteProtocol } from '../../routing/functions.ts'
import { parseRoute } from '../../routing/parse.ts'
import { orderKey } from '../../routing/table.ts'
import type { InForce } from '../admission/admit.ts'
import type { Diagnostic } from './diagnostic.ts'

type FrontendVersion = Extract<InForce, { kind: 'frontend' }>

export interface DuplicateRoutes {
  diagnostics(inForce: Iterable<InForce>): Diagnostic[]
}

export function createDuplicateRoutes(order: RouteOrder): DuplicateRoutes {
  let known = new Map<string, string>()
  return {
    diagnostics(inForce) {
      const texts = new Map<string, string>()
      const groups = new Map<string, FrontendVersion[]>()
      for (const one of inForce) {
        if (one.kind !== 'frontend') continue
        const { protocol, route } = one.object
        const key = `${protocol} ${route}`
        const text = known.get(key) ?? texts.get(key) ?? normalText(protocol, route)
        texts.set(key, text)
        const group = groups.get(text)
        if (group === undefined) groups.set(text, [one])
        else group.push(one)
      }
      known = texts
      return [...groups.values()].flatMap((group) => toDiagnostics(group, order))
    },
  }
}

function normalText(protocol: RouteProtocol, route: string): string {
  const parsed = parseRoute(route, protocol)
  return `${protocol} ${parsed.ok ? expressionText(toAlternatives(parsed.expression)) : route}`
}

function toDiagnostics(group: readonly FrontendVersion[], order: RouteOrder): Diagnostic[] {
  if (group.length === 1) return []
  const keyOf = ({ object: { protocol, route } }: FrontendVersion): string =>
    orderKey(protocol === 'http' ? order : 'specific', route)
  const [first, ...others] = group.toSorted((one, other) => {
    const [key, otherKey] = [keyOf(one), keyOf(other)]
    const byText = key === otherKey ? one.id < other.id : key > otherKey
    return priorityOf(other) - priorityOf(one) || (byText ? -1 : 1)
  })
  if (first === undefined) return []
  return others.map((other) => toDiagnostic(other, first, keyOf(other) === keyOf(first)))
}

function toDiagnostic(
  other: FrontendVersion,
  first: FrontendVersion,
  isSameText: boolean,
): Diagnostic {
  const [won, lost] = [priorityOf(first), priorityOf(other)]
  const byText = isSameText ? 'by its id, as all else is equal' : 'by the text of its route'
  const why = won === lost ? byText : `by priority ${won} over ${lost}`
  const what = other.object.protocol === 'tcp' ? 'connections' : 'requests'
  const message = `says the same as that of frontend "${first.id}", which takes all of its ${what}, ${why}`
  return { object: other, level: 'warning', path: ['route'], message }
}

function priorityOf({ object }: FrontendVersion): number {
  return object.priority ?? 0
}
