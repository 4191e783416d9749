/** What a CA keeps for an account (RFC 8555 section 7.1), as this client reads it. */
import type { AcmeError } from './acme-error.ts'

export interface DirectoryMeta {
  readonly termsOfService: string | null
  readonly externalAccountRequired: boolean
  /** Names of certificate profiles to what they are; empty: the CA has none. */
  readonly profiles: ReadonlyMap<string, string>
  /** The CA suggests when to renew (RFC 9773). */
  readonly hasRenewalInfo: boolean
}

export interface Identifier {
  readonly type: 'dns' | 'ip'
  /** In lower case; of an order it may begin with `*.`, of an authorization never. */
  readonly value: string
}

export type OrderStatus = 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'

export interface Order {
  readonly url: string
  readonly status: OrderStatus
  readonly identifiers: readonly Identifier[]
  readonly authorizationUrls: readonly string[]
  readonly finalizeUrl: string
  /** Null until it is `valid`. */
  readonly certificateUrl: string | null
  /** ms since the epoch; null: it is not said. */
  readonly expiresAt: number | null
  /** Why it is `invalid`. */
  readonly error: AcmeError | null
  /** When to look again; null: it is not said. */
  readonly retryAfterMs: number | null
}

export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01'

export interface Challenge {
  readonly type: ChallengeType
  readonly url: string
  readonly token: string
  readonly status: 'pending' | 'processing' | 'valid' | 'invalid'
  readonly error: AcmeError | null
}

export interface Authorization {
  readonly url: string
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked'
  readonly identifier: Identifier
  /** It is for `*.` before the identifier: dns-01 alone can prove it. */
  readonly isWildcard: boolean
  /** Of kinds that this client knows. */
  readonly challenges: readonly Challenge[]
  readonly expiresAt: number | null
  readonly retryAfterMs: number | null
}

/** RFC 9773 section 4.2. ms since the epoch. */
export interface RenewalInfo {
  readonly start: number
  readonly end: number
  /** Where the CA explains an early renewal to people. */
  readonly explanationUrl: string | null
  /** When to ask again, between 1 min and 1 day. */
  readonly retryAfterMs: number
}
