/**
 * A live listener of any protocol: its socket, the limits and the drain of its connections. Every new connection goes
 * through `#arrive`: it keeps its descriptor, what comes before its protocol is read (preamble.ts), and the listener of its
 * protocol takes it: http-listener.ts, https-listener.ts, stream-listener.ts.
 */
import type { Socket } from 'node:net'
import { clock, readClock } from '../http/connection/clock.ts'
import type { Deadlines } from '../http/connection/deadlines.ts'
import { isAmongLast, KEPT_FOR_SERVERS } from '../http/connection/descriptors.ts'
import type { Exchange } from '../http/exchange.ts'
import { ExchangeError, type Reason } from '../http/message/errors.ts'
import { plainHost } from '../model/ip.ts'
import { formatAddress, formatListenAddress } from '../model/address.ts'
import { isEqual } from '../model/equal.ts'
import { isSocketAddress } from '../model/listener.ts'
import type { ListeningSocket } from '../model/listening-socket.ts'
import type { Address, Listener } from '../model/snapshot.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { count, type Slot, sharedAdd, sharedLoad } from '../scoreboard/scoreboard.ts'
import type { CertificateDemand } from './certificate-demand.ts'
import type { Trust } from './forwarded-client.ts'
import type { StreamHandler } from './incoming-stream.ts'
import { ListenerSockets } from './listener-sockets.ts'
import type { Inheritance } from './inheritance.ts'
import { LimitedNotices } from './limited-notices.ts'
import { type Preamble, PreambleReader } from './preamble.ts'

/** Takes requests: the gateway. */
export interface ListenerHandler {
  begin(exchange: Exchange): void
  /** A request was refused, and its response is sent. */
  refused(exchange: Exchange): void
  /** A fault of the proxy in this exchange, or on a connection without one. Never throws. */
  fault(error: unknown, exchange: Exchange | null): void
  readonly streams: StreamHandler
}

export interface ListenerContext {
  readonly deadlines: Deadlines
  readonly trust: Trust
  readonly handler: ListenerHandler
  /** 48 bytes, the same in every thread, so that TLS sessions resume in any thread. */
  readonly ticketKeys: Buffer
  /** Orders certificates for names that clients ask for; null: none are. */
  readonly demand: CertificateDemand | null
  /** Several threads listen on the same port. */
  readonly reusePort: boolean
  /** Listening sockets that this thread has inherited; absent: none. */
  readonly inherited?: Inheritance | null
  /** The last descriptors are in use. Returns how many idle connections were closed for it. */
  readonly onShortage: (error: unknown) => number
  /** A warning for the log. */
  readonly onNotice: (text: string) => void
}

/** An open connection, for its listener. */
export interface ListenedConnection {
  /** The client's address, for its limit. */
  readonly peerIp: string
  /** A drain has begun: if the connection is idle it ends then. */
  closeBy(deadlineAt: number): void
  /** Ends what is under way. */
  endExchange(error: ExchangeError): void
  reset(): void
}

/** An idle client may send a request while a drain begins: it is served until then. */
const DRAIN_IDLE_MS = 1_000

export abstract class LiveListener {
  readonly deadlines: Deadlines
  readonly trust: Trust
  listener: Listener
  handler: ListenerHandler
  draining = false
  /** Accepted connections that have not begun by then hold up no drain. */
  #awaitsUntil = 0
  /** What is left is cut. */
  #isOver = false
  protected readonly slot: Slot
  readonly #context: ListenerContext
  readonly #preambles: PreambleReader
  readonly #notices: LimitedNotices
  /** Apart from the others, which a client could cause to keep its misuse out of the log. */
  readonly #misuses: LimitedNotices
  readonly #connections = new Set<ListenedConnection>()
  readonly #perClient = new Map<string, number>()
  readonly #sockets: ListenerSockets

  protected constructor(
    listener: Listener,
    slot: Slot,
    context: ListenerContext,
    socketOptions: { allowHalfOpen: boolean },
  ) {
    this.listener = listener
    this.deadlines = context.deadlines
    this.trust = context.trust
    this.handler = context.handler
    this.slot = slot
    this.#context = context
    this.#notices = new LimitedNotices(context.onNotice)
    this.#misuses = new LimitedNotices(context.onNotice)
    this.#preambles = new PreambleReader(listener, (text) => this.warn(text))
    this.#sockets = new ListenerSockets(socketOptions, context, (socket) =>
      this.guard(socket, () => this.#arrive(socket)),
    )
  }

  /** Takes a connection. `preamble`: what was read of it; null if nothing was. Its socket is paused. */
  protected abstract begin(socket: Socket, preamble: Preamble | null): void
  /** The ClientHello is read first. */
  protected abstract get needsHello(): boolean
  /** Ends a connection that is refused, after this text if its client can read one. */
  protected abstract turnAway(
    socket: Socket,
    preamble: Preamble | null,
    reason: Reason,
    message: string,
  ): void

  /**
   * Begins to listen. May be called again after a failure or after `stopListening`. `former`: what this listener replaces, which may
   * be at the same path.
   */
  open(former: LiveListener | null = null): Promise<void> {
    const { address } = this.listener
    const isOwn = isSocketAddress(address) && former?.isAtPath(address.path) === true
    return this.#sockets.open(this.listener, isOwn)
  }

  /** Releases the address; connections stay open. */
  stopListening(): void {
    this.#sockets.close()
  }

  isAtPath(path: string): boolean {
    const { address } = this.listener
    return (
      isSocketAddress(address) && address.path === path && this.#sockets.file?.isThere() === true
    )
  }

  /** Where it listens, as reports show it; null: nowhere. */
  get at(): string | null {
    const { address } = this.listener
    if (isSocketAddress(address))
      return this.#sockets.file === null ? null : formatListenAddress(address)
    return this.bound === null ? null : formatAddress(this.bound)
  }

  /** The bound address, with the port that the kernel chose if it was 0. Of a unix socket null. */
  get bound(): Address | null {
    return this.#sockets.bound
  }

  /** Another process goes on with its sockets. */
  passOn(): void {
    this.#sockets.keepFile()
  }

  /** Its listening sockets, for a successor of this program. */
  sockets(): readonly ListeningSocket[] {
    return this.#sockets.list(this.listener)
  }

  /** Whether the declaration can be applied without a new socket. */
  fits(listener: Listener): boolean {
    return isEqual(this.listener.address, listener.address) && this.speaksAs(listener)
  }

  /** Whether it serves the protocol of this declaration. */
  speaksAs({ protocol, tls, http2 }: Listener): boolean {
    const { listener } = this
    return (
      protocol === listener.protocol &&
      (tls === null) === (listener.tls === null) &&
      (http2 === null) === (listener.http2 === null)
    )
  }

  /** Applies new settings from the next request on; open connections keep their sockets and certificates. */
  update(listener: Listener, handler: ListenerHandler): void {
    this.#preambles.update(listener)
    this.listener = listener
    this.handler = handler
  }

  /** Of TLS sessions, from now on. */
  setTicketKeys(_keys: Buffer): void {}

  /** Those that are open; while a drain begins also those that are about to be. */
  get connections(): number {
    // Not the clock of the deadlines, which may stand still once there are none.
    const arriving =
      this.draining && readClock() < this.#awaitsUntil
        ? this.#preambles.reading + this.handshakes
        : 0
    return this.#connections.size + arriving
  }

  /** TLS handshakes under way. */
  protected get handshakes(): number {
    return 0
  }

  /** Stops accepting. Connections close after their current exchange, idle ones after a moment. */
  drain(): void {
    if (this.draining) return
    this.draining = true
    this.#sockets.close()
    this.#awaitsUntil = readClock() + DRAIN_IDLE_MS
    for (const connection of this.#connections) connection.closeBy(this.#awaitsUntil)
  }

  /** A drain is over: ends the exchanges in flight. */
  cut(): void {
    this.#isOver = true
    const error = new ExchangeError('DRAINED', 'the drain took too long')
    for (const connection of this.#connections) connection.endExchange(error)
  }

  /** Closes what is left. */
  destroy(): void {
    this.drain()
    this.#isOver = true
    this.#awaitsUntil = 0
    for (const connection of this.#connections) connection.reset()
  }

  // A new connection.

  #arrive(socket: Socket): void {
    if (!this.#hasDescriptor(socket)) return
    const { needsHello } = this
    if (!needsHello && !this.#preambles.concerns(socket)) return this.begin(socket, null)
    this.#preambles.read(
      socket,
      needsHello,
      (preamble) => this.guard(socket, () => this.begin(socket, preamble)),
      (preamble) => this.guard(socket, () => this.late(socket, preamble)),
    )
  }

  /** Ends a connection whose ClientHello is not complete in time. */
  protected late(socket: Socket, _preamble: Preamble): void {
    socket.destroy()
  }

  /** A connection was refused: for the log, which is limited in rate. */
  warn(text: string): void {
    this.#notices.add(text)
  }

  /** A connection was cut off for misuse of its protocol: for the log, which is limited in rate. */
  warnOfMisuse(text: string): void {
    this.#misuses.add(text)
  }

  /** An exception while accepting closes this connection alone. */
  protected guard(socket: Socket, step: () => unknown): void {
    try {
      step()
    } catch (error) {
      socket.destroy()
      this.handler.fault(error, null)
    }
  }

  /**
   * Whether a limit keeps a client from connecting; if so its connection is refused. One that was accepted before a drain began is
   * served, though its handshake ends later.
   */
  protected refuses(socket: Socket, preamble: Preamble | null): boolean {
    const peer = preamble?.proxied?.source?.host ?? plainHost(socket.remoteAddress ?? '')
    const { connections, connectionsPerClient } = this.listener.limits
    const isFull = connections > 0 && sharedLoad(this.slot, SHARED.connections) >= connections
    const ofPeer = this.#perClient.get(peer) ?? 0
    const isGreedy = connectionsPerClient > 0 && ofPeer >= connectionsPerClient
    if (!this.#isOver && !isFull && !isGreedy) return false
    this.turnAway(socket, preamble, 'TOO_MANY_CONNECTIONS', 'too many connections')
    return true
  }

  /** The connection is open, until it calls `leave`. */
  protected enter(connection: ListenedConnection): void {
    const { peerIp } = connection
    this.#perClient.set(peerIp, (this.#perClient.get(peerIp) ?? 0) + 1)
    this.#count(1)
    this.#connections.add(connection)
    if (this.draining) connection.closeBy(clock.now + DRAIN_IDLE_MS)
  }

  leave(connection: ListenedConnection): void {
    if (!this.#connections.delete(connection)) return
    this.#count(-1)
    const { peerIp } = connection
    const left = (this.#perClient.get(peerIp) ?? 1) - 1
    if (left <= 0) this.#perClient.delete(peerIp)
    else this.#perClient.set(peerIp, left)
  }

  #count(step: 1 | -1): void {
    sharedAdd(this.slot, SHARED.connections, step)
    count(this.slot, COUNT.connections, step)
    if (step === 1) count(this.slot, COUNT.opened, 1)
  }

  /** Whether the socket may keep its descriptor. If not, it is closed immediately, after a response if its protocol has one. */
  #hasDescriptor(accepted: Socket): boolean {
    if (!isAmongLast(accepted, KEPT_FOR_SERVERS)) return true
    if (this.#context.onShortage(null) > 0) return true
    count(this.slot, COUNT.notKept, 1)
    this.closeShort(accepted)
    return false
  }

  /** There is no descriptor for this connection, which must be closed immediately. */
  protected closeShort(accepted: Socket): void {
    accepted.destroy()
  }
}
