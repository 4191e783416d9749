/** `acme`: certificates that are ordered from an authority. Fixed at start. */

export const CHALLENGE_CHOICES = ['auto', 'http-01', 'tls-alpn-01', 'dns-01'] as const
export type ChallengeChoice = (typeof CHALLENGE_CHOICES)[number]

export const ACME_KEY_TYPES = ['p256', 'p384', 'rsa2048', 'rsa4096'] as const
export type AcmeKeyType = (typeof ACME_KEY_TYPES)[number]

export interface AcmeSettings {
  /** The contact of accounts; null: none. */
  readonly email: string | null
  /** Tried in this order, at least one. */
  readonly issuers: readonly AcmeIssuer[]
  readonly challenge: ChallengeChoice
  /** How TXT records are set; null: dns-01 cannot be used. */
  readonly dns: DnsSettings | null
  readonly keyType: AcmeKeyType
  /** Name of the source whose registry keeps accounts, certificates and orders; null: the first that can be written. */
  readonly store: string | null
  /** Keys of 64 hex digits: the first seals what is stored, all of them open it. Empty: it is not sealed. */
  readonly seal: readonly string[]
  readonly names: {
    /** Those of routes. */
    readonly routes: boolean
    readonly list: readonly string[]
    /** Names, and `*.` before a name for all below it. */
    readonly exclude: readonly string[]
  }
  /** Names that are ordered when a client asks for them; null: none. */
  readonly onDemand: OnDemandSettings | null
  /** The share of a certificate's lifetime after which it is renewed; null: by its length. */
  readonly renewAt: number | null
}

export interface AcmeIssuer {
  /** URL of its directory. */
  readonly directory: string
  /** A path, or PEM text, of the roots of the issuer's own server; null: those of the system. */
  readonly ca: string | null
  readonly externalAccount: { readonly keyId: string; readonly hmacKey: string } | null
  readonly profile: string | null
  readonly preferredChain: string | null
}

export interface DnsSettings {
  readonly way: DnsWay
  readonly propagation: {
    /** How long after the record is set the issuer is called at the latest. */
    readonly timeoutMs: number
    /** What is waited in any case. */
    readonly delayMs: number
    /** DNS servers that are asked for the record; empty: none is, and only the delay counts. */
    readonly servers: readonly string[]
  }
}

export type DnsWay =
  | { readonly kind: 'hook'; readonly command: readonly string[]; readonly timeoutMs: number }
  | ({ readonly kind: 'rfc2136' } & DnsUpdateSettings)

export const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number]

/** RFC 2136, signed with TSIG (RFC 8945). */
export interface DnsUpdateSettings {
  /** `host:port`; an address. */
  readonly server: string
  /** Null: found by the SOA record above the name. */
  readonly zone: string | null
  readonly key: {
    readonly name: string
    /** base64. */
    readonly secret: string
    readonly algorithm: TsigAlgorithm
  } | null
  readonly ttlSeconds: number
  readonly timeoutMs: number
}

export interface OnDemandSettings {
  /** Asked with `?domain=NAME`; 2xx permits the name. */
  readonly ask: string
  /** Names ordered in one minute. */
  readonly perMinute: number
}
