/** Listeners and the certificates of hosts, as declared: see snapshot.ts. */
import type { NamedTlsOptions, TlsOptions } from './tls-options.ts'

/** A TCP address to listen on. Port 0 takes a free one (tests). */
export interface Address {
  readonly host: string
  readonly port: number
}

/** A unix socket to listen on. */
export interface SocketAddress {
  readonly path: string
  /** Who may connect, as of a file: 0o660. */
  readonly mode: number
  /** By name or number; null: those of this process. */
  readonly user: string | number | null
  readonly group: string | number | null
}

export type ListenAddress = Address | SocketAddress

export function isSocketAddress(address: ListenAddress): address is SocketAddress {
  return 'path' in address
}

/** A certificate chain and its key, both PEM text. Files are read at admission, so a missing file is a problem of its object. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** For paths with two readings: refuse them, forward the reading that routes match, or forward what was sent. See http/message/path-policy.ts. */
export type PathPolicy = 'reject' | 'normalize' | 'preserve'

/**
 * What proves to a certificate authority that this program answers for a name (RFC 8555 section 8.3, RFC 8737). Never declared:
 * orders of certificates put challenges into listeners while they are open.
 */
export type Challenge =
  | { readonly kind: 'http-01'; readonly token: string; readonly keyAuthorization: string }
  | { readonly kind: 'tls-alpn-01'; readonly name: string; readonly certificate: Certificate }

export interface Listener {
  readonly id: string
  readonly address: ListenAddress
  /**
   * `http` and `https` also speak HTTP/2, see `http2`; `h2c` speaks nothing else, in clear. `tcp`: any stream of bytes. With
   * `tls` the listener ends TLS itself.
   */
  readonly protocol: 'http' | 'https' | 'h2c' | 'tcp'
  /** Where everything goes, instead of the routes of frontends. Null: by the routes. */
  readonly backend: string | null
  /** Connections from these networks begin with a PROXY header, or may do so if it is not required; null: none do. */
  readonly proxyProtocol: {
    readonly trusted: readonly string[]
    readonly required: boolean
  } | null
  readonly paths: PathPolicy
  /** A route expression, see routing/: other requests find no route. Null: it takes all. */
  readonly scope: string | null
  readonly timeouts: {
    /** From the first byte of a head (or accept) to its last. */
    readonly headMs: number
    /** Without progress while a request body is on its way. */
    readonly bodyMs: number
    /** Between two requests of a connection. */
    readonly idleMs: number
  }
  readonly limits: {
    readonly headBytes: number
    readonly targetBytes: number
    readonly fields: number
    /** Client connections, over all threads; 0 is no limit. */
    readonly connections: number
    /** Client connections from one address and thread; 0 is no limit. */
    readonly connectionsPerClient: number
  }
  /** May have no certificate as declared: those of hosts are added before it is in force. */
  readonly tls: {
    readonly certificates: readonly Certificate[]
    /** Serve only names that a certificate covers: there is no default certificate, and a connection serves only its own names. */
    readonly strictSni: boolean
    readonly options: TlsOptions
    /** Of hosts that have other options; empty as declared. The first of a name counts. */
    readonly hosts: readonly NamedTlsOptions[]
  } | null
  /** Where clients that came without TLS are sent: the same URL with https. Null: they are served. */
  readonly redirect: HttpsRedirect | null
  /** Of open orders: http-01 on http listeners, tls-alpn-01 on those that end TLS. Empty as declared. */
  readonly challenges: readonly Challenge[]
  /** Null: it does not speak HTTP/2. */
  readonly http2: Http2Options | null
}

export interface HttpsRedirect {
  /** Null as declared: that of the https listener, which is found before the redirect is in force. */
  readonly port: number | null
  /** Browsers remember it. */
  readonly permanent: boolean
}

/** HTTP/2 with the clients of a listener. */
export interface Http2Options {
  /** Requests of one connection under way at a time. */
  readonly streams: number
  /** What a client may send of one request's body, and of all of a connection, before a server takes it. */
  readonly windowBytes: number
  readonly connectionWindowBytes: number
  /** Offer WebSocket over HTTP/2 (RFC 8441). */
  readonly websockets: boolean
  /** A connection takes no new requests once it is older than this; 0: no limit. */
  readonly maxAgeMs: number
  /** A client that was silent for so long while requests are under way is asked whether it is still there; 0: never. */
  readonly pingMs: number
}

/** A certificate for every https listener, TLS options for its names, or both. It reaches the data plane inside listeners. */
export interface HostCertificate {
  readonly id: string
  /** Null: it declares options for names that another certificate covers. */
  readonly certificate: Certificate | null
  /** Null: as at the listener. */
  readonly tls: NamedTlsOptions | null
  /** For clients that request no name (SNI), or for a name that no certificate covers. */
  readonly isDefault: boolean
}
