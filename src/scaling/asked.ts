/**
 * What was asked for from outside. Each input that measures (Prometheus) has a number of its own; who sets or steps (API,
 * orbiter, Alertmanager) has one together, so that a step goes on from the number before. The largest counts.
 */
import type { ScaleRequest } from './scale-request.ts'

interface Wish {
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
  readonly #wishes = new Map<'prometheus' | 'steps', Wish>()

  /** `base`: what a step starts from if nothing was asked for. Returns what this input asks for now. */
  take(now: number, request: ScaleRequest, base: number, bounds: Bounds, holdMs: number): number {
    const { to, input, reason } = request
    const key = input === 'prometheus' ? 'prometheus' : 'steps'
    this.#forget(now)
    const before = this.#wishes.get(key)?.replicas ?? base
    const wanted = 'replicas' in to ? to.replicas : before + to.delta
    const replicas = Math.min(bounds.max, Math.max(bounds.min, wanted))
    const text = `${input}: ${reason}`.slice(0, LONGEST_REASON)
    this.#wishes.set(key, { replicas, reason: text, until: now + holdMs })
    return replicas
  }

  current(now: number): Asked | null {
    this.#forget(now)
    let most: Wish | null = null
    for (const wish of this.#wishes.values()) {
      if (most === null || wish.replicas > most.replicas) most = wish
    }
    if (most === null) return null
    const { replicas, reason, until } = most
    return { replicas, reason, leftMs: until === Infinity ? null : until - now }
  }

  #forget(now: number): void {
    for (const [key, wish] of this.#wishes) if (wish.until <= now) this.#wishes.delete(key)
  }
}

interface Bounds {
  readonly min: number
  readonly max: number
}
