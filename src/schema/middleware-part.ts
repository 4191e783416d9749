/** A middleware with a key of its own, beside its frontend: `{ kind, priority, ...options }`. */
import { refuseId } from '../model/names.ts'
import { flaw, quote, refuse, type Parsed } from '../model/parsed.ts'
import type { MiddlewareSpec } from '../model/snapshot.ts'
import { parseMiddleware } from './middleware.ts'
import { parsePlainOptions } from './plain-options.ts'

export interface MiddlewarePart {
  readonly spec: MiddlewareSpec
  /** Lower is further out. */
  readonly priority: number
}

const MAX_PRIORITY = 1e9

/** `id` is the middleware's own, without its frontend's. */
export function parseMiddlewarePart(id: string, value: unknown): Parsed<MiddlewarePart> {
  const refused = refuseId(id)
  if (refused !== null) return refuse([flaw([], refused)])
  const form = parsePlainOptions(value)
  if (!form.ok) return refuse([flaw([], form.reason)])
  const { kind, priority = 0, ...options } = form.value
  if (typeof kind !== 'string' || kind === '') return refuse([flaw([], 'needs a kind')])
  if (!isPriority(priority)) {
    const wanted = `must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}`
    return refuse([flaw(['priority'], `${wanted}, not ${quote(priority)}`)])
  }
  const spec = parseMiddleware({ kind, options })
  return spec.ok ? { ok: true, value: { spec: spec.value, priority } } : spec
}

function isPriority(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_PRIORITY
}
