/** A new connection whose bytes go to a server as they are, and who takes it: the gateway. */
import type { StreamEnd } from '../http/connection/stream-end.ts'
import type { ProxiedAddresses } from '../http/proxy-protocol/header.ts'
import type { Reason } from '../http/message/errors.ts'
import type { ClientHello } from './client-hello.ts'
import type { ListenedConnection, LiveListener } from './live-listener.ts'
import type { Preamble } from './preamble.ts'

export interface IncomingStream {
  readonly live: LiveListener
  /** The client, by the PROXY header if there is one. */
  readonly clientIp: string
  /** Of the connection itself. */
  readonly peerIp: string
  readonly peerPort: number
  /** As in StreamRecord. */
  readonly serverName: string
}

export interface AcceptedStream extends IncomingStream {
  /** Of the client: not read yet. */
  readonly end: StreamEnd
  /** Null: nothing was read. */
  readonly preamble: Preamble | null
  /** For PROXY headers. */
  readonly addresses: ProxiedAddresses
}

export interface StreamHandler {
  /** The route of a stream on this listener depends on its ClientHello. */
  needsHello(listener: string): boolean
  /** A route of streams may take connections of this https listener: their ClientHello is read first. */
  joinsHttps(listener: string): boolean
  /**
   * What begins a stream that was accepted by an https listener; null: HTTPS serves the connection. `hasCertificate`: the
   * listener has one for its server name.
   */
  besideHttps(
    stream: IncomingStream,
    hello: ClientHello | null,
    hasCertificate: boolean,
  ): ((accepted: AcceptedStream) => StartingStream) | null
  /** The connection counts from here on, and `start` goes on with it. Null: it was refused, and is closed. */
  open(stream: AcceptedStream): StartingStream | null
  /** It was refused by its listener, which closes it. */
  refused(stream: IncomingStream, reason: Reason, detail: string): void
}

export interface StartingStream extends ListenedConnection {
  start(): void
}
