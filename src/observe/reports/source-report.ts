/** How it stands with one source of declarations: what /api/providers shows and /metrics counts. Times are ms since the epoch. */
export interface SourceReport {
  readonly name: string
  /** `file`, `etcd` ... */
  readonly kind: string
  /** Where it is on this machine: of the file, a directory, a store. */
  readonly path?: string
  readonly state: SourceState
  /** Of the state. */
  readonly since: number
  /** The source's own, of what was heard last. */
  readonly revision: string | null
  /** Why it cannot be read, or is not listened to. */
  readonly error: string | null
  /** Readiness waits for it. */
  readonly required: boolean
  readonly objects: number
  readonly setAside: number
  /** Objects of it that another source goes before. */
  readonly conflicts: number
  /** When all of it was read last. */
  readonly lastSyncAt: number | null
  readonly lastEventAt: number | null
  readonly events: number
  /** How often all of it was read, by why. */
  readonly resyncs: Readonly<Record<string, number>>
  /** How often it was lost. */
  readonly losses: number
  /** Changes that were put off because their objects change too often. */
  readonly flaps: number
  /** A shrink that is not believed yet; `until` null: an operator has to confirm it. */
  readonly held: {
    readonly objects: number
    readonly since: number
    readonly until: number | null
    readonly reason: string
  } | null
  /** What was saved of it; `serving`: it is in force, because the source has not been heard since the start. */
  readonly lastGood: {
    readonly savedAt: number | null
    readonly serving: boolean
    readonly error: string | null
  } | null
}

export const SOURCE_STATES = ['connecting', 'syncing', 'live', 'stale', 'failed'] as const

export type SourceState = (typeof SOURCE_STATES)[number]
