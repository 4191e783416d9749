/** A listener for streams of any protocol (`tcp`), behind TLS that ends here if it has certificates. */
import type { Socket } from 'node:net'
import { endOf } from '../http/connection/handle-end.ts'
import { resetSocket } from '../http/connection/reset.ts'
import type { StreamEnd } from '../http/connection/stream-end.ts'
import { addressesOf } from '../http/proxy-protocol/header.ts'
import type { Reason } from '../http/message/errors.ts'
import { plainHost } from '../model/ip.ts'
import type { Listener } from '../model/snapshot.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count, type Slot } from '../scoreboard/scoreboard.ts'
import { HeaderlessEnd } from './headerless-end.ts'
import type { AcceptedStream, IncomingStream } from './incoming-stream.ts'
import { type ListenerContext, type ListenerHandler, LiveListener } from './live-listener.ts'
import type { Preamble } from './preamble.ts'
import { clientOf, describeHandshake } from './handshake-failures.ts'
import { TlsEnd } from './tls-end.ts'

export class StreamListener extends LiveListener {
  readonly #tls: TlsEnd | null

  constructor(listener: Listener, slot: Slot, context: ListenerContext) {
    super(listener, slot, context, { allowHalfOpen: true })
    this.#tls = listener.tls === null ? null : this.#createTls(listener, context)
  }

  #createTls(listener: Listener, { ticketKeys }: ListenerContext): TlsEnd {
    return new TlsEnd(listener, [], ticketKeys, {
      secured: (socket, preamble) => {
        this.guard(socket, () => this.#serve(socket.pause(), preamble))
      },
      failed: (socket, error, preamble) => {
        count(this.slot, COUNT.tlsFailures, 1)
        const text = describeHandshake(this.listener, socket, error, clientOf(socket, preamble))
        if (text !== null) this.warn(text)
      },
      unrecognized: () => count(this.slot, COUNT.tlsFailures, 1),
      onFault: (error) => this.handler.fault(error, null),
    })
  }

  protected get needsHello(): boolean {
    return this.#tls?.needsHello === true || this.handler.streams.needsHello(this.listener.id)
  }

  protected begin(socket: Socket, preamble: Preamble | null): void {
    if (this.#tls === null) this.#serve(socket, preamble)
    else if (!this.#tls.answersChallenge(socket, preamble)) this.#tls.shakeHands(socket, preamble)
  }

  #serve(socket: Socket, preamble: Preamble | null): void {
    if (this.refuses(socket, preamble)) return
    const stream = this.handler.streams.open(acceptedStream(this, socket, preamble))
    if (stream === null) return
    this.enter(stream)
    stream.start()
  }

  protected override late(socket: Socket, preamble: Preamble): void {
    this.turnAway(socket, preamble, 'HEAD_TIMEOUT', 'no whole ClientHello within timeouts.head')
  }

  protected override get handshakes(): number {
    return this.#tls?.handshakes ?? 0
  }

  override setTicketKeys(keys: Buffer): void {
    this.#tls?.setTicketKeys(keys)
  }

  override update(listener: Listener, handler: ListenerHandler): void {
    this.#tls?.update(listener)
    super.update(listener, handler)
  }

  protected turnAway(
    socket: Socket,
    preamble: Preamble | null,
    reason: Reason,
    message: string,
  ): void {
    refuseStream(this, socket, preamble, reason, message)
  }
}

export function refuseStream(
  live: LiveListener,
  socket: Socket,
  preamble: Preamble | null,
  reason: Reason,
  message: string,
): void {
  live.handler.streams.refused(incomingStream(live, socket, preamble), reason, message)
  socket.on('error', () => {})
  resetSocket(socket)
}

export function acceptedStream(
  live: LiveListener,
  socket: Socket,
  preamble: Preamble | null,
): AcceptedStream {
  const from = incomingStream(live, socket, preamble)
  const addresses = preamble?.proxied ?? addressesOf(socket)
  const end = endOf(socket)
  const { proxyProtocol } = live.listener
  const mayBegin = proxyProtocol === null || (preamble?.proxied ?? null) !== null
  return { ...from, preamble, addresses, end: mayBegin ? end : withoutHeader(live, end, from) }
}

/** The peer is not one of those that send PROXY headers. */
function withoutHeader(live: LiveListener, end: StreamEnd, { peerIp }: IncomingStream): StreamEnd {
  return new HeaderlessEnd(end, live.deadlines, () =>
    live.warn(
      `listener "${live.listener.id}" closed a stream of ${peerIp}: it begins as a PROXY header does, and this peer is not in proxyProtocol.trusted; add it there, or let it send none`,
    ),
  )
}

export function incomingStream(
  live: LiveListener,
  socket: Socket,
  preamble: Preamble | null,
): IncomingStream {
  const peerIp = plainHost(socket.remoteAddress ?? '')
  const clientIp = preamble?.proxied?.source?.host ?? peerIp
  return {
    live,
    clientIp,
    peerIp,
    peerPort: socket.remotePort ?? 0,
    serverName: preamble?.hello?.serverName ?? '',
  }
}
