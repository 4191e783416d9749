/**
 * Declared objects after parsing: plain, readonly, every default filled. The control plane makes them, `Delta` carries them
 * to the serving threads as JSON, and the data plane compiles them. Nothing here has behaviour.
 */
import type { Listener, PathPolicy } from './listener.ts'
import type { ScaleSpec } from './scale.ts'
import type { ServerUrl } from './server-url.ts'
import type { TlsVersion } from './tls-options.ts'
export type {
  Address,
  Certificate,
  Challenge,
  HostCertificate,
  Http2Options,
  HttpsRedirect,
  ListenAddress,
  Listener,
  PathPolicy,
  SocketAddress,
} from './listener.ts'

/** Notes on an object: shown with it, without effect on traffic. */
export type Labels = Readonly<Record<string, string>>

/**
 * What a server's name stands for: one server, with any number of addresses, or each of its addresses a server of its own.
 * See control/publication/name-expansion.ts.
 */
export type Resolve = 'one' | 'all'

/** What servers speak. `auto`: what one with https chooses in the TLS handshake. */
export type Protocol = 'http/1.1' | 'h2' | 'auto'

/** Identified by its backend's id and its url. */
export interface Server extends ServerUrl {
  readonly id: string
  /** For Host, SNI and verification instead of the url's host. Absent: the url's host, here as in most servers. */
  readonly hostname?: string
  /** Absent: the backend's. */
  readonly protocol?: Protocol
  /** Absent: the backend's. */
  readonly resolve?: Resolve
  /** Of a name with `resolve: all`, of which this server is one address: that name. Never declared. */
  readonly name?: string
  /** 1 to 1000. */
  readonly weight: number
  /** Used only if no other server may be used. */
  readonly backup: boolean
  /** It gets no new requests; requests in flight finish. */
  readonly drain: boolean
  /** Null if there are none, here and below: most objects have none, and there may be 100,000. */
  readonly labels: Labels | null
}

export interface Backend {
  readonly id: string
  /** The name of a balancer, see upstream/balancing/balancer.ts. A balancer with options has them in a member of its name (`hash`). */
  readonly balance: string
  /** A client stays with the server that served it first. */
  readonly sticky: Sticky | null
  readonly timeouts: Timeouts
  readonly limits: {
    /** Connections in use to one server at a time, over all threads; 0 is no limit. */
    readonly connections: number
    /** Idle connections kept to one server by one thread. */
    readonly idle: number
    /** How long an idle connection is kept. */
    readonly idleMs: number
    /** Of a response head. */
    readonly headBytes: number
    readonly fields: number
  }
  /**
   * What its servers speak, other than those of `h2c`, which speak HTTP/2. `auto`: what a server chooses in the TLS handshake;
   * HTTP/1.1 without TLS.
   */
  readonly protocol: Protocol
  readonly http2: Http2ToServers
  /** For https servers. */
  readonly tls: TlsToServers
  /** Silence of a server after which TCP keep-alive probes it; 0: never. */
  readonly keepAliveMs: number
  /** Connections to its servers begin with a PROXY header of this version; null: with none. */
  readonly proxyProtocol: 1 | 2 | null
  /** Probes; null: none. */
  readonly health: HealthCheck | null
  /** By the outcome of requests. */
  readonly ejection: Ejection
  /** Below this share of usable servers, 0 to 1, health and ejection are ignored: then all are used. */
  readonly panic: number
  /** How long a new or recovered server takes to get its whole share; 0: none. */
  readonly slowStartMs: number
  /** One for each server: a server whose breaker is tripped is passed over. */
  readonly breaker: BreakerSpec | null
  readonly retry: Retry
  readonly retryBudget: RetryBudget
  /** Of its servers that do not say. */
  readonly resolve: Resolve
  readonly servers: readonly Server[]
  /** Null: the number of its servers is not changed. */
  readonly scale: ScaleSpec | null
  readonly labels: Labels | null
}

export interface TlsToServers {
  readonly verify: boolean
  /** PEM text of the authorities that are trusted instead of the built-in ones. */
  readonly ca: string | null
  /** The name for SNI and verification instead of the url's host. */
  readonly serverName: string | null
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** OpenSSL's names, the preferred ones first; null: the list of Node. */
  readonly ciphers: readonly string[] | null
  /** Sessions are resumed. */
  readonly tickets: boolean
}

/** Connections to servers that speak HTTP/2. */
export interface Http2ToServers {
  /** Requests at a time on one connection; fewer if its server allows fewer. */
  readonly streams: number
  /** Bytes of each response that a server may send ahead of its client. */
  readonly windowBytes: number
  /** Silence after a request until its connection is pinged; 0: never. */
  readonly pingMs: number
  /** Within which the server must respond to a ping. */
  readonly pingTimeoutMs: number
  /** Age from which a connection takes no new requests; 0: any. */
  readonly maxAgeMs: number
}

export interface Sticky {
  readonly cookie: string
  /** Signs the cookie; null: a key of this process, which other instances and a restarted program do not know. */
  readonly secret: string | null
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly path: string
  /** 0: until the browser is closed. */
  readonly maxAgeSeconds: number
}

/** How long each phase of a request to a server may take. Where noted, 0 is no limit. */
export interface Timeouts {
  readonly connectMs: number
  /** Of a TLS handshake, once connected. */
  readonly handshakeMs: number
  /** From the end of the request to the first byte of the response. */
  readonly firstByteMs: number
  /** Without progress while a response or request body is transferred. */
  readonly stallMs: number
  /** From the start of one attempt to its response head; 0: no limit. */
  readonly tryMs: number
  /** From the request head to the end of the response, over all attempts; 0: no limit. */
  readonly requestMs: number
  /** Without a byte in either direction of a tunnel (WebSocket); 0: no limit. */
  readonly tunnelMs: number
}

export interface HealthCheck {
  /** Null: no request of HTTP. A server that accepts a connection is healthy, or `grpc` decides. */
  readonly http: {
    /** False: nothing of the request is declared, and servers of streams are checked by a connection. */
    readonly isDeclared: boolean
    readonly method: string
    /** With the query. */
    readonly path: string
    /** Null: the server's own. */
    readonly host: string | null
    readonly headers: Readonly<Record<string, string>>
    /** Inclusive. */
    readonly statuses: readonly (readonly [from: number, to: number])[]
    /** RE2; null: any body. */
    readonly body: string | null
  } | null
  /** Calls grpc.health.v1.Health/Check for this service, '' for the server as a whole. Null: it does not; else `http` is null. */
  readonly grpc: { readonly service: string } | null
  /** Null: the server's own. */
  readonly port: number | null
  readonly intervalMs: number
  /** While it is down. */
  readonly downIntervalMs: number
  readonly timeoutMs: number
  /** Consecutive successes until it is up. */
  readonly rise: number
  /** Consecutive failures until it is down. */
  readonly fall: number
  /** Each wait is longer or shorter by up to this share, 0 to 1. */
  readonly jitter: number
  /** A new server gets no requests before its first success. */
  readonly waitHealthy: boolean
}

export interface Ejection {
  /** Consecutive gateway failures (no connection, reset, timeout, malformed response); 0: not considered. */
  readonly failures: number
  /** Consecutive failures and 5xx responses; 0: not considered. */
  readonly errors: number
  readonly successRate: {
    /** This many standard deviations below the other servers of the pool. */
    readonly deviations: number
    /** Over at least this many requests of each server. */
    readonly requests: number
  } | null
  /** Of the first ejection. Each further one is longer by this; each quiet period of this length takes one back. */
  readonly baseMs: number
  readonly longestMs: number
  /** At most this share of the pool's servers at a time, 0 to 1. */
  readonly share: number
}

/** See policy/breaking/breaker.ts. */
export interface BreakerSpec {
  /** As in vulcand: `NetworkErrorRatio() > 0.5`. */
  readonly condition: string
  /** It does not trip with fewer responses in its window. */
  readonly requests: number
  readonly checkMs: number
  readonly fallbackMs: number
  readonly recoveryMs: number
  readonly onTripped: WebHook | null
  readonly onStandby: WebHook | null
}

export interface WebHook {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** Its Content-Type is in `headers`; '' for none. */
  readonly body: string
}

export interface Retry {
  /** Attempts in all, including the first. */
  readonly attempts: number
  /** A failover predicate as in vulcand; null: connection errors, and lost or late responses to idempotent requests. */
  readonly when: string | null
  /** Before the second attempt; doubles, with jitter. 0: immediately. */
  readonly backoffMs: number
  readonly longestBackoffMs: number
  /** Bytes of the body that are kept for further attempts; a larger body is sent once. */
  readonly bufferBytes: number
  /** A second copy of an idempotent request to another server if there is no response yet; the first response wins. */
  readonly hedge: Hedge | null
}

/** After a fixed time, or if the response takes longer than this quantile of the backend's recent ones, 0 to 1. */
export type Hedge =
  | { readonly afterMs: number; readonly quantile: null }
  | { readonly afterMs: null; readonly quantile: number }

/** Over all threads: this share of the backend's requests, 0 to 1, and at least this many per second. */
export interface RetryBudget {
  readonly ratio: number
  readonly perSecond: number
}

/** One step in a frontend's middleware chain: its kind and its parsed options. */
export interface MiddlewareSpec {
  readonly kind: string
  readonly options: unknown
}

export interface Frontend {
  readonly id: string
  /** `tcp`: it routes connections by their first TLS record, with a route of other functions. */
  readonly protocol: 'http' | 'tcp'
  /** A route expression, see routing/. */
  readonly route: string
  /** Explicit rank, higher first; null: by specificity. */
  readonly priority: number | null
  /** Null if a middleware (respond, redirect) always responds. */
  readonly backend: string | null
  /** Forward the client's Host (true), or send the server's own. */
  readonly passHost: boolean
  /** Null: the listener's. */
  readonly paths: PathPolicy | null
  /** Overrides the backend's, one by one. */
  readonly timeouts: Partial<Timeouts> | null
  /** Replaces the backend's as a whole. */
  readonly retry: Retry | null
  readonly middlewares: readonly MiddlewareSpec[]
  readonly labels: Labels | null
}

/** All that is in force. */
export interface Snapshot {
  readonly listeners: ReadonlyMap<string, Listener>
  readonly backends: ReadonlyMap<string, Backend>
  readonly frontends: ReadonlyMap<string, Frontend>
}

/** An object with the scoreboard slot it is counted in. */
export interface Placed<T> {
  readonly object: T
  readonly slot: number
}

/** A listener with a backend is counted as a frontend, too. */
export interface PlacedListener extends Placed<Listener> {
  /** Null: it has no backend. */
  readonly routeSlot: number | null
}

/** A backend's servers have slots of their own, in the order of `object.servers`. */
export interface PlacedBackend extends Placed<Backend> {
  readonly serverSlots: readonly number[]
  /** Slots of the servers' breakers, in the same order; empty if the backend has none. */
  readonly breakerSlots: readonly number[]
}

/**
 * Middlewares with state have places of their own in the scoreboard, identified by the frontend (or the backend) and their
 * options, so that their state survives every other change.
 */
export interface PlacedFrontend extends Placed<Frontend> {
  /** For each middleware the number of its slot or its table, or null; empty if none has any. */
  readonly states: readonly (number | null)[]
}

/**
 * The difference between two snapshots, as JSON: the only thing that the control plane sends to the data plane. It is applied
 * in the order backends, frontends, listeners, deletes of backends, so that no object is in force without those it names.
 */
export interface Delta {
  /** 1, 2, 3 ... without gaps; a fresh thread gets everything as one delta with the current number. */
  readonly number: number
  readonly upserts: {
    readonly listeners: readonly PlacedListener[]
    readonly backends: readonly PlacedBackend[]
    readonly frontends: readonly PlacedFrontend[]
  }
  readonly deletes: {
    readonly listeners: readonly string[]
    readonly backends: readonly string[]
    readonly frontends: readonly string[]
  }
}
