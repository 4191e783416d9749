/** A middleware under a name of its own, as admission sees it: parsed by the model, its options by their catalog. */
import { parseMiddleware } from '../../middleware/catalog.ts'
import { parseMiddlewarePart } from '../../schema/middleware-part.ts'
import { refuseId, splitParts } from '../../model/names.ts'
import { type Parsed, flaw, refuse } from '../../model/parsed.ts'
import type { MiddlewareSpec } from '../../model/snapshot.ts'

export interface MiddlewarePart {
  readonly spec: MiddlewareSpec
  /** Lower is further out. */
  readonly priority: number
}

export function parseWholeMiddleware(id: string, value: unknown): Parsed<MiddlewarePart> {
  const [frontend, middleware] = splitParts(id)
  const refused = refuseId(frontend)
  if (refused !== null) return refuse([flaw([], refused)])
  const part = parseMiddlewarePart(middleware, value)
  if (!part.ok) return part
  const { spec, priority } = part.value
  const whole = parseMiddleware(spec)
  if (!whole.ok) return refuse([{ message: whole.message, path: whole.path ?? [] }])
  return { ok: true, value: { spec: whole.value, priority } }
}
