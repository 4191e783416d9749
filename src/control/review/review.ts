/**
 * What is in force and yet hardly meant, for `sluice check`: routes that no request reaches, certificates that end,
 * templates that are sent as they are, and objects that nothing needs. Each finding is certain; not everything is found.
 */
import { isTerminal } from '../../middleware/catalog.ts'
import type { Frontend } from '../../model/snapshot.ts'
import type { DeclaredObject } from '../../providers/provider.ts'
import type { Expression } from '../../routing/expression.ts'
import { parseRoute } from '../../routing/parse.ts'
import { findShadowed, type Shadowed } from '../../routing/shadow.ts'
import type { InForce } from '../admission/admit.ts'
import { createCertificateDates } from './certificates.ts'
import type { Finding } from './finding.ts'
import { findLiteralTemplates } from './literal-templates.ts'
import { createSameRoutes } from './same-routes.ts'

export interface ReviewWorld {
  /** As admission gives it. */
  readonly inForce: readonly InForce[]
  /** All that is declared, also what is set aside. */
  readonly declared: readonly DeclaredObject[]
  /** Nothing else declares objects, so that what nothing here needs is not needed. */
  readonly isAll: boolean
  /** ms since the epoch. */
  readonly now: number
}

type Of<Kind extends InForce['kind']> = Extract<InForce, { kind: Kind }>

export function review({ inForce, declared, isAll, now }: ReviewWorld): readonly Finding[] {
  const frontends = inForce.filter((one): one is Of<'frontend'> => one.kind === 'frontend')
  return [
    ...createSameRoutes().findings(inForce),
    ...unreachable(frontends),
    ...createCertificateDates().findings(inForce, now),
    ...inForce.flatMap(literalTemplates),
    ...frontends.flatMap(behindAnswer),
    ...(isAll ? [...unknownListeners(frontends, inForce), ...unused(inForce, declared)] : []),
  ]
}

// Routes.

function unreachable(frontends: readonly Of<'frontend'>[]): Finding[] {
  const byId = new Map(frontends.map((one) => [one.id, one]))
  const routes = frontends.flatMap(({ id, object: { route, priority } }) => {
    const parsed = parseRoute(route)
    return parsed.ok ? { id, expression: parsed.expression, priority: priority ?? 0 } : []
  })
  return findShadowed(routes).flatMap((shadowed) => {
    const of = byId.get(shadowed.id)
    if (of === undefined || shadowed.isSame) return []
    return { of, level: 'warning', path: ['route'], message: wordsOf(shadowed, byId) }
  })
}

function wordsOf(
  { id, by, because }: Shadowed,
  byId: ReadonlyMap<string, { readonly object: Frontend }>,
): string {
  const [first = '', ...more] = by.map((one) => `"${one}"`)
  const others = more.length > 2 ? [...more.slice(0, 2), 'others'] : more
  const names = [first, ...others].join(' and ')
  const [are, take] = more.length > 0 ? ['frontends', 'take'] : ['frontend', 'takes']
  const priorityOf = (one: string): number => byId.get(one)?.object.priority ?? 0
  const why = {
    priority: `by priority ${priorityOf(by[0] ?? '')} over ${priorityOf(id)}`,
    host: 'by the more specific host',
    path: 'by the more specific path',
    terms: 'by the more conditions',
    id: 'by its id, as all else is equal',
  }[because]
  return `is never reached: ${are} ${names} ${take} all of its requests first, ${why}`
}

function unknownListeners(
  frontends: readonly Of<'frontend'>[],
  inForce: readonly InForce[],
): Finding[] {
  const known = new Set(inForce.flatMap(({ kind, id }) => (kind === 'listener' ? id : [])))
  return frontends.flatMap((of) => {
    if (!of.object.route.includes('Listener')) return []
    const parsed = parseRoute(of.object.route)
    const named = parsed.ok ? listenersIn(parsed.expression) : []
    return named
      .filter((id) => !known.has(id))
      .map((id) => ({
        of,
        level: 'warning' as const,
        path: ['route'],
        message: `names the listener "${id}", which is not declared`,
      }))
  })
}

function listenersIn(expression: Expression): string[] {
  if (expression.kind === 'not') return listenersIn(expression.term)
  if (expression.kind !== 'term') return expression.terms.flatMap(listenersIn)
  return expression.subject === 'listener' ? expression.values.map(({ text }) => text) : []
}

// Texts.

function literalTemplates(of: InForce): Finding[] {
  return findLiteralTemplates(of.kind, of.declared.value).map(({ path, template }) => ({
    of,
    level: 'warning',
    path,
    message: `"${template}" is sent as it is: ${
      path.at(-1) === 'to'
        ? 'a redirect knows {scheme}, {host}, {port}, {path}, {query} and {uri}'
        : 'there are no placeholders here'
    }`,
  }))
}

// What nothing needs.

/** Middlewares of the list that stand behind one that always answers. */
function behindAnswer(of: Of<'frontend'>): Finding[] {
  const { middlewares } = of.object
  const answer = middlewares.findIndex(isTerminal)
  if (answer < 0) return []
  return middlewares.slice(answer + 1).map(({ kind }) => ({
    of,
    level: 'hint',
    path: ['middlewares'],
    message: `the middleware ${kind} stands behind ${middlewares[answer]?.kind}, which answers every request`,
  }))
}

function unused(inForce: readonly InForce[], declared: readonly DeclaredObject[]): Finding[] {
  const named = new Set<string>()
  for (const { kind, value } of declared) {
    if (kind === 'frontend' || kind === 'middleware') collectNamed(value, named)
  }
  const isSecure = inForce.some((one) => one.kind === 'listener' && one.object.tls !== null)
  return inForce.flatMap((of): Finding[] => {
    const hint = (message: string): Finding[] => [{ of, level: 'hint', path: [], message }]
    if (of.kind === 'host' && !isSecure) return hint('is not used: there is no https listener')
    if (of.kind !== 'backend') return []
    if (!named.has(of.id)) return hint('is not used: no frontend names it')
    return of.object.servers.length === 0 ? hint('has no servers: it answers 503') : []
  })
}

/** All that is written under `backend`, however deep: a frontend that is set aside names its backend, too. */
function collectNamed(value: unknown, named: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'backend' && typeof inner === 'string') named.add(inner.replace(/@file$/, ''))
    else collectNamed(inner, named)
  }
}
