/** What the main thread and a serving thread say to each other. Requests never cross here. */
import type { Update } from '../control/publication/publisher.ts'
import type { NameNews } from '../dns/names.ts'
import type { AccessFormat } from '../model/settings.ts'
import type { Address } from '../model/snapshot.ts'
import type { ListenerState } from '../observe/reports/listener-report.ts'
import type { ScoreboardMemory } from '../scoreboard/scoreboard.ts'

/** What a serving thread is started with. */
export interface ThreadStart {
  readonly thread: number
  readonly memory: ScoreboardMemory
  readonly trusted: readonly string[]
  /** Of the admin, as it is set. */
  readonly admin: Address
  readonly access: AccessFormat
  /** The same in every thread, so that TLS sessions resume whichever takes the connection. */
  readonly ticketKeys: Uint8Array
  /** Other threads listen on the same ports. */
  readonly reusePort: boolean
  /** See pulse.ts. Null: the main thread is the one that would look. */
  readonly pulses: SharedArrayBuffer | null
}

export type ToThread =
  | Update
  /** Where names lead now. */
  | { readonly kind: 'names'; readonly news: readonly NameNews[] }
  /** Whose forwarding fields are believed from now on. */
  | { readonly kind: 'trusted'; readonly blocks: readonly string[] }
  /** Stop accepting, finish what is under way, then say `drained`. */
  | { readonly kind: 'drain' }
  /** Another thread is short of descriptors. */
  | { readonly kind: 'give up idle' }

export type FromThread =
  | {
      readonly kind: 'applied'
      readonly number: number
      readonly problems: readonly string[]
      readonly listeners: readonly ListenerState[]
      /** Listeners that are open, with their ports. */
      readonly ports: Readonly<Record<string, number>>
    }
  /** Listeners that could not be bound were tried again: what is so now, under the number that was applied last. */
  | {
      readonly kind: 'listeners'
      readonly number: number
      readonly problems: readonly string[]
      readonly listeners: readonly ListenerState[]
      readonly ports: Readonly<Record<string, number>>
    }
  /** Access log lines, transferred. */
  | { readonly kind: 'lines'; readonly lines: Uint8Array<ArrayBuffer> }
  /** Something that an operator should know. */
  | { readonly kind: 'notice'; readonly text: string }
  /** A name that a client of the thread connects to is to be followed. */
  | { readonly kind: 'name'; readonly name: string }
  /** A fault of ours, caught in one exchange, or in one object of a change. */
  | { readonly kind: 'fault'; readonly at: 'exchange' | 'apply'; readonly stack: string }
  /** How long the thread's event loop was held up, over the last second. */
  | { readonly kind: 'loop'; readonly p99Ms: number; readonly maxMs: number }
  /** What the machine did not give, by code, and how often. */
  | { readonly kind: 'shortages'; readonly met: Readonly<Record<string, number>> }
  | { readonly kind: 'drained' }
