/** Finds the route of each new stream, and begins it. */
import type {
  AcceptedStream,
  IncomingStream,
  StreamHandler,
} from '../downstream/incoming-stream.ts'
import { ERRORS, type Reason } from '../http/message/errors.ts'
import type { StreamRecord } from '../observe/stream-record.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type { StreamTable } from '../routing/stream-table.ts'
import type { Route } from './route.ts'
import { Stream } from './stream.ts'

export interface StreamContext {
  readonly onFault: (error: unknown) => void
  /** This process is short of something. Returns how many idle connections were closed for it. */
  readonly onShortage: (error: unknown) => number
  /** `server`: of the last attempt. */
  readonly onEnded: (route: Route | null, server: Slot | null, record: StreamRecord) => void
}

export type StreamRoutes = Pick<StreamTable<Route>, 'match' | 'needsHello'>

export class Streams implements StreamHandler {
  readonly #routes: StreamRoutes
  readonly #context: StreamContext

  constructor(routes: StreamRoutes, context: StreamContext) {
    this.#routes = routes
    this.#context = context
  }

  needsHello(listener: string): boolean {
    return this.#routes.needsHello(listener)
  }

  open(stream: AcceptedStream): Stream | null {
    const { clientIp, live, preamble } = stream
    const hello = preamble?.hello ?? null
    const route = this.#routes.match({
      clientIp,
      listener: live.listener.id,
      serverName: hello?.serverName ?? null,
      alpn: hello?.alpn ?? [],
    })
    if (route !== undefined) return new Stream(stream, route, this.#context)
    this.refused(stream, 'NO_ROUTE', 'no route matches')
    stream.end.reset()
    return null
  }

  refused(
    { live, clientIp, peerIp, peerPort, serverName }: IncomingStream,
    reason: Reason,
    detail: string,
  ): void {
    this.#context.onEnded(null, null, {
      startedAt: Date.now(),
      durationMs: 0,
      listener: live.listener.id,
      frontend: '',
      backend: '',
      server: '',
      attempts: 0,
      clientIp,
      peerIp,
      peerPort,
      serverName,
      status: ERRORS[reason].status,
      reason,
      detail,
      bytesIn: 0,
      bytesOut: 0,
    })
  }
}
