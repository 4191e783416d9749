/** What is fixed at start: default < file < environment (SLUICE_...) < flag. */
import type { AcmeSettings } from './acme-settings.ts'
import type { Address } from './snapshot.ts'
import type { TemplateSettings } from './template-settings.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** `common` and `combined` are the formats of Apache httpd by these names, with the reason at the end of a line. */
export const ACCESS_FORMATS = ['json', 'common', 'combined', 'off'] as const
export type AccessFormat = (typeof ACCESS_FORMATS)[number]

/** Which of several routes that match takes a request, see docs/routes.md. */
export const ROUTE_ORDERS = ['specific', 'vulcand'] as const
export type RouteOrder = (typeof ROUTE_ORDERS)[number]

/** How errors are written to clients, see docs/errors.md. */
export const ERROR_FORMS = ['sluice', 'vulcand'] as const
export type ErrorForm = (typeof ERROR_FORMS)[number]

export interface Settings {
  /** Serving threads; 0 serves on the main thread. `auto` in the file becomes the number of cores. */
  readonly workers: number
  readonly admin: AdminSettings
  /** CIDR blocks of peers whose forwarding headers are used. */
  readonly trusted: readonly string[]
  readonly routing: { readonly order: RouteOrder }
  readonly errors: { readonly form: ErrorForm }
  readonly log: {
    readonly level: LogLevel
    readonly access: AccessFormat
    /** A path, or null for standard output. */
    readonly path: string | null
  }
  /** How long a drain waits for requests in flight. */
  readonly drainMs: number
  /** The folder for what Sluice writes: the embedded store and last good snapshots. */
  readonly data: string
  /** How long readiness waits for required sources. */
  readonly startMs: number
  /** How names of servers are resolved. */
  readonly resolver: ResolverSettings
  /** What several programs derive the keys of session tickets from; null: each has its own keys. */
  readonly ticketSecret: string | null
  /** In order of precedence, after the file itself. The files that they name are paths until they are opened. */
  readonly sources: readonly SourceSpec[]
  /** Certificates that are ordered; null: none are. */
  readonly acme: AcmeSettings | null
  /** Null: metrics are not sent anywhere. */
  readonly statsd: StatsdSettings | null
  readonly scaling: ScalingSettings
  /** Files that are rendered. The files that they name are paths until they are opened. */
  readonly templates: readonly TemplateSettings[]
}

/** Of all backends with `scale`. */
export interface ScalingSettings {
  /** The source whose registry decides which of several instances acts, and carries their measures; null: this one is alone. */
  readonly lock: string | null
  /** The name of this instance there; null: its host and its process id. */
  readonly instance: string | null
  /** Decisions of all backends change nothing. */
  readonly dryRun: boolean
}

export interface StatsdSettings {
  readonly address: Address
  /** Before each name; '' for none. */
  readonly prefix: string
  /** Ids are tags of DogStatsD instead of parts of names. */
  readonly tags: boolean
}

/** What a client of the admin may do; each may do what those before it may. */
export const ADMIN_ROLES = ['read', 'drain', 'write'] as const
export type AdminRole = (typeof ADMIN_ROLES)[number]

/** What a client without a token or a certificate may do. */
export const ANONYMOUS_ROLES = ['none', 'metrics', 'read', 'drain', 'write'] as const
export type AnonymousRole = (typeof ANONYMOUS_ROLES)[number]

export interface AdminSettings {
  readonly address: Address
  /** Further names and addresses by which clients may reach it. */
  readonly hosts: readonly string[]
  /** The path of a unix socket that it also serves; null: none. */
  readonly socket: string | null
  readonly tokens: readonly AdminToken[]
  /** Null: plain HTTP. The files are paths until the admin is opened. */
  readonly tls: AdminTls | null
  /** Null: `write` on loopback and the socket while there are no tokens and no client certificates, else `none`. */
  readonly anonymous: AnonymousRole | null
  /** The source that the API writes; null: the only one that can be written. */
  readonly write: string | null
}

export interface AdminToken {
  readonly name: string
  readonly role: AdminRole
  /** Of the token, 64 lower-case hexadecimal digits. */
  readonly sha256: string
}

export interface AdminTls {
  readonly cert: string
  readonly key: string
  /** Clients with a certificate of these authorities have the role. */
  readonly clients: { readonly ca: string; readonly role: AdminRole } | null
}

/**
 * A registry or directory that declares objects besides the file. It also has the options of its kind, which only the kind
 * knows, see providers/source-kind.ts.
 */
export interface SourceSpec {
  readonly kind: string
  /** Its key under `sources`, in `name@source`. */
  readonly name: string
  /** Readiness waits for its first declaration, or for `startMs`. */
  readonly required: boolean
  readonly shrink: ShrinkSettings
}

/** How much may vanish at once before the change is accepted, see control/sources/. */
export interface ShrinkSettings {
  /** How long vanished objects stay in force until a second list confirms the change; null: until an operator confirms it. */
  readonly holdMs: number | null
  /** The share of objects that must vanish at once to be held, 0 to 1. */
  readonly share: number
  /** Accept an empty source immediately. */
  readonly allowEmpty: boolean
}

/** How names of servers are resolved. */
export interface ResolverSettings {
  /** `10.0.0.2` or `10.0.0.2:5353`, `[fd00::1]:53`. Empty: those of /etc/resolv.conf. */
  readonly servers: readonly string[]
  /** Domains that complete a name; null: those of /etc/resolv.conf. */
  readonly search: readonly string[] | null
  /** A name with at least this many dots is tried as it is first; null: as /etc/resolv.conf says. */
  readonly ndots: number | null
  /** The hosts file; null: the system's. */
  readonly hosts: string | null
  /** Of one query to one DNS server. */
  readonly timeoutMs: number
  /** How often one query is sent before it fails. */
  readonly attempts: number
  readonly minTtlMs: number
  readonly maxTtlMs: number
  /** The longest time between two lookups of a name whose addresses are servers. */
  readonly refreshMs: number
  /** How long a name with `resolve: all` keeps its addresses once it has none any more; null: forever. */
  readonly holdMs: number | null
}

/** The keys of a file that are settings; its other keys are sections of objects. */
export const SETTING_KEYS = [
  'workers',
  'admin',
  'trusted',
  'routing',
  'errors',
  'log',
  'drain',
  'start',
  'data',
  'resolver',
  'tls',
  'sources',
  'acme',
  'statsd',
  'scaling',
  'templates',
] as const

export type SettingKey = (typeof SETTING_KEYS)[number]
