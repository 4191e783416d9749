/** A frontend as admission sees it: parsed by the model, its route by routing, its middlewares by their catalog. */
import { parseMiddleware } from '../middleware/catalog.ts'
import { flaw, refuse } from '../model/parsed.ts'
import type { Flaw, Parsed } from '../model/parsed.ts'
import { parseFrontend } from '../model/schema.ts'
import type { Frontend, MiddlewareSpec } from '../model/snapshot.ts'
import { parseRoute } from '../routing/parse.ts'
import { at, refusePredicate } from './backend.ts'

// There may be 100,000 of them: one shape with all members in line, and one empty list.
const none: readonly MiddlewareSpec[] = []

export function parseWholeFrontend(id: string, value: unknown): Parsed<Frontend> {
  const form = parseFrontend(id, value)
  if (!form.ok) return form
  const { route, priority, backend, passHost, timeouts, retry, labels } = form.value

  const flaws: Flaw[] = []
  const expression = parseRoute(route)
  if (!expression.ok) flaws.push(at(['route'], expression))
  if (retry !== null) flaws.push(...refusePredicate(retry))
  const middlewares = form.value.middlewares.flatMap((spec) => {
    const parsed = parseMiddleware(spec)
    if (parsed.ok) return parsed.value
    flaws.push(flaw([spec.kind], parsed.message))
    return []
  })
  if (flaws.length > 0) return refuse(flaws)

  const chain = middlewares.length === 0 ? none : middlewares
  return {
    ok: true,
    value: { id, route, priority, backend, passHost, timeouts, retry, middlewares: chain, labels },
  }
}

/** Nothing behind it is ever asked. */
export function answersItself({ kind }: MiddlewareSpec): boolean {
  return kind === 'respond' || kind === 'redirect'
}
