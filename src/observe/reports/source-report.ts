/** The state of one source of declarations, as /api/providers shows it and /metrics counts it. Times are ms since the epoch. */
export interface SourceReport {
  readonly name: string
  /** `file`, `etcd` ... */
  readonly kind: string
  /** The path of a file, a directory or a store. */
  readonly path?: string
  readonly state: SourceState
  /** When it entered the state. */
  readonly since: number
  /** The source's own number of the last change that was received. */
  readonly revision: string | null
  /** Why it cannot be read or watched. */
  readonly error: string | null
  /** Readiness waits for it. */
  readonly required: boolean
  readonly objects: number
  readonly setAside: number
  /** Objects that another source also declares, with precedence. */
  readonly conflicts: number
  /** When all of it was last read. */
  readonly lastSyncAt: number | null
  readonly lastEventAt: number | null
  readonly events: number
  /** How often all of it was read, by reason. */
  readonly resyncs: Readonly<Record<string, number>>
  /** How often the connection to it was lost. */
  readonly losses: number
  /** Changes that were delayed because their objects change too often. */
  readonly flaps: number
  /** A shrink that is held; `until` null: an operator must confirm it. */
  readonly held: {
    readonly objects: number
    readonly since: number
    readonly until: number | null
    readonly reason: string
  } | null
  /** The saved last good snapshot; `serving`: it is in force, because the source has not responded since the start. */
  readonly lastGood: {
    readonly savedAt: number | null
    readonly serving: boolean
    readonly error: string | null
  } | null
}

export const SOURCE_STATES = ['connecting', 'syncing', 'live', 'stale', 'failed'] as const

export type SourceState = (typeof SOURCE_STATES)[number]
