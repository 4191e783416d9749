/** The state of the program, and actions on it. Times are ISO 8601 in UTC. */
import { SluiceError } from './sluice-error.ts'
import { type CallOptions, pathOf, type Query, toSignal, type Transport } from './transport.ts'

export interface ServerState {
  readonly backend: string
  readonly id: string
  readonly url: string
  readonly state: 'unknown' | 'up' | 'failing' | 'down' | 'draining' | 'ejected'
  readonly since: string
  readonly reason: string | null
  /** The share of its turns that it takes, 0 to 1. */
  readonly admit: number
  readonly inFlight: number
  readonly ejections: number
  readonly lastProbe: {
    readonly ok: boolean
    readonly at: string
    readonly reason: string | null
  } | null
  /** What its last connection speaks, if that is chosen as it connects. */
  readonly protocol?: 'h2' | 'http/1.1'
}

export interface BreakerState {
  readonly frontend: string | null
  readonly backend: string | null
  readonly server: string | null
  readonly condition: string
  readonly state: string
  readonly since: string
  readonly trips: number
  /** The share of requests that it lets through, 0 to 1. */
  readonly share: number
}

export interface SourceState {
  readonly name: string
  readonly kind: string
  /** Of a file, a directory or a store. */
  readonly path?: string
  readonly state: 'connecting' | 'syncing' | 'live' | 'stale' | 'failed'
  readonly since: string
  readonly error: string | null
  readonly revision: string | null
  readonly required: boolean
  readonly objects: number
  readonly setAside: number
  readonly conflicts: number
  readonly lastSyncAt: string | null
  readonly lastEventAt: string | null
  readonly held: {
    readonly objects: number
    readonly since: string
    readonly until: string | null
    readonly reason: string
  } | null
}

export interface Certificates {
  readonly certificates: readonly {
    readonly names: readonly string[]
    readonly kind: string
    readonly id: string
    readonly source: string
    readonly issuer: string
    readonly fingerprint: string
    readonly validToAt: string
    readonly endsAt: string
    readonly listeners: readonly string[]
  }[]
  readonly acme: {
    readonly storeError: string | null
    readonly names: readonly {
      readonly name: string
      readonly state: string
      readonly reason: string | null
    }[]
  }
}

export interface Scale {
  /** This instance may change numbers of replicas. */
  readonly acting: boolean
  readonly holder: string | null
  readonly problem: string | null
  readonly backends: readonly {
    readonly backend: string
    readonly kind: string
    readonly min: number
    readonly max: number
    readonly desired: number | null
    /** Null: unknown. */
    readonly observed: number | null
    readonly ready: number
    readonly waiting: number
    readonly panic: boolean
    readonly dryRun: boolean
    readonly asked: {
      readonly replicas: number
      readonly reason: string
      readonly until: string | null
    } | null
    readonly metrics: readonly ScaleMetric[]
    readonly problem: string | null
    /** Null: it has no query. */
    readonly prometheus: {
      readonly value: number | null
      readonly problem: string | null
      readonly failures: number
    } | null
    /** The latest first. */
    readonly decisions: readonly {
      readonly at: string
      readonly from: number
      readonly to: number
      readonly direction: 'up' | 'down'
      readonly reason: string
      readonly restraints: readonly string[]
      readonly outcome: 'done' | 'failed' | 'dry-run'
      readonly error: string | null
    }[]
  }[]
}

export interface ScaleMetric {
  readonly metric: string
  readonly window: 'stable' | 'panic'
  /** Requests in flight, requests per second, or seconds. */
  readonly value: number
  readonly replicas: number
}

export interface Table {
  readonly number: number
  readonly inForce: number
  readonly objects: readonly {
    readonly kind: string
    readonly id: string
    readonly source: string
    readonly key: string
    readonly revision: string
    readonly since: string
    /** With all defaults. */
    readonly object: unknown
  }[]
  readonly setAside: readonly {
    readonly kind: string
    readonly id: string
    readonly source: string
    readonly key: string
    readonly message: string
  }[]
  readonly problems: readonly {
    readonly kind: string
    readonly id: string
    readonly message: string
    readonly level?: 'warning' | 'hint'
  }[]
  readonly threadProblems: readonly string[]
}

export interface Readiness {
  readonly ready: boolean
  /** To clients with a role. */
  readonly reason?: string
  readonly notListening?: readonly unknown[]
}

export interface DrainResult {
  readonly backend: string
  readonly server: string
  readonly drain: boolean
  readonly outcome: 'changed' | 'unchanged'
  readonly revision: string | null
}

export interface DrainOptions extends CallOptions {
  readonly dryRun?: boolean
  /** A revision of the object that holds the server. */
  readonly ifMatch?: string
}

export interface OfBackend extends CallOptions {
  readonly backend?: string
}

export interface State {
  servers(options?: OfBackend): Promise<readonly ServerState[]>
  breakers(options?: OfBackend): Promise<readonly BreakerState[]>
  sources(options?: CallOptions): Promise<readonly SourceState[]>
  certificates(options?: CallOptions): Promise<Certificates>
  /** Backends with `scale`: their replicas, and the last decisions. */
  scale(options?: CallOptions): Promise<Scale>
  /** What is in force, and what is set aside and why. */
  table(options?: CallOptions & { readonly kind?: string; readonly id?: string }): Promise<Table>
  /** The server gets no new requests. */
  drain(backend: string, server: string, options?: DrainOptions): Promise<DrainResult>
  undrain(backend: string, server: string, options?: DrainOptions): Promise<DrainResult>
  /** Confirms that the held objects of a source are gone. Resolves with what was done. */
  confirm(source: string, options?: CallOptions): Promise<string>
  /** Reads a source again. */
  reload(source: string, options?: CallOptions): Promise<string>
  /** Whether the first configuration is in force in every worker, and no drain has begun. */
  readiness(options?: CallOptions): Promise<Readiness>
  /** For Prometheus. */
  metrics(options?: CallOptions): Promise<string>
}

export function createState(transport: Transport): State {
  async function read<T>(path: string, options: CallOptions, query: Query = {}): Promise<T> {
    const { body } = await transport.request({ method: 'GET', path, query, ...toSignal(options) })
    return body as T
  }

  async function setDrain(
    verb: 'drain' | 'undrain',
    [backend, server]: readonly [string, string],
    { ifMatch, dryRun, ...options }: DrainOptions = {},
  ): Promise<DrainResult> {
    const { body } = await transport.request({
      ...{ method: 'POST', path: pathOf('api', 'servers', backend, server, verb) },
      query: { dryRun },
      headers: { 'If-Match': ifMatch === undefined ? undefined : `"${ifMatch}"` },
      ...toSignal(options),
    })
    return body as DrainResult
  }

  async function act(verb: string, source: string, options: CallOptions = {}): Promise<string> {
    const path = pathOf('api', 'providers', source, verb)
    const { body } = await transport.request({ method: 'POST', path, ...toSignal(options) })
    return (body as { readonly message: string }).message
  }

  return {
    servers: ({ backend, ...options } = {}) => read('/api/servers', options, { backend }),
    breakers: ({ backend, ...options } = {}) => read('/api/breakers', options, { backend }),
    sources: (options = {}) => read('/api/providers', options),
    certificates: (options = {}) => read('/api/certificates', options),
    scale: (options = {}) => read('/api/scale', options),
    table: ({ kind, id, ...options } = {}) => read('/api/table', options, { kind, id }),
    drain: (backend, server, options) => setDrain('drain', [backend, server], options),
    undrain: (backend, server, options) => setDrain('undrain', [backend, server], options),
    confirm: (source, options) => act('confirm', source, options),
    reload: (source, options) => act('reload', source, options),
    async readiness(options = {}) {
      try {
        return await read<Readiness>('/readyz', options)
      } catch (error) {
        if (error instanceof SluiceError && error.status === 503) return error.body as Readiness
        throw error
      }
    },
    metrics: (options = {}) => read('/metrics', options),
  }
}
