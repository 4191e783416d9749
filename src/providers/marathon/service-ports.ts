/**
 * Service ports: each app on a fixed port of this machine, as haproxy-marathon-bridge, frontrunner and marathon-lb offer it.
 * A listener takes the requests of its port, for any host, before routes that name no listener.
 */
import { define } from '../labels/definition.ts'
import type { DeclaredObject } from '../provider.ts'
import { routeCall } from '../route-terms.ts'

export interface PortRoute {
  readonly port: number
  /** Of the frontend. */
  readonly name: string
  readonly key: string
  /** A route expression for a port that several apps share, or of which not all clients may use; null: all other requests. */
  readonly condition: string | null
  /** The frontend without its route. */
  readonly value: object
}

/** Below the largest one, so that a file may come first. */
const PRIORITY = 100_000_000

/** `host`: the address to listen on. `prefix`: of the names of listeners. */
export function definePorts(
  routes: readonly PortRoute[],
  host: string,
  prefix: string,
): readonly DeclaredObject[] {
  const listeners = new Map<number, DeclaredObject>()
  /** By port, the key of what takes all requests. */
  const owners = new Map<number, string>()
  const frontends = routes.map(({ port, name, key, condition, value }) => {
    const listener = `${prefix}-${port}`
    if (!listeners.has(port)) {
      const address = { address: `${host}:${port}` }
      listeners.set(port, define({ kind: 'listener', name: listener, key, value: address }).object)
    }
    const owner = owners.get(port)
    const isTaken = condition === null && owner !== undefined
    if (condition === null && !isTaken) owners.set(port, key)
    const at = routeCall('Listener', [listener])
    const whole =
      condition === null
        ? { route: at, priority: PRIORITY, ...value }
        : { route: `${at} && ${condition}`, priority: PRIORITY + 1, ...value }
    const faults = isTaken ? [`port ${port} is already that of ${owner}`] : []
    return define({ kind: 'frontend', name, key, value: whole, faults }).object
  })
  return [...listeners.values(), ...frontends]
}
