/** Routes that fail closed: their requests get 503 instead of going to a broader route, or past a guard that is missing. */
import { hash } from 'node:crypto'
import { refuseId, type ObjectName } from '../model/names.ts'

/** What replaces an object whose `value` is rejected: a route or a middleware that responds with 503. */
export interface FailClosed {
  /** The first of these that is admitted is in force. */
  readonly values: readonly unknown[]
  /**
   * After which version it comes. An earlier version of a route may lack a new guard, so the closed route replaces it
   * (`value`). An earlier version of a guard still guards, so it stays (`last-good`).
   */
  readonly after: 'value' | 'last-good'
}

/** Options of the middleware `respond`. */
export const CLOSED_RESPONSE: { readonly status: number; readonly body: string } = {
  status: 503,
  body: 'This route is closed.\n',
}

/** A valid name for an object that fails closed: a hash replaces an id that no object can have. */
export function nameClosed({ kind, id }: ObjectName): ObjectName {
  const parts = id.split('/')
  const named = kind === 'middleware' ? [parts[0] ?? '', parts.slice(1).join('/')] : [id]
  return { kind, id: named.map(nameOrHash).join('/') }
}

function nameOrHash(id: string): string {
  return refuseId(id) === null ? id : `closed-${hash('sha256', id, 'hex').slice(0, 16)}`
}

const IS_CLOSED = 'is closed, requests get 503: '

export function describeClosed(reason: string): string {
  return IS_CLOSED + reason
}

/** Whether a remark of an object is of `describeClosed`. */
export function isDescriptionOfClosed(remark: string): boolean {
  return remark.startsWith(IS_CLOSED)
}
