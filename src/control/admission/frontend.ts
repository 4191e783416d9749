/** A frontend as admission sees it: parsed by the model, its route by routing, its middlewares by their catalog. */
import { parseMiddleware } from '../../middleware/catalog.ts'
import { guardsOf, isToScheme } from '../../schema/middleware-forms.ts'
import { flaw, refuse } from '../../model/parsed.ts'
import type { Flaw, Parsed, Path } from '../../model/parsed.ts'
import { parseFrontend } from '../../schema/objects.ts'
import type { Frontend, MiddlewareSpec } from '../../model/snapshot.ts'
import { whyNever } from '../../routing/never.ts'
import { parseRoute } from '../../routing/parse.ts'
import { at, refusePredicate } from './backend.ts'

// There may be 100,000 of them: one shape with all members in line, and one empty list.
const none: readonly MiddlewareSpec[] = []

export function parseWholeFrontend(id: string, value: unknown): Parsed<Frontend> {
  const form = parseFrontend(id, value)
  if (!form.ok) return form
  const { route, priority, backend, passHost, paths, timeouts, retry, labels } = form.value

  const flaws: Flaw[] = []
  const expression = parseRoute(route)
  const never = expression.ok ? whyNever(expression.expression) : null
  if (!expression.ok) flaws.push(at(['route'], expression))
  if (never !== null) flaws.push(flaw(['route'], `can never hold: ${never}`))
  if (retry !== null) flaws.push(...refusePredicate(retry))
  const middlewares = form.value.middlewares.flatMap((spec, at) => {
    const parsed = parseMiddleware(spec)
    if (parsed.ok) return parsed.value
    const { message } = flaw([spec.kind], parsed.message)
    flaws.push({ message, path: [...placeOf(value, spec, at), ...(parsed.path ?? [])] })
    return []
  })
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

/** Where the middleware at `at` stands in the frontend: those of the list come after the guards, see middleware-forms.ts. */
function placeOf(value: unknown, { kind }: MiddlewareSpec, at: number): Path {
  const form = value as Readonly<Record<string, unknown>>
  const listed = form['middlewares']
  const guards = guardsOf(form as Parameters<typeof guardsOf>[0]).length
  const before = isToScheme('redirect', form['redirect']) ? guards + 1 : guards
  const inList = at - before
  return Array.isArray(listed) && inList >= 0 && inList < listed.length
    ? ['middlewares', inList]
    : [kind]
}
