/**
 * Service ports: each app on a fixed port of this machine, as haproxy-marathon-bridge, frontrunner and marathon-lb offer it.
 * A listener takes the requests of its port, for any host, before routes that name no listener, or all of its streams.
 */
import { define } from '../labels/definition.ts'
import type { DeclaredObject } from '../provider.ts'
import { routeCall } from '../route-terms.ts'

export interface PortRoute {
  readonly port: number
  /** Of the frontend. */
  readonly name: string
  readonly key: string
  readonly isStream: boolean
  /** A route expression for a port that several apps share, or of which not all clients may use; null: all others. */
  readonly condition: string | null
  /** The frontend without its route; of a stream its backend alone. */
  readonly value: Readonly<Record<string, unknown>>
}

/** Below the largest one, so that a file may come first. */
const PRIORITY = 100_000_000

/** `host`: the address to listen on. `prefix`: of the names of listeners. */
export function definePorts(
  routes: readonly PortRoute[],
  host: string,
  prefix: string,
): readonly DeclaredObject[] {
  const listeners = new Map<number, { readonly object: DeclaredObject; readonly by: PortRoute }>()
  /** By port, the key of what takes all others. */
  const owners = new Map<number, string>()

  function listen(route: PortRoute, name: string): PortRoute {
    const { port, key, isStream, condition, value } = route
    const first = listeners.get(port)
    if (first !== undefined) return first.by
    const ofStreams = condition === null ? { protocol: 'tcp', ...value } : { protocol: 'tcp' }
    const listener = { address: `${host}:${port}`, ...(isStream ? ofStreams : {}) }
    const { object } = define({ kind: 'listener', name, key, value: listener })
    listeners.set(port, { object, by: route })
    return route
  }

  const frontends = routes.flatMap((route): readonly DeclaredObject[] => {
    const { port, name, key, isStream, condition, value } = route
    const listener = `${prefix}-${port}`
    const first = listen(route, listener)
    const owner = first.isStream === isStream ? owners.get(port) : first.key
    const isTaken = owner !== undefined && (condition === null || first.isStream !== isStream)
    if (condition === null && !isTaken) owners.set(port, key)
    if (isStream && condition === null && !isTaken) return []
    const at = routeCall('Listener', [listener])
    const whole = {
      ...(isStream ? { protocol: 'tcp' } : {}),
      route: condition === null ? at : `${at} && ${condition}`,
      priority: condition === null ? PRIORITY : PRIORITY + 1,
      ...value,
    }
    const faults = isTaken ? [`port ${port} is already that of ${owner}`] : []
    return [define({ kind: 'frontend', name, key, value: whole, faults }).object]
  })
  return [...[...listeners.values()].map(({ object }) => object), ...frontends]
}
