/** vulcand's API: /v2. Members have vulcand's names. */
import { type CallOptions, pathOf, type Query, toSignal, type Transport } from './transport.ts'
import { memberOf } from './sluice-error.ts'

export interface VulcandTls {
  readonly PreferServerCipherSuites: boolean
  readonly InsecureSkipVerify: boolean
  readonly MinVersion: string
  readonly MaxVersion: string
  readonly SessionTicketsDisabled: boolean
  readonly SessionCache: {
    readonly Type: string
    readonly Settings: { readonly Capacity: number } | null
  }
  readonly CipherSuites: readonly string[] | null
}

export interface VulcandHost {
  readonly Name: string
  readonly Settings: {
    readonly Default: boolean
    readonly KeyPair: { readonly Key: string; readonly Cert: string } | null
    readonly AutoCert: unknown
    readonly OCSP: {
      readonly Enabled: boolean
      readonly Period: string
      readonly Responders: readonly string[] | null
      readonly SkipSignatureCheck: boolean
    }
  }
}

export interface VulcandListener {
  readonly Id: string
  readonly Protocol: string
  readonly Address: { readonly Network: string; readonly Address: string }
  readonly Scope: string
  readonly Settings?: { readonly TLS: VulcandTls } | null
  readonly ProxyProtocol: string
}

export interface VulcandBackend {
  readonly Id: string
  readonly Type: string
  readonly Settings: {
    readonly Timeouts: {
      readonly Read: string
      readonly Dial: string
      readonly TLSHandshake: string
    }
    readonly KeepAlive: { readonly Period: string; readonly MaxIdleConnsPerHost: number }
    readonly TLS?: VulcandTls
  }
}

export interface VulcandServer {
  readonly Id: string
  readonly URL: string
}

export interface VulcandFrontend {
  readonly Id: string
  readonly Route: string
  readonly Type: string
  readonly BackendId: string
  readonly Settings: {
    readonly Limits: { readonly MaxMemBodyBytes: number; readonly MaxBodyBytes: number }
    readonly FailoverPredicate: string
    readonly Hostname: string
    readonly TrustForwardHeader: boolean
    readonly PassHostHeader: boolean
    readonly Stream: boolean
    readonly StreamFlushIntervalNanoSecs: number
  }
}

export interface VulcandMiddleware {
  readonly Id: string
  readonly Priority: number
  readonly Type: string
  /** The options of its type. */
  readonly Middleware: Readonly<Record<string, unknown>>
}

export interface VulcandStats {
  readonly Verdict: { readonly IsBad: boolean; readonly Anomalies: readonly unknown[] | null }
  readonly Counters: {
    /** In ns. */
    readonly Period: number
    readonly NetErrors: number
    readonly Total: number
    readonly StatusCodes: readonly { readonly Code: number; readonly Count: number }[]
  }
  /** Values in ns. */
  readonly LatencyBrackets: readonly { readonly Quantile: number; readonly Value: number }[]
}

/** What is left out has vulcand's default. */
export type VulcandInput<T> = {
  readonly [Name in keyof T]?: T[Name] extends object | null ? VulcandInput<T[Name]> : T[Name]
}

export interface VulcandWrite extends CallOptions {
  /** As Go writes durations: `10s`. Of frontends, servers and middlewares. */
  readonly ttl?: string
  readonly dryRun?: boolean
  /** A revision. */
  readonly ifMatch?: string
}

export interface VulcandRead extends CallOptions {
  readonly secrets?: boolean
}

export interface VulcandObjects<T> {
  list(options?: VulcandRead): Promise<readonly T[]>
  get(id: string, options?: VulcandRead): Promise<T>
  /** Creates or replaces it. */
  upsert(object: VulcandInput<T>, options?: VulcandWrite): Promise<T>
  /** Resolves with the message. */
  delete(id: string, options?: Omit<VulcandWrite, 'ttl'>): Promise<string>
}

export interface TopOptions extends CallOptions {
  /** 0: all. */
  readonly limit?: number
  readonly backend?: string
}

export interface Vulcand {
  readonly hosts: VulcandObjects<VulcandHost>
  readonly listeners: VulcandObjects<VulcandListener>
  readonly backends: VulcandObjects<VulcandBackend>
  readonly frontends: VulcandObjects<VulcandFrontend>
  servers(backend: string): VulcandObjects<VulcandServer>
  middlewares(frontend: string): VulcandObjects<VulcandMiddleware>
  topFrontends(
    options?: TopOptions,
  ): Promise<readonly (VulcandFrontend & { readonly Stats: VulcandStats })[]>
  topServers(
    options?: TopOptions,
  ): Promise<readonly (VulcandServer & { readonly Stats: VulcandStats })[]>
  severity(options?: CallOptions): Promise<string>
  /** Resolves with the message. */
  setSeverity(severity: string, options?: CallOptions): Promise<string>
  status(options?: CallOptions): Promise<string>
}

export function createVulcand(transport: Transport): Vulcand {
  async function ask(
    method: string,
    path: string,
    options: VulcandWrite & VulcandRead = {},
    query: Query = {},
    body?: unknown,
  ): Promise<unknown> {
    const { ifMatch, dryRun, secrets } = options
    const response = await transport.request({
      ...{ method, path, body, query: { dryRun, secrets, ...query } },
      headers: { 'If-Match': ifMatch === undefined ? undefined : `"${ifMatch}"` },
      ...toSignal(options),
    })
    return response.body
  }

  async function member<T>(name: string, answer: Promise<unknown>): Promise<T> {
    return memberOf(await answer, name) as T
  }

  function objects<T>(wrapper: string, path: string): VulcandObjects<T> {
    const one = (id: string): string => {
      if (id === '') throw new TypeError(`the id of a ${wrapper.toLowerCase()} is empty`)
      return path + pathOf(id)
    }
    return {
      list: (options) => member(`${wrapper}s`, ask('GET', path, options)),
      get: (id, options) => ask('GET', one(id), options) as Promise<T>,
      upsert(object, { ttl, ...options } = {}) {
        const pack = { [wrapper]: object, ...(ttl === undefined ? {} : { TTL: ttl }) }
        return ask('POST', path, options, {}, pack) as Promise<T>
      },
      delete: (id, options) => member('message', ask('DELETE', one(id), options)),
    }
  }

  function top<T>(list: string, { limit, backend, ...options }: TopOptions = {}): Promise<T> {
    const path = `/v2/top/${list.toLowerCase()}`
    return member(list, ask('GET', path, options, { limit, backendId: backend }))
  }

  return {
    hosts: objects('Host', '/v2/hosts'),
    listeners: objects('Listener', '/v2/listeners'),
    backends: objects('Backend', '/v2/backends'),
    frontends: objects('Frontend', '/v2/frontends'),
    servers: (backend) => objects('Server', `${pathOf('v2', 'backends', backend)}/servers`),
    middlewares: (frontend) =>
      objects('Middleware', `${pathOf('v2', 'frontends', frontend)}/middlewares`),
    topFrontends: (options) => top('Frontends', options),
    topServers: (options) => top('Servers', options),
    severity: (options) => member('severity', ask('GET', '/v2/log/severity', options)),
    setSeverity: (severity, options) =>
      member('message', ask('PUT', '/v2/log/severity', options, { severity })),
    status: (options) => member('Status', ask('GET', '/v2/status', options)),
  }
}
