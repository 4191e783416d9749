/** A route that cannot be honoured as its source means it, and must not be left to a broader one: it answers 503. */
import { hash } from 'node:crypto'
import { refuseId } from '../model/names.ts'
import type { ObjectName } from './provider.ts'

/** What is in force where an object's `value` cannot be: a route, or a middleware, that answers 503. */
export interface Closed {
  /** The first of these that can be. */
  readonly values: readonly unknown[]
  /**
   * An earlier version of a route may lack the guard that the new one has, so that the closed one goes before it. An
   * earlier version of a guard still guards: with `last-good` it stays.
   */
  readonly after: 'value' | 'last-good'
}

/** Of the middleware `respond`, in the form of our own file. */
export const closedAnswer: { readonly status: number; readonly body: string } = {
  status: 503,
  body: 'This route is closed.\n',
}

/** Where its own name is none that an object can have: a route that is closed needs one all the same. */
export function nameClosed({ kind, id }: ObjectName): ObjectName {
  const parts = id.split('/')
  const named = kind === 'middleware' ? [parts[0] ?? '', parts.slice(1).join('/')] : [id]
  return { kind, id: named.map(nameOrHash).join('/') }
}

function nameOrHash(id: string): string {
  return refuseId(id) === null ? id : `closed-${hash('sha256', id, 'hex').slice(0, 16)}`
}

export function describeClosed(reason: string): string {
  return `is closed, requests are answered with 503: ${reason}`
}
