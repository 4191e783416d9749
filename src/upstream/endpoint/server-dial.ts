/**
 * Opens a connection for HTTP/2: to one of the server's addresses, then through TLS, in which the server chooses the protocol (ALPN).
 * Several exchanges may wait for one.
 */
import type { Socket } from 'node:net'
import { clock } from '../../http/connection/clock.ts'
import type { Expiring } from '../../http/connection/deadlines.ts'
import { SocketReads } from '../../http/connection/socket-reads.ts'
import type { ExchangeError } from '../../http/message/errors.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import {
  type ConnectableServer,
  HappyEyeballs,
  type HappyEyeballsOwner,
} from '../connecting/happy-eyeballs.ts'
import { connectError, timeoutError } from './connection-errors.ts'
import type { Endpoint } from './endpoint.ts'
import type { WaitingExchange } from './waiting-exchange.ts'

/** A connection that is open. The endpoint's count of connections is the taker's from here on. */
export interface Dialed {
  readonly socket: Socket
  readonly address: string
  /** The socket's `onread` option, null without it. */
  readonly reads: SocketReads | null
  /** What the server chose in the TLS handshake; null if it chose nothing, or without TLS. */
  readonly chosen: string | null
}

export interface ServerDialOwner {
  dialed(dial: ServerDial, connection: Dialed): void
  dialFailed(dial: ServerDial, error: ExchangeError): void
  dialFault(dial: ServerDial, error: unknown): void
}

export class ServerDial implements Expiring, HappyEyeballsOwner {
  deadlineAt: number
  deadlineIndex = -1
  /** The exchanges that wait for this connection, the oldest first. */
  readonly waiting: WaitingExchange[] = []
  readonly timeouts: Timeouts
  readonly #endpoint: Endpoint
  readonly #server: ConnectableServer
  readonly #owner: ServerDialOwner
  readonly #reads = new SocketReads()
  readonly #dialing: HappyEyeballs
  #socket: Socket | null = null
  #address = ''
  #isOver = false
  readonly #onError = (error: Error): void => this.#lose(error)
  readonly #onClose = (): void => this.#lose(null)
  readonly #onSecure = (): void => this.#secured()

  /** Adds to the endpoint's count of connections; a dial that fails or is cancelled gives it back. */
  constructor(
    endpoint: Endpoint,
    server: ConnectableServer,
    timeouts: Timeouts,
    proxyHeader: Buffer | null,
    owner: ServerDialOwner,
  ) {
    this.#endpoint = endpoint
    this.#server = server
    this.#owner = owner
    this.timeouts = timeouts
    this.deadlineAt = clock.now + timeouts.connectMs
    this.#dialing = new HappyEyeballs(server, this.#reads, this, proxyHeader)
    endpoint.opened()
    endpoint.deadlines.add(this)
  }

  dialed(found: Socket | Error, address: string): void {
    if (found instanceof Error) return this.#fail(connectError(found, this.#server.target))
    this.#socket = found
    this.#address = address
    if (this.#server.target.tls === null) return this.#pass(found, null)
    this.deadlineAt = clock.now + this.timeouts.handshakeMs
    found.on('error', this.#onError)
    found.on('close', this.#onClose)
    found.on('secureConnect', this.#onSecure)
  }

  #secured(): void {
    const socket = this.#socket
    if (this.#isOver || socket === null || socket.destroyed) return
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    socket.off('secureConnect', this.#onSecure)
    const { alpnProtocol = null } = socket as { alpnProtocol?: string | false | null }
    this.#guarded(() => this.#pass(socket, alpnProtocol === false ? null : alpnProtocol))
  }

  #pass(socket: Socket, chosen: string | null): void {
    this.#leave()
    const reads = this.#server.target.tls === null ? this.#reads : null
    this.#owner.dialed(this, { socket, address: this.#address, reads, chosen })
  }

  #lose(error: Error | null): void {
    if (this.#isOver) return
    this.#guarded(() => this.#fail(connectError(error, this.#server.target)))
  }

  expire(): void {
    const waitsFor = this.#socket === null ? this.#dialing.waitsFor : 'handshake'
    this.#fail(timeoutError(waitsFor, this.timeouts))
  }

  #fail(error: ExchangeError): void {
    this.cancel()
    this.#owner.dialFailed(this, error)
  }

  /** It is not wanted any more. */
  cancel(): void {
    if (this.#isOver) return
    this.#leave()
    this.#endpoint.closed(null)
    this.#dialing.cancel()
    this.#socket?.destroy()
  }

  /** Its owner has failed to take it over, and has no listeners on it. */
  #closeUntaken(): void {
    this.#socket?.on('error', () => {})
    this.#socket?.destroy()
  }

  #leave(): void {
    this.#isOver = true
    this.#endpoint.deadlines.remove(this)
  }

  #guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.caught(error)
    }
  }

  caught(error: unknown): void {
    this.#endpoint.deadlines.fault(this, error)
  }

  fault(error: unknown): void {
    if (this.#isOver) this.#closeUntaken()
    else this.cancel()
    this.#owner.dialFault(this, error)
  }
}
