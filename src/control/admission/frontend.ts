/** A frontend as admission sees it: parsed by its schema, its route by routing. */
import { flaw, refuse } from '../../model/parsed.ts'
import type { Flaw, Parsed } from '../../model/parsed.ts'
import { parseFrontend } from '../../schema/objects.ts'
import type { Frontend, MiddlewareSpec } from '../../model/snapshot.ts'
import { whyNever } from '../../routing/never.ts'
import { parseRoute } from '../../routing/parse.ts'
import { at, refusePredicate } from './backend.ts'

// There may be 100,000 of them: one shape with all members in line, and one empty list.
const none: readonly MiddlewareSpec[] = []

export function parseWholeFrontend(id: string, value: unknown): Parsed<Frontend> {
  const form = parseFrontend(id, value)
  if (!form.ok) {
    const { route } = Object(value) as { readonly route?: unknown }
    return typeof route === 'string' ? refuse([...form.problems, ...refuseRoute(route)]) : form
  }
  const { route, priority, backend, passHost, paths, timeouts, retry, middlewares, labels } =
    form.value
  const flaws = refuseRoute(route)
  if (retry !== null) flaws.push(...refusePredicate(retry))
  if (flaws.length > 0) return refuse(flaws)

  const chain = middlewares.length === 0 ? none : middlewares
  return {
    ok: true,
    value: {
      id,
      route,
      priority,
      backend,
      passHost,
      paths,
      timeouts,
      retry,
      middlewares: chain,
      labels,
    },
  }
}

function refuseRoute(route: string): Flaw[] {
  const parsed = parseRoute(route)
  if (!parsed.ok) return [at(['route'], parsed)]
  const never = whyNever(parsed.expression)
  return never === null ? [] : [flaw(['route'], `can never hold: ${never}`)]
}
