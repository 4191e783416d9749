/**
 * What is declared, after parsing: total (every default filled), plain and readonly. The control plane makes these
 * objects, `Delta` carries them to the serving threads as JSON, the data plane compiles them. Nothing here has behaviour.
 */

/** A TCP address to listen on. Port 0 takes a free one (tests). */
export interface Address {
  readonly host: string
  readonly port: number
}

/** A certificate chain and its key, both PEM text (read at admission, so that a missing file is a problem of its object). */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** What is forwarded of paths that have two readings: nothing, the reading that is matched, or what was sent. See http/path-policy.ts. */
export type PathPolicy = 'reject' | 'normalize' | 'preserve'

export interface Listener {
  readonly id: string
  readonly address: Address
  readonly protocol: 'http' | 'https'
  readonly paths: PathPolicy
  /** A route expression, see routing/: requests that it does not hold for find no route. Null: all may. */
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
  /** As declared, it may have no certificate: those of hosts are added before it is in force. */
  readonly tls: {
    readonly certificates: readonly Certificate[]
    /** Only names that a certificate covers are served: there is no default certificate, and a connection is for its own names. */
    readonly strictSni: boolean
  } | null
}

/** A certificate for every https listener. Only its parts cross to the data plane, inside listeners. */
export interface HostCertificate {
  readonly id: string
  readonly certificate: Certificate
  /** Shown to clients that ask for no name, or for one that no certificate covers. */
  readonly isDefault: boolean
}

/** What people note down of an object: shown with it, without effect on traffic. */
export type Labels = Readonly<Record<string, string>>

export interface Server {
  readonly id: string
  /** Canonical: `http://host:port` or `https://host:port`, no path; `unix:/path`. Known with its backend's id by this. */
  readonly url: string
  readonly scheme: 'http' | 'https'
  /** Without brackets for IPv6; a name that is whole ends in a dot; the path of a unix socket. */
  readonly host: string
  /** Of a unix socket 0. */
  readonly port: number
  /** 1 to 1000. */
  readonly weight: number
  /** Only when no other server may be used. */
  readonly backup: boolean
  /** It gets no new requests; those under way finish. */
  readonly drain: boolean
  /** Null when there are none, here and below: most objects have none, and there may be 100,000. */
  readonly labels: Labels | null
}

export interface Backend {
  readonly id: string
  /** The name of a balancer, see upstream/balancing/balancer.ts. A balancer with options has them in a member of its name (`hash`). */
  readonly balance: string
  /** A client comes back to the server that answered it first. */
  readonly sticky: Sticky | null
  readonly timeouts: Timeouts
  readonly limits: {
    /** Connections in use to one server at a time, over all threads; 0 is no limit. */
    readonly connections: number
    /** Idle connections kept to one server by one thread. */
    readonly idle: number
    /** How long an idle connection is kept. */
    readonly idleMs: number
    /** Of an answer's head. */
    readonly headBytes: number
    readonly fields: number
  }
  /** Towards https servers. */
  readonly tls: {
    readonly verify: boolean
    /** PEM text of the authorities that are trusted instead of the built-in ones. */
    readonly ca: string | null
    /** Name to ask for and to verify instead of the url's host. */
    readonly serverName: string | null
  }
  /** Probes; null: the servers are not asked. */
  readonly health: HealthCheck | null
  /** By what the requests themselves tell. */
  readonly ejection: Ejection
  /** Below this share of usable servers, 0 to 1, health and ejection are ignored: then all are used. */
  readonly panic: number
  /** How long a server that has come (back) takes to get its whole share; 0: at once. */
  readonly slowStartMs: number
  /** Of each server: one that is tripped is passed over. */
  readonly breaker: BreakerSpec | null
  readonly retry: Retry
  readonly retryBudget: RetryBudget
  readonly servers: readonly Server[]
  readonly labels: Labels | null
}

export interface Sticky {
  readonly cookie: string
  /** What the cookie is signed with; null: a key of this process, which other instances and a restart do not know. */
  readonly secret: string | null
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly path: string
  /** 0: until the browser is closed. */
  readonly maxAgeSeconds: number
}

/** How long each phase of a request to a server may take. 0 is no limit, where it is said. */
export interface Timeouts {
  readonly connectMs: number
  /** Of a TLS handshake, once connected. */
  readonly handshakeMs: number
  /** From the whole request sent to the first byte of the answer. */
  readonly firstByteMs: number
  /** Without progress while an answer (or a request body) is on its way. */
  readonly stallMs: number
  /** From one attempt's begin to its answer's head; 0: no limit. */
  readonly tryMs: number
  /** From the request's head to the answer's end, over all attempts; 0: no limit. */
  readonly requestMs: number
  /** Without a byte in either direction of a tunnel (WebSocket); 0: no limit. */
  readonly tunnelMs: number
}

export interface HealthCheck {
  /** Null: a server is well when it takes a connection. */
  readonly http: {
    readonly method: string
    /** With the query. */
    readonly path: string
    /** Null: the server's own. */
    readonly host: string | null
    readonly headers: Readonly<Record<string, string>>
    /** Both ends are in. */
    readonly statuses: readonly (readonly [from: number, to: number])[]
    /** RE2; null: the body does not matter. */
    readonly body: string | null
  } | null
  /** Null: the server's own. */
  readonly port: number | null
  readonly intervalMs: number
  /** While it is down. */
  readonly downIntervalMs: number
  readonly timeoutMs: number
  /** Successes in a row that make it up. */
  readonly rise: number
  /** Failures in a row that make it down. */
  readonly fall: number
  /** Each wait is longer or shorter by up to this share, 0 to 1. */
  readonly jitter: number
  /** A new server gets no requests before its first success. */
  readonly waitHealthy: boolean
}

export interface Ejection {
  /** Gateway failures in a row (no connection, reset, time limit, garbage); 0: not looked at. */
  readonly failures: number
  /** Failures and answers of 5xx in a row; 0: not looked at. */
  readonly errors: number
  readonly successRate: {
    /** This many standard deviations below the other servers of the pool. */
    readonly deviations: number
    /** Over at least so many requests of each server. */
    readonly requests: number
  } | null
  /** Of the first ejection; each further one takes as long again, each quiet time as long as that one takes one back. */
  readonly baseMs: number
  readonly longestMs: number
  /** At most this share of the pool's servers at a time, 0 to 1. */
  readonly share: number
}

/** See policy/breaking/breaker.ts. */
export interface BreakerSpec {
  /** As in vulcand: `NetworkErrorRatio() > 0.5`. */
  readonly condition: string
  /** Answers within the window below which it never trips. */
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
  /** What is sent, with its Content-Type in `headers`; '' for nothing. */
  readonly body: string
}

export interface Retry {
  /** Attempts in all, the first included. */
  readonly attempts: number
  /** A failover predicate as in vulcand; null: errors of the connection, and lost or late answers of idempotent requests. */
  readonly when: string | null
  /** Before the second attempt; doubles, with jitter. 0: at once. */
  readonly backoffMs: number
  readonly longestBackoffMs: number
  /** Body bytes that are kept to be sent again; a larger body is streamed and sent once. */
  readonly bufferBytes: number
  /** A second copy of an idempotent request to another server when there is no answer yet; the first answer wins. */
  readonly hedge: Hedge | null
}

/** After a fixed time, or when the answer takes longer than this share of the backend's recent ones, 0 to 1. */
export type Hedge =
  | { readonly afterMs: number; readonly quantile: null }
  | { readonly afterMs: null; readonly quantile: number }

/** Over all threads: this share of the backend's requests, 0 to 1, and so many a second whatever their number. */
export interface RetryBudget {
  readonly ratio: number
  readonly perSecond: number
}

/** One step on a frontend's way: a kind of the middleware catalog and its validated options. */
export interface MiddlewareSpec {
  readonly kind: string
  readonly options: unknown
}

export interface Frontend {
  readonly id: string
  /** A route expression, see routing/. */
  readonly route: string
  /** Explicit rank, higher first; null: by specificity. */
  readonly priority: number | null
  /** Null when a middleware (respond, redirect) always answers. */
  readonly backend: string | null
  /** Send the client's Host on (true) or the server's own. */
  readonly passHost: boolean
  /** Null: the listener's. */
  readonly paths: PathPolicy | null
  /** What is declared here goes before the backend's. */
  readonly timeouts: Partial<Timeouts> | null
  /** Instead of the backend's. */
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

/** A backend's servers have slots of their own, in the order of `object.servers`. */
export interface PlacedBackend extends Placed<Backend> {
  readonly serverSlots: readonly number[]
  /** What the servers' breakers are counted in, in the same order; empty when the backend has none. */
  readonly breakerSlots: readonly number[]
}

/**
 * Middlewares that remember have places in the scoreboard of their own, known by the frontend (or the backend) and their
 * options: what they remember survives every change around them.
 */
export interface PlacedFrontend extends Placed<Frontend> {
  /** For each middleware the number of its slot or its table, or null; empty when none has any. */
  readonly states: readonly (number | null)[]
}

/**
 * The difference between two snapshots, JSON-safe: what crosses the seam between the planes. Applied in the order
 * backends, frontends, listeners (deletes after upserts), so that no object is ever in force without what it names.
 */
export interface Delta {
  /** 1, 2, 3 ... without gaps; a fresh thread gets everything as one delta with the current number. */
  readonly number: number
  readonly upserts: {
    readonly listeners: readonly Placed<Listener>[]
    readonly backends: readonly PlacedBackend[]
    readonly frontends: readonly PlacedFrontend[]
  }
  readonly deletes: {
    readonly listeners: readonly string[]
    readonly backends: readonly string[]
    readonly frontends: readonly string[]
  }
}
