/** One finished stream (a connection that is passed on as it is), as counters and the access log see it. */
import type { AccessRecord } from './access-record.ts'

export interface StreamRecord extends Pick<
  AccessRecord,
  | 'startedAt'
  | 'durationMs'
  | 'listener'
  | 'frontend'
  | 'backend'
  | 'server'
  | 'attempts'
  | 'clientIp'
  | 'peerIp'
  | 'peerPort'
  | 'detail'
> {
  /** The name that the client requested (SNI), hostile; '' if it requested none, or nothing was read. */
  readonly serverName: string
  /** 200 if a server was connected, else that of the reason. */
  readonly status: number
  /** Why the proxy ended or refused it, or which side broke it off; null if a side ended it in order. */
  readonly reason: AccessRecord['reason']
  /** Bytes of the stream from the client, and to it; without TLS and PROXY headers of the proxy itself. */
  readonly bytesIn: number
  readonly bytesOut: number
}
