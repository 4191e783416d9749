/** What is fixed at start: default < file < environment (SLUICE_...) < flag. */
import type { Address } from './snapshot.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

export interface Settings {
  /** Serving threads; 0 serves on the main thread. `auto` in the file becomes the number of cores. */
  readonly workers: number
  readonly admin: { readonly address: Address }
  /** CIDR blocks of peers whose forwarding fields are believed. */
  readonly trusted: readonly string[]
  readonly log: {
    readonly level: LogLevel
    readonly access: 'json' | 'common' | 'off'
    /** A path, or null for standard output. */
    readonly path: string | null
  }
  /** How long a drain waits for what is in flight. */
  readonly drainMs: number
}
