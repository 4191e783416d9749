/** Which containers of a pool are started and stopped. Pure. */
import type { Container } from '../../providers/docker/container.ts'

/** With its requests in flight, 0 if it is no server of the backend. */
export interface PoolMember {
  readonly container: Container
  readonly inFlight: number
}

export interface PoolChange {
  readonly start: readonly Container[]
  readonly stop: readonly Container[]
  /** How many there should be and are not: the pool is too small. */
  readonly missing: number
}

/** It runs, or its engine makes it run again. One that is paused was set aside by somebody, and stays so. */
export function isRunning({ state }: Container): boolean {
  return state === 'running' || state === 'restarting'
}

/**
 * Those that have existed longest are started first, so that the same ones serve every day. Those that serve nothing anyway
 * (unhealthy, restarting) are stopped first, then those with the fewest requests in flight, then the youngest.
 */
export function choosePoolChange(pool: readonly PoolMember[], replicas: number): PoolChange {
  const running = pool.filter(({ container }) => isRunning(container))
  const surplus = running.length - replicas
  if (surplus > 0) {
    const stop = running.toSorted(firstToStop).slice(0, surplus)
    return { start: [], stop: stop.map(({ container }) => container), missing: 0 }
  }
  const startable = pool
    .map(({ container }) => container)
    .filter(({ state }) => state === 'created' || state === 'exited')
    .toSorted((one, other) => byAge(one, other))
  const start = startable.slice(0, -surplus)
  return { start, stop: [], missing: -surplus - start.length }
}

function firstToStop(one: PoolMember, other: PoolMember): number {
  const byUse = Number(isServing(one.container)) - Number(isServing(other.container))
  if (byUse !== 0) return byUse
  if (one.inFlight !== other.inFlight) return one.inFlight - other.inFlight
  return byAge(other.container, one.container)
}

function isServing({ state, health }: Container): boolean {
  return state === 'running' && (health === 'none' || health === 'healthy')
}

function byAge(one: Container, other: Container): number {
  if (one.createdAt !== other.createdAt) return one.createdAt - other.createdAt
  return one.name < other.name ? -1 : 1
}
