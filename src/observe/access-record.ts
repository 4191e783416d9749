/** One finished exchange, as the access log, the metrics and later the trace see it. */
import type { Reason } from '../http/errors.ts'

export interface AccessRecord {
  /** When the head was read, ms since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  readonly listener: string
  /** '' when no route was found. */
  readonly frontend: string
  readonly backend: string
  /** The server's url, '' when none was reached. */
  readonly server: string
  readonly attempts: number
  /** The effective client (behind trusted peers), and the peer itself. */
  readonly clientIp: string
  readonly peerIp: string
  readonly peerPort: number
  readonly method: string
  readonly host: string
  /** As the client sent it, query included; raw latin1, hostile. */
  readonly target: string
  readonly version: string
  readonly scheme: 'http' | 'https'
  /** 0 when the client left before an answer began. */
  readonly status: number
  /** Why the proxy answered itself or ended the exchange; null when the server's answer went through whole. */
  readonly reason: Reason | null
  /** What was seen, for people. */
  readonly detail: string
  readonly bytesIn: number
  readonly bytesOut: number
  readonly requestId: string
  readonly userAgent: string
  readonly referer: string
}
