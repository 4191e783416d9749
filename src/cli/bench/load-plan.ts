/** What the thread with the load generator gets, and what it sends back. */
import { isIP } from 'node:net'
import type { RecordableHistogram } from 'node:perf_hooks'

/** Where requests go. */
export interface LoadTarget {
  /** With the address to connect to. */
  readonly url: string
  /** The Host that is sent. */
  readonly host: string
}

/** The name for TLS (SNI) of a Host; empty for an address, which is none (RFC 6066, section 3). */
export function serverNameOf(host: string): string {
  const name = host.replace(/:\d*$/, '')
  return name.startsWith('[') || isIP(name) !== 0 ? '' : name
}

export interface LoadPlan {
  /** Connections are spread over them. */
  readonly targets: readonly LoadTarget[]
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  readonly connections: number
  readonly ms: number
  /** Requests/s over all connections; null: each connection sends when it has its response. */
  readonly rate: number | null
}

/** One window of load. */
export interface LoadWindow {
  readonly seconds: number
  readonly responses: number
  readonly statuses: Readonly<Record<string, number>>
  /** Of connections, by code: they were refused, reset ... */
  readonly errors: Readonly<Record<string, number>>
  /** Requests without a response: the connection was closed, or the response was not HTTP, or too late. */
  readonly unanswered: number
  /** Connections that had waited for a response for more than a second when the window ended. */
  readonly waiting: number
  /** In microseconds. */
  readonly latencies: RecordableHistogram
}

export type LoadReply =
  | { readonly kind: 'window'; readonly window: LoadWindow }
  | { readonly kind: 'failed'; readonly reason: string }
