/** What a serving thread gives its gateway. */
import type { RouteOrder } from '../model/settings.ts'
import type { Inheritance } from '../downstream/inheritance.ts'
import type { Address } from '../model/snapshot.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import type { StreamRecord } from '../observe/stream-record.ts'
import type { ScoreboardMemory } from '../scoreboard/scoreboard.ts'

export interface GatewayOptions {
  /** How many threads serve; absent: this one. */
  readonly threads?: number
  /** This thread's column of the scoreboard. */
  readonly thread: number
  readonly memory: ScoreboardMemory
  readonly trusted: readonly string[]
  /** Absent: the most specific route goes first. */
  readonly routeOrder?: RouteOrder
  /** Of the admin API: no server may lead there. Port 0 is not checked. */
  readonly admin: Address
  /** 48 bytes, the same in every thread as long as the program runs. */
  readonly secret: Buffer
  readonly ticketKeys: Buffer
  readonly reusePort: boolean
  /** Listening sockets that the program has inherited; absent: none. */
  readonly inherited?: Inheritance
  /** A client waits for a certificate of this name; absent: none is ordered on demand. */
  readonly onCertificateWanted?: (name: string) => void
  /** Null if there is no access log: then no records are made. */
  readonly onRecord: ((record: AccessRecord) => void) | null
  /** The same for streams. */
  readonly onStream: ((record: StreamRecord) => void) | null
  /** A warning for the log. */
  readonly onNotice: (text: string) => void
  /** Requests wait for a server of this backend, which scales from zero; absent: no backend is scaled. */
  readonly onWake?: (backend: string) => void
  /** Listeners that could not be bound were tried again. */
  readonly onListenersTried: () => void
  /** A fault of the proxy, caught in one exchange or in one object of a delta. */
  readonly onFault: (error: unknown, at: 'exchange' | 'apply') => void
  /** The process is short of something, see http/connection/shortage.ts. */
  readonly onShortage: (code: string) => void
}
