/** The state of one listener over all serving threads, as /api/table and /readyz show it and /metrics counts it. */
export interface ListenerReport {
  readonly id: string
  /** At its declared address, in every serving thread. */
  readonly listening: boolean
  /** Where it accepts connections: `127.0.0.1:8080`; the previous address if it could not move; null: nowhere. */
  readonly at: string | null
  /** Why it does not listen as declared; null when it does. */
  readonly reason: string | null
  /** When `listening` last changed, ms since the epoch. */
  readonly since: number
  /** When it is tried again, ms since the epoch. */
  readonly nextTryAt: number | null
  readonly threads: { readonly listening: number; readonly of: number }
}

/** The state of one listener in one thread. */
export interface ListenerState {
  readonly id: string
  readonly at: string | null
  readonly reason: string | null
  readonly nextTryAt: number | null
}

/** A certificate in force at a listener, and when it ends. */
export interface CertificateReport {
  readonly listener: string
  /** The first of its names. */
  readonly name: string
  readonly serial: string
  /** When the certificate or one of its chain ends first, ms since the epoch. */
  readonly endsAt: number
}
