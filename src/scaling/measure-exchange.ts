/** What several instances know of a backend, exchanged in the registry that holds the lock. See acting-lock.ts. */
import type { Measure } from '../policy/scaling/measure.ts'

/** What one instance knows of one backend. */
export interface Shared {
  readonly measure: Measure
  /** What was asked for there; `leftMs`: how much longer it is kept, null: until something else is asked for. */
  readonly asked: { readonly replicas: number; readonly leftMs: number | null } | null
}

export interface MeasureExchange {
  /** Shows this to the other instances, by backend: each call replaces what was shown. Never throws. */
  publish(shared: ReadonlyMap<string, Shared>): void
  /** The latest of the other instances that are alive. */
  others(backend: string): readonly Shared[]
}

/** For a program alone. */
export const NO_EXCHANGE: MeasureExchange = { publish: () => {}, others: () => [] }
