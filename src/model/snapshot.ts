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

/** `reject` refuses paths that have two readings; `normalize` rewrites them before they are matched and forwarded. */
export type PathPolicy = 'reject' | 'normalize'

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
  readonly tls: { readonly certificates: readonly Certificate[] } | null
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
  /** Canonical: `http://host:port` or `https://host:port`, no path. Known with its backend's id by this. */
  readonly url: string
  readonly scheme: 'http' | 'https'
  /** Without brackets for IPv6. */
  readonly host: string
  readonly port: number
  /** 1 to 1000. */
  readonly weight: number
  /** Null when there are none, here and below: most objects have none, and there may be 100,000. */
  readonly labels: Labels | null
}

export interface Backend {
  readonly id: string
  readonly balance: 'round-robin' | 'least-connections'
  readonly timeouts: {
    readonly connectMs: number
    /** From the whole request sent to the first byte of the answer. */
    readonly firstByteMs: number
    /** Without progress while an answer (or a request body) is on its way. */
    readonly stallMs: number
  }
  readonly limits: {
    /** Connections in use to one server at a time, over all threads; 0 is no limit. */
    readonly connections: number
    /** Idle connections kept to one server by one thread. */
    readonly idle: number
    /** How long an idle connection is kept. */
    readonly idleMs: number
  }
  /** Towards https servers. */
  readonly tls: {
    readonly verify: boolean
    /** PEM text of the authorities that are trusted instead of the built-in ones. */
    readonly ca: string | null
    /** Name to ask for and to verify instead of the url's host. */
    readonly serverName: string | null
  }
  readonly servers: readonly Server[]
  readonly labels: Labels | null
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
    readonly frontends: readonly Placed<Frontend>[]
  }
  readonly deletes: {
    readonly listeners: readonly string[]
    readonly backends: readonly string[]
    readonly frontends: readonly string[]
  }
}
