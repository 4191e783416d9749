/** A middleware under a key of its own, beside the frontend that it is for: `{ kind, priority, ...options }`. */
import { refuseId } from '../model/names.ts'
import { parseOptions } from '../model/options.ts'
import { flaw, quote, refuse, type Parsed } from '../model/parsed.ts'
import type { MiddlewareSpec } from '../model/snapshot.ts'

export interface MiddlewarePart {
  readonly spec: MiddlewareSpec
  /** The lower, the further out. 0 when it is not written. */
  readonly priority: number
}

const MAX_PRIORITY = 1e9

/** `id` is the middleware's own, without its frontend's. Its options are judged by the middleware catalog. */
export function parseMiddlewarePart(id: string, value: unknown): Parsed<MiddlewarePart> {
  const refused = refuseId(id)
  if (refused !== null) return refuse([flaw([], refused)])
  const form = parseOptions(value)
  if (!form.ok) return refuse([flaw([], form.reason)])
  const { kind, priority = 0, ...options } = form.value
  if (typeof kind !== 'string' || kind === '') return refuse([flaw([], 'needs a kind')])
  if (!isPriority(priority)) {
    const wanted = `must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}`
    return refuse([flaw(['priority'], `${wanted}, not ${quote(priority)}`)])
  }
  return { ok: true, value: { spec: { kind, options }, priority } }
}

function isPriority(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_PRIORITY
}
