/** What a link announces, and how it bounds its peer. */
import type { BudgetLimits } from './budget.ts'

export interface LinkOptions {
  readonly role: 'server' | 'client'
  readonly settings: LinkSettings
  readonly budget: BudgetLimits
  readonly timeouts: LinkTimeouts
  /** Requests of the peer that begin in a turn of the event loop; Infinity: all that a read brings. */
  readonly begunAtOnce: number
}

/** What this side announces and enforces. */
export interface LinkSettings {
  /** Of the peer; a client takes none. */
  readonly maxStreams: number
  readonly streamWindow: number
  /** At least 65,535. Data that streams hold back counts: a client's should have room for all streams. */
  readonly connectionWindow: number
  readonly headBytes: number
  readonly fields: number
  /** RFC 8441. */
  readonly enableConnect: boolean
}

export interface LinkTimeouts {
  /** For the preface, and for each frame and head that has begun. */
  readonly headMs: number
  /** For the first SETTINGS, and for the acknowledgement of this side's. */
  readonly settingsMs: number
  /** How long data may wait for the peer's windows, or for the socket, without progress. */
  readonly stallMs: number
}
