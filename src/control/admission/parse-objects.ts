/**
 * Objects as admission parses them: by their schema, and the texts within them by the grammars of routing and policy. `read`
 * returns the text of a file that the object names.
 */
import { refuseId, refuseTableId, splitParts } from '../../model/names.ts'
import { flaw, refuse } from '../../model/parsed.ts'
import type { Flaw, Parsed, Path } from '../../model/parsed.ts'
import type {
  Backend,
  Frontend,
  Listener,
  MiddlewareSpec,
  Retry,
  Server,
} from '../../model/snapshot.ts'
import { parseCondition } from '../../policy/breaking/condition.ts'
import { parseRetryPredicate } from '../../policy/retrying/retry-predicate.ts'
import { whyNever } from '../../routing/unsatisfiable.ts'
import type { RouteProtocol } from '../../routing/functions.ts'
import { parseRoute } from '../../routing/parse.ts'
import { type MiddlewarePart, parseMiddlewarePart } from '../../schema/middleware-part.ts'
import { parseBackend, parseFrontend, parseListener } from '../../schema/objects.ts'
import { parseServer } from '../../schema/server.ts'

export type { MiddlewarePart }

export function parseWholeListener(
  id: string,
  value: unknown,
  read: (path: string) => string,
): Parsed<Listener> {
  const parsed = parseListener(id, value, read)
  if (!parsed.ok || parsed.value.scope === null) return parsed
  const flaws = expressionFlaws('scope', parsed.value.scope, 'http')
  return flaws.length === 0 ? parsed : refuse(flaws)
}

export function parseWholeBackend(
  id: string,
  value: unknown,
  read: (path: string) => string,
): Parsed<Backend> {
  const parsed = parseBackend(id, value, read)
  if (!parsed.ok) return parsed
  const { breaker, retry } = parsed.value
  const flaws = predicateFlaws(retry)
  const condition = breaker === null ? null : parseCondition(breaker.condition)
  if (condition !== null && !condition.ok) {
    flaws.push(textFlaw(['breaker', 'condition'], condition))
  }
  return flaws.length === 0 ? parsed : refuse(flaws)
}

/** A server with a key of its own, `backend/server`. */
export function parseServerPart(id: string, value: unknown): Parsed<Server> {
  const [backend, server] = splitParts(id)
  const refused = refuseTableId(backend)
  return refused === null ? parseServer(server, value) : refuse([flaw([], refused)])
}

// There may be 100,000 frontends: all have the same shape, and share one empty list.
const NO_MIDDLEWARES: readonly MiddlewareSpec[] = []

export function parseWholeFrontend(id: string, value: unknown): Parsed<Frontend> {
  const form = parseFrontend(id, value)
  if (!form.ok) {
    const { route, protocol } = Object(value) as {
      readonly route?: unknown
      readonly protocol?: unknown
    }
    if (typeof route !== 'string') return form
    return refuse([
      ...form.problems,
      ...expressionFlaws('route', route, protocol === 'tcp' ? 'tcp' : 'http'),
    ])
  }
  const { protocol, route, priority, backend, passHost, paths, timeouts, retry, labels } =
    form.value
  const { middlewares } = form.value
  const flaws = expressionFlaws('route', route, protocol)
  if (retry !== null) flaws.push(...predicateFlaws(retry))
  if (flaws.length > 0) return refuse(flaws)

  const chain = middlewares.length === 0 ? NO_MIDDLEWARES : middlewares
  return {
    ok: true,
    value: {
      id,
      protocol,
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

/** A middleware with a key of its own, `frontend/middleware`. */
export function parseWholeMiddleware(id: string, value: unknown): Parsed<MiddlewarePart> {
  const [frontend, middleware] = splitParts(id)
  const refused = refuseId(frontend)
  if (refused !== null) return refuse([flaw([], refused)])
  return parseMiddlewarePart(middleware, value)
}

/** Of the route expression in a member of an object. */
function expressionFlaws(member: 'route' | 'scope', text: string, protocol: RouteProtocol): Flaw[] {
  const parsed = parseRoute(text, protocol)
  if (!parsed.ok) return [textFlaw([member], parsed)]
  const never = whyNever(parsed.expression)
  return never === null ? [] : [flaw([member], `can never hold: ${never}`)]
}

function predicateFlaws({ when }: Retry): Flaw[] {
  const predicate = when === null ? null : parseRetryPredicate(when)
  return predicate === null || predicate.ok ? [] : [textFlaw(['retry', 'when'], predicate)]
}

/** `position` counts from 0; messages count from 1. */
function textFlaw(
  path: Path,
  { message, position }: { readonly message: string; readonly position: number },
): Flaw {
  return flaw(path, `${message} (at character ${position + 1})`)
}
