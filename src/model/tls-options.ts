/** How TLS ends at a listener: versions, cipher suites, key exchange, session tickets, and certificates of clients. */

/** The protocol (ALPN) in which an authority looks for the answer to a tls-alpn-01 challenge (RFC 8737). */
export const ACME_TLS = 'acme-tls/1'

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** Versions, suites and groups belong together: a host that declares one of them has all of its own. */
export interface TlsProtocol {
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** OpenSSL's names, of TLS 1.2 and 1.3, the preferred ones first. */
  readonly ciphers: readonly string[]
  /** OpenSSL's names of groups, the preferred ones first. */
  readonly curves: readonly string[]
}

export type ClientAuthMode =
  'none' | 'request' | 'require' | 'verify-if-given' | 'require-and-verify'

export interface ClientAuth {
  readonly mode: ClientAuthMode
  /** PEM text of the authorities that certificates of clients are verified against; null: none. */
  readonly ca: string | null
  /** PEM text of their revocation lists. */
  readonly crl: string | null
}

export interface TlsOptions {
  readonly protocol: TlsProtocol
  readonly clientAuth: ClientAuth
  /** Sessions are resumed by tickets. */
  readonly tickets: boolean
  /** The protocols of ALPN, the preferred ones first; null: those that the listener speaks. */
  readonly alpn: readonly string[] | null
}

/** What a host declares for itself; null: as at the listener. */
export type HostTlsOptions = { readonly [Member in keyof TlsOptions]: TlsOptions[Member] | null }

/** The options of some names: exact ones, or `*.` and a name. */
export interface NamedTlsOptions {
  readonly names: readonly string[]
  readonly options: HostTlsOptions
}

export const NO_CLIENT_AUTH: ClientAuth = { mode: 'none', ca: null, crl: null }

/** Whether certificates are verified against `ca`. */
export function verifiesClients({ mode }: ClientAuth): boolean {
  return mode === 'verify-if-given' || mode === 'require-and-verify'
}

const TLS_13_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const

const CURVES = ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'] as const

/**
 * The profiles of Mozilla's Server Side TLS 5.7. Of its intermediate list, the suites with DHE are left out: they cost more, need
 * parameters, and no client needs them. The hybrid group comes first, as in OpenSSL 3.5.
 */
export const TLS_PROFILES: Readonly<Record<'modern' | 'intermediate', TlsProtocol>> = {
  modern: {
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: TLS_13_CIPHERS,
    curves: CURVES,
  },
  intermediate: {
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: [
      ...TLS_13_CIPHERS,
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      'ECDHE-RSA-CHACHA20-POLY1305',
    ],
    curves: CURVES,
  },
}

export const DEFAULT_TLS_OPTIONS: TlsOptions = {
  protocol: TLS_PROFILES.intermediate,
  clientAuth: NO_CLIENT_AUTH,
  tickets: true,
  alpn: null,
}

/** By the IANA name. Those with CBC or without forward secrecy are for clients that have nothing better. */
const CIPHERS: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  // Go's older names.
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
}

const CIPHER_NAMES: ReadonlySet<string> = new Set(Object.values(CIPHERS))

/** OpenSSL's name of a suite, by that or by its IANA name; null: there is none, or it is not secure. */
export function cipherNamed(text: string): string | null {
  const name = text.toUpperCase()
  return CIPHER_NAMES.has(name) ? name : (CIPHERS[name] ?? null)
}

/** The IANA name of a suite, by either; null: there is none, or it is not secure. */
export function ianaCipherName(text: string): string | null {
  const name = cipherNamed(text)
  return Object.keys(CIPHERS).find((iana) => CIPHERS[iana] === name) ?? null
}

export function isTls13Cipher(name: string): boolean {
  return name.startsWith('TLS_')
}

/** By names in lower case: OpenSSL's, those of RFC 8446, and Go's. */
const CURVE_NAMES: Readonly<Record<string, string>> = {
  x25519mlkem768: 'X25519MLKEM768',
  secp256r1mlkem768: 'SecP256r1MLKEM768',
  secp384r1mlkem1024: 'SecP384r1MLKEM1024',
  x25519: 'X25519',
  x448: 'X448',
  prime256v1: 'prime256v1',
  'p-256': 'prime256v1',
  secp256r1: 'prime256v1',
  curvep256: 'prime256v1',
  secp384r1: 'secp384r1',
  'p-384': 'secp384r1',
  curvep384: 'secp384r1',
  secp521r1: 'secp521r1',
  'p-521': 'secp521r1',
  curvep521: 'secp521r1',
}

/** OpenSSL's name of a group; null: there is none. */
export function curveNamed(text: string): string | null {
  return CURVE_NAMES[text.toLowerCase()] ?? null
}

/** Suites of TLS 1.3 are seldom listed: those that the versions need and a list lacks are the built-in ones. */
export function withTls13Ciphers(ciphers: readonly string[], maxVersion: TlsVersion): string[] {
  if (maxVersion === 'TLSv1.2' || ciphers.some(isTls13Cipher)) return [...ciphers]
  return [...TLS_13_CIPHERS, ...ciphers]
}

export function optionsFor(listener: TlsOptions, host: HostTlsOptions): TlsOptions {
  return {
    protocol: host.protocol ?? listener.protocol,
    clientAuth: host.clientAuth ?? listener.clientAuth,
    tickets: host.tickets ?? listener.tickets,
    alpn: host.alpn ?? listener.alpn,
  }
}
