/** What is fixed at start: default < file < environment (SLUICE_...) < flag. */
import type { ResolverSettings } from './resolver-settings.ts'
import type { Address } from './snapshot.ts'
import type { SourceSpec } from './source-spec.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

/** `common` and `combined` are the formats of Apache httpd by these names, with the reason at the end of a line. */
export type AccessFormat = 'json' | 'common' | 'combined' | 'off'

export interface Settings {
  /** Serving threads; 0 serves on the main thread. `auto` in the file becomes the number of cores. */
  readonly workers: number
  /** `hosts`: by which it may be asked for besides its own address. */
  readonly admin: { readonly address: Address; readonly hosts: readonly string[] }
  /** CIDR blocks of peers whose forwarding fields are believed. */
  readonly trusted: readonly string[]
  readonly log: {
    readonly level: LogLevel
    readonly access: AccessFormat
    /** A path, or null for standard output. */
    readonly path: string | null
  }
  /** How long a drain waits for what is in flight. */
  readonly drainMs: number
  /** The folder for what Sluice writes itself: the embedded store, the last good snapshots. */
  readonly data: string
  /** How long readiness waits for the sources that are required. */
  readonly startMs: number
  /** How the names of servers are resolved. */
  readonly resolver: ResolverSettings
  /** In order of precedence, after the file itself. Their TLS files are paths yet, see readSourceFiles. */
  readonly sources: readonly SourceSpec[]
}
