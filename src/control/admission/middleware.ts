/** A middleware under a key of its own, as admission sees it. */
import { type MiddlewarePart, parseMiddlewarePart } from '../../schema/middleware-part.ts'
import { refuseId, splitParts } from '../../model/names.ts'
import { type Parsed, flaw, refuse } from '../../model/parsed.ts'

export type { MiddlewarePart }

export function parseWholeMiddleware(id: string, value: unknown): Parsed<MiddlewarePart> {
  const [frontend, middleware] = splitParts(id)
  const refused = refuseId(frontend)
  if (refused !== null) return refuse([flaw([], refused)])
  return parseMiddlewarePart(middleware, value)
}
