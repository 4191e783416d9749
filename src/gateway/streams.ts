/** Finds the route of each new stream, and begins it. */
import type { ClientHello } from '../downstream/client-hello.ts'
import type {
  AcceptedStream,
  IncomingStream,
  StreamHandler,
} from '../downstream/incoming-stream.ts'
import { ERRORS, type Reason } from '../http/message/errors.ts'
import type { StreamRecord } from '../observe/stream-record.ts'
import type { Slot } from '../scoreboard/scoreboard.ts'
import type { StreamConnection, StreamTable } from '../routing/stream-table.ts'
import type { Route } from './route.ts'
import { Stream } from './stream.ts'

export interface StreamContext {
  readonly onFault: (error: unknown) => void
  /** This process is short of something. Returns how many idle connections were closed for it. */
  readonly onShortage: (error: unknown) => number
  /** `server`: of the last attempt. */
  readonly onEnded: (route: Route | null, server: Slot | null, record: StreamRecord) => void
}

type StreamRoutes = Pick<
  StreamTable<Route>,
  'match' | 'matchBeforeHttps' | 'matchBehindHttps' | 'needsHello' | 'joinsHttps'
>

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
    const hello = stream.preamble?.hello ?? null
    const route = this.#routes.match(connectionOf(stream, hello))
    if (route !== undefined) return new Stream(stream, route, this.#context)
    const why = hello === null ? this.#whyWithoutHello(stream) : whyNoRoute(hello)
    this.refused(stream, 'NO_ROUTE', why)
    const { live, clientIp } = stream
    live.warn(`listener "${live.listener.id}" closed a connection from ${clientIp}: ${why}`)
    stream.end.reset()
    return null
  }

  #whyWithoutHello({ live }: IncomingStream): string {
    return this.#routes.needsHello(live.listener.id)
      ? 'it does not speak TLS, and no tcp frontend takes such connections'
      : 'no tcp frontend matches'
  }

  joinsHttps(listener: string): boolean {
    return this.#routes.joinsHttps(listener)
  }

  besideHttps(
    stream: IncomingStream,
    hello: ClientHello | null,
    hasCertificate: boolean,
  ): ((accepted: AcceptedStream) => Stream) | null {
    const connection = connectionOf(stream, hello)
    const route =
      this.#routes.matchBeforeHttps(connection) ??
      (hasCertificate ? undefined : this.#routes.matchBehindHttps(connection))
    if (route === undefined) return null
    return (accepted) => new Stream(accepted, route, this.#context)
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

function connectionOf(
  { clientIp, live }: IncomingStream,
  hello: ClientHello | null,
): StreamConnection {
  return {
    clientIp,
    listener: live.listener.id,
    serverName: hello?.serverName ?? null,
    alpn: hello?.alpn ?? [],
  }
}

function whyNoRoute({ serverName }: ClientHello): string {
  return serverName === ''
    ? 'no tcp frontend takes TLS without a server name, as HostSNI("*") does'
    : `no tcp frontend matches the server name "${serverName}"`
}

/** All streams of a listener have this route. */
export function onlyRoute(route: Route): StreamRoutes {
  return {
    match: () => route,
    matchBeforeHttps: () => undefined,
    matchBehindHttps: () => undefined,
    needsHello: () => false,
    joinsHttps: () => false,
  }
}
