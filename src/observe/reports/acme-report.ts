/** Names whose certificates are ordered, as the API and the metrics show them. */

export const ACME_STATES = [
  'valid',
  'ordering',
  'waiting',
  'failed',
  'not-ordered',
  'kept',
] as const

/**
 * `waiting`: it is due, and an order begins soon. `failed`: it is tried again. `not-ordered`: no issuer would sign it. `kept`: nothing
 * names it any more, and its certificate is served until it ends.
 */
export type AcmeState = (typeof ACME_STATES)[number]

export interface AcmeNameReport {
  readonly name: string
  readonly state: AcmeState
  /** URL of the directory that its certificate is from; null: it has none. */
  readonly directory: string | null
  /** ms since the epoch, here and below. */
  readonly endsAt: number | null
  readonly renewsAt: number | null
  /** Where the issuer explains an early renewal. */
  readonly explanation: string | null
  /** Why it is not ordered. */
  readonly reason: string | null
  readonly failures: readonly {
    readonly directory: string
    /** In the issuer's own words. */
    readonly message: string
    readonly type: string
    /** In a row. */
    readonly count: number
    readonly at: number
    readonly retryAt: number
  }[]
}

export interface AcmeReport {
  readonly names: readonly AcmeNameReport[]
  /** Since the start of this instance, by directory. */
  readonly orders: readonly {
    readonly directory: string
    readonly issued: number
    readonly failed: number
  }[]
  /** Why the registry cannot be used; null: it can. */
  readonly storeError: string | null
}

export const NO_ACME: AcmeReport = { names: [], orders: [], storeError: null }
