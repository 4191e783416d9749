/**
 * What was asked for from outside. Each input that measures (Prometheus) has a number of its own; who sets or steps (API,
 * orbiter, Alertmanager) has one together, so that a step goes on from the number before. The largest counts.
 */
import type { ScaleSpec } from '../model/scale.ts'
import type { ScaleRequest } from './scale-request.ts'

interface Demand {
  readonly replicas: number
  readonly reason: string
  /** Infinity: until another comes. */
  readonly until: number
}

export interface Asked {
  readonly replicas: number
  readonly reason: string
  /** ms that it is kept from now on; null: until something else is asked for. */
  readonly leftMs: number | null
}

const LONGEST_REASON = 200

export class AskedReplicas {
  readonly #demands = new Map<'prometheus' | 'steps', Demand>()

  /** `base`: what a step starts from if nothing was asked for. Returns what this input asks for now, or would (`dryRun`). */
  take(now: number, request: ScaleRequest, base: number, bounds: Bounds, holdMs: number): number {
    const { to, input, reason, dryRun = false } = request
    const key = input === 'prometheus' ? 'prometheus' : 'steps'
    this.#forget(now)
    const before = this.#demands.get(key)?.replicas ?? base
    const wanted = 'replicas' in to ? to.replicas : before + to.delta
    const replicas = Math.min(bounds.max, Math.max(bounds.min, wanted))
    if (dryRun) return replicas
    const text = `${input}: ${reason}`.slice(0, LONGEST_REASON)
    this.#demands.set(key, { replicas, reason: text, until: now + holdMs })
    return replicas
  }

  current(now: number): Asked | null {
    this.#forget(now)
    let most: Demand | null = null
    for (const demand of this.#demands.values()) {
      if (most === null || demand.replicas > most.replicas) most = demand
    }
    if (most === null) return null
    const { replicas, reason, until } = most
    return { replicas, reason, leftMs: until === Infinity ? null : until - now }
  }

  #forget(now: number): void {
    for (const [key, demand] of this.#demands) if (demand.until <= now) this.#demands.delete(key)
  }
}

type Bounds = Pick<ScaleSpec, 'min' | 'max'>
