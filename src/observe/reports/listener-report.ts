/** How it stands with one listener, over all serving threads: what /api/table and /readyz show and /metrics counts. */
export interface ListenerReport {
  readonly id: string
  /** At its declared address, in every serving thread. */
  readonly listening: boolean
  /** Where it takes connections now: `127.0.0.1:8080`; the address that it had before, where it could not move; null: nowhere. */
  readonly at: string | null
  /** Why it does not listen as declared; null when it does. */
  readonly reason: string | null
  /** Since when it listens, or does not, ms since the epoch. */
  readonly since: number
  /** When it is tried again, ms since the epoch. */
  readonly nextTryAt: number | null
  readonly threads: { readonly listening: number; readonly of: number }
}

/** The same of one thread. */
export interface ListenerState {
  readonly id: string
  readonly at: string | null
  readonly reason: string | null
  readonly nextTryAt: number | null
}
