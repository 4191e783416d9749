/** The messages between the main thread and a serving thread. No request causes one. */
import type { Update } from '../control/publication/publisher.ts'
import type { NameChange } from '../dns/names.ts'
import type { AccessFormat, ErrorForm, RouteOrder } from '../model/settings.ts'
import type { InheritedSockets, ListeningSocket } from '../model/listening-socket.ts'
import type { Address } from '../model/snapshot.ts'
import type { ListenerState } from '../observe/reports/listener-report.ts'
import type { ScoreboardMemory } from '../scoreboard/scoreboard.ts'

/** The start parameters of a serving thread: the first message to a worker. */
export interface ThreadStart {
  readonly thread: number
  /** How many serve. */
  readonly threads: number
  readonly memory: ScoreboardMemory
  readonly trusted: readonly string[]
  readonly routeOrder: RouteOrder
  /** Absent: that of Sluice. */
  readonly errorForm?: ErrorForm
  /** Address of the admin, as configured. */
  readonly admin: Address
  readonly access: AccessFormat
  /** The same in every thread as long as the program runs. */
  readonly secret: Uint8Array
  /** The same in every thread, so that a TLS session resumes in any thread; see ticket-keys.ts. */
  readonly ticketKeys: Uint8Array
  /** Clients may wait for certificates that are ordered on demand. */
  readonly ordersOnDemand?: boolean
  /** Other threads listen on the same ports. */
  readonly reusePort: boolean
  /** Listening sockets of the program before this one, or of systemd; absent: none. */
  readonly inherited?: InheritedSockets
  /** See pulse.ts. Null with `workers: 0`, where the main thread serves. */
  readonly pulses: SharedArrayBuffer | null
}

export type ToThread =
  | Update
  /** Names whose addresses have changed. */
  | { readonly kind: 'names'; readonly changes: readonly NameChange[] }
  /** Peers whose forwarding headers are trusted from now on. */
  | { readonly kind: 'trusted'; readonly blocks: readonly string[] }
  /** For TLS sessions from now on. */
  | { readonly kind: 'ticket keys'; readonly keys: Uint8Array }
  /** Close the inherited sockets whose listener is no more. */
  | { readonly kind: 'drop inherited' }
  /** Another process goes on with the listening sockets. */
  | { readonly kind: 'passed on' }
  /** Send `sockets`. */
  | { readonly kind: 'sockets' }
  /** Stop accepting, finish the exchanges in flight, then send `drained`. */
  | { readonly kind: 'drain' }
  /** The drain took too long: end the exchanges in flight, then send `drained`. */
  | { readonly kind: 'cut' }
  /** A name that clients wait for gets no certificate now. */
  | { readonly kind: 'certificate refused'; readonly name: string }
  /** Another thread is short of file descriptors: close idle connections. */
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
  /** The state after listeners that could not be bound were tried again; `number` is that of the last change applied. */
  | {
      readonly kind: 'listeners'
      readonly number: number
      readonly problems: readonly string[]
      readonly listeners: readonly ListenerState[]
      readonly ports: Readonly<Record<string, number>>
    }
  /** Access log lines, transferred. */
  | { readonly kind: 'lines'; readonly lines: Uint8Array<ArrayBuffer> }
  /** A warning for the log. */
  | { readonly kind: 'notice'; readonly text: string }
  /** A client in the thread connects to this name: the main thread is to resolve it from now on. */
  | { readonly kind: 'name'; readonly name: string }
  /** A client waits for a certificate of this name. */
  | { readonly kind: 'certificate wanted'; readonly name: string }
  /** Requests wait for a server of this backend, which scales from zero. */
  | { readonly kind: 'wake'; readonly backend: string }
  /** A fault of Sluice itself, caught in one exchange or in one object of a change. */
  | { readonly kind: 'fault'; readonly at: 'exchange' | 'apply'; readonly stack: string }
  /** The delay of the thread's event loop during the last second. */
  | { readonly kind: 'loop'; readonly p99Ms: number; readonly maxMs: number }
  /** Shortages of the machine: how often each, by the code of the error. */
  | { readonly kind: 'shortages'; readonly met: Readonly<Record<string, number>> }
  /** The listening sockets of the thread, whose descriptors are of the whole process. */
  | { readonly kind: 'sockets'; readonly sockets: readonly ListeningSocket[] }
  | { readonly kind: 'drained' }
