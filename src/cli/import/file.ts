/** vulcand's objects as a file of Sluice. */
import { stringify } from 'yaml'
import { escapeReferences } from '../../document/references.ts'
import { splitParts } from '../../model/names.ts'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import type { DeclaredObject } from '../../providers/provider.ts'

/** The listener that vulcand has without a key, unless it was started otherwise. */
export const DEFAULT_LISTENER = { id: 'DefaultListener', address: ':8181' }

/** What is not in force is left out, or in its closed form. */
export function toFile(
  objects: readonly DeclaredObject[],
  problems: readonly Problem[],
  inForce: ReadonlySet<string>,
  isJson: boolean,
): string {
  const closed = new Set(
    problems.flatMap(({ kind, id, code }) => (code === 'closed' ? [`${kind} ${id}`] : [])),
  )
  const of = (kind: DeclaredObject['kind']): (readonly [id: string, value: unknown])[] =>
    objects.flatMap((object) => {
      const name = `${object.kind} ${object.id}`
      if (object.kind !== kind || !inForce.has(name)) return []
      const value = closed.has(name) ? object.closed?.values[0] : object.value
      return value === undefined ? [] : [[object.id, value] as const]
    })
  const servers = Map.groupBy(of('server'), ([id]) => splitParts(id)[0])
  const middlewares = Map.groupBy(of('middleware'), ([id]) => splitParts(id)[0])
  const listeners = of('listener')
  const document = {
    listeners: Object.fromEntries([...withDefault(listeners), ...listeners]),
    hosts: Object.fromEntries(of('host')),
    backends: Object.fromEntries(
      of('backend').map(([id, value]) => [id, withServers(value, servers.get(id) ?? [])]),
    ),
    frontends: Object.fromEntries(
      of('frontend').map(([id, value]) => [id, withMiddlewares(value, middlewares.get(id) ?? [])]),
    ),
  }
  const whole = escapeReferences(withoutEmpty(document))
  return isJson ? `${JSON.stringify(whole, null, 2)}\n` : stringify(whole, { lineWidth: 0 })
}

function withDefault(
  listeners: readonly (readonly [id: string, value: unknown])[],
): (readonly [id: string, value: unknown])[] {
  const { id, address } = DEFAULT_LISTENER
  const port = address.slice(address.lastIndexOf(':'))
  const isTaken = listeners.some(
    ([other, value]) => other === id || (isMap(value) && String(value['address']).endsWith(port)),
  )
  return isTaken ? [] : [[id, { address }]]
}

function withServers(value: unknown, servers: readonly (readonly [string, unknown])[]): unknown {
  if (!isMap(value)) return value
  const { servers: inside, ...rest } = value
  const own = isMap(inside) ? inside : {}
  const added = Object.fromEntries(servers.map(([id, server]) => [splitParts(id)[1], server]))
  return { ...withoutEmpty(rest), servers: { ...own, ...added } }
}

/** A lower priority is further out; of the same priority, the id decides. */
function withMiddlewares(
  value: unknown,
  middlewares: readonly (readonly [string, unknown])[],
): unknown {
  if (!isMap(value) || middlewares.length === 0) return value
  const sorted = middlewares.toSorted(
    ([id, one], [otherId, other]) => priorityOf(one) - priorityOf(other) || (id < otherId ? -1 : 1),
  )
  const forms = sorted.map(([, middleware]) => {
    const { priority: _order, ...rest } = Object(middleware) as JsonMap
    return rest
  })
  const responds = forms.findIndex(({ kind }) => kind === 'respond')
  if (responds === -1) return { ...value, middlewares: forms }
  // What responds itself has no backend, and nothing behind it.
  const { backend: _backend, retry: _retry, passHost: _passHost, ...rest } = value
  const { kind: _kind, ...response } = Object(forms[responds]) as JsonMap
  const before = forms.slice(0, responds)
  return { ...rest, respond: response, ...(before.length === 0 ? {} : { middlewares: before }) }
}

function priorityOf(value: unknown): number {
  return isMap(value) ? Number(value['priority'] ?? 0) : 0
}

/** Sections with nothing in them say nothing. */
function withoutEmpty(map: JsonMap): JsonMap {
  return Object.fromEntries(
    Object.entries(map).filter(([, value]) => !isMap(value) || Object.keys(value).length > 0),
  )
}
