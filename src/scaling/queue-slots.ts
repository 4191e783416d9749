/** Where requests for a backend wait before they reach it: middlewares of its frontends that queue. */
import type { PlacedFrontend } from '../model/snapshot.ts'

/** Their state is a slot, in which SHARED.waiting counts. */
const QUEUEING = new Set(['inflight', 'adaptive'])

interface Queues {
  readonly backend: string
  readonly slots: readonly number[]
}

export class QueueSlots {
  /** By frontend, those that queue: most do not. */
  readonly #frontends = new Map<string, Queues>()

  put({ object: { id, backend, middlewares }, states }: PlacedFrontend): void {
    const slots = middlewares.flatMap(({ kind }, at) => {
      const slot = states[at] ?? null
      return QUEUEING.has(kind) && slot !== null ? [slot] : []
    })
    if (backend !== null && slots.length > 0) this.#frontends.set(id, { backend, slots })
    else this.#frontends.delete(id)
  }

  delete(frontend: string): void {
    this.#frontends.delete(frontend)
  }

  /** Frontends of one backend may share a slot. */
  of(backend: string): readonly number[] {
    const found = [...this.#frontends.values()].filter((one) => one.backend === backend)
    return [...new Set(found.flatMap(({ slots }) => slots))]
  }
}
