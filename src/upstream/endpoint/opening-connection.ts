/** A connection to a server while it is being opened: to its one address or by Happy Eyeballs to one of several, then TLS. */
import { Socket } from 'node:net'
import { SocketReads } from '../../http/connection/socket-reads.ts'
import { Http1Connection } from '../../http/connection/http1-connection.ts'
import type { ConnectedPeer } from '../../http/exchange.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { openSocket } from '../connecting/connect.ts'
import { HappyEyeballs, type HappyEyeballsOwner } from '../connecting/happy-eyeballs.ts'
import type { Endpoint } from './endpoint.ts'

/** The endpoint counts it already. */
export interface OpenSocket {
  readonly socket: Socket
  readonly address: string
}

export abstract class OpeningConnection extends Http1Connection implements HappyEyeballsOwner {
  readonly endpoint: Endpoint
  /** The server's address that it is connected to. */
  address = ''
  /** The only client whose requests it carries, because it began with that client's address: see proxied-endpoint.ts. */
  client: ConnectedPeer | null = null
  /** Of the current request. */
  protected timeouts: Timeouts
  protected error: Error | null = null
  readonly #reads: SocketReads
  readonly #only: string | null
  readonly #proxyHeader: Buffer | null
  /** While it connects to one of several addresses. */
  #happyEyeballs: HappyEyeballs | null = null
  #waitsFor: 'connect' | 'handshake' = 'connect'

  /** `proxyHeader`: what it begins with, null if any client may use it. `open`: a socket that is open already. */
  protected constructor(
    endpoint: Endpoint,
    timeouts: Timeouts,
    proxyHeader: Buffer | null,
    open: OpenSocket | null,
  ) {
    const { target, own, addresses } = endpoint
    const { only } = addresses
    const reads = new SocketReads()
    const socket =
      open?.socket ??
      (only === null ? new Socket() : openSocket(target, only, reads, own, proxyHeader))
    super(socket, target.tls === null ? reads : null, endpoint.deadlines)
    this.#reads = reads
    this.#only = only
    this.#proxyHeader = proxyHeader
    this.endpoint = endpoint
    if (open === null) endpoint.opened()
    else this.address = open.address
    this.timeouts = timeouts
    this.setDeadline(timeouts.connectMs)
  }

  protected open(): void {
    if (this.#only === null)
      this.#happyEyeballs = new HappyEyeballs(this.endpoint, this.#reads, this, this.#proxyHeader)
    else this.#awaitConnection(this.#only)
  }

  abstract readonly isConnecting: boolean
  abstract readonly isIdle: boolean
  /** Connected, including the TLS handshake. */
  protected abstract opened(): void
  /** There is a socket now, which buffers what is written until it is open. */
  protected abstract writeFirst(): void
  protected abstract lost(): void

  #awaitConnection(address: string): void {
    this.address = address
    const isPlain = this.endpoint.target.tls === null
    if (!isPlain) this.once('connect', () => this.#shakeHands())
    this.once(isPlain ? 'connect' : 'secureConnect', () => this.#connected())
  }

  dialed(found: Socket | Error, address: string): void {
    this.#happyEyeballs = null
    if (found instanceof Error) {
      this.error = found
      return this.lost()
    }
    this.replaceSocket(found)
    this.writeFirst()
    this.address = address
    if (this.endpoint.target.tls === null) return this.#connected()
    this.#shakeHands()
    this.once('secureConnect', () => this.#connected())
  }

  /** Its socket was open from the beginning, and its first request is there. */
  adopted(): void {
    this.#connected()
  }

  #shakeHands(): void {
    if (!this.isConnecting || this.socket.destroyed) return
    this.#waitsFor = 'handshake'
    this.setDeadline(this.timeouts.handshakeMs)
  }

  #connected(): void {
    // Already destroyed if it leads back to this process.
    if (!this.isConnecting || this.socket.destroyed) return
    this.endpoint.connected()
    this.opened()
  }

  protected get hasSocket(): boolean {
    return this.#happyEyeballs === null
  }

  /** The step that is not complete yet. */
  protected get waitsFor(): 'name' | 'connect' | 'handshake' {
    return this.#happyEyeballs?.waitsFor ?? this.#waitsFor
  }

  abstract abandon(): void

  /** No longer with its client: a tunnel ends it once the client's last bytes have been sent. */
  protected closeAlone(): void {
    this.client?.pinned?.delete(this)
  }

  protected override left(): void {
    super.left()
    this.closeAlone()
  }

  protected stopOpening(): void {
    this.#happyEyeballs?.cancel()
  }
}
