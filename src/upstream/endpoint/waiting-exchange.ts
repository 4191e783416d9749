/**
 * An exchange that waits for a connection which other exchanges share, or whose protocol is not known yet. Once there is one, all
 * calls go on to a stream of it, or to the connection itself.
 */
import type { ExchangeError } from '../../http/message/errors.ts'
import type { Exchange, ResponseSink } from '../../http/exchange.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import type { ServerConnection } from './server-connection.ts'
import type { ServerExchange } from './server-exchange.ts'

interface Sent {
  readonly passHost: boolean
  readonly sink: ResponseSink
  readonly timeouts: Timeouts
}

export class WaitingExchange implements ServerExchange {
  readonly exchange: Exchange
  readonly timeouts: Timeouts
  #sent: Sent | null = null
  #next: ServerExchange | null = null
  #isOver = false
  /** It was given to a connection, which took nothing of it. */
  #isRefused = false
  readonly #onAbandoned: (waiting: WaitingExchange) => void

  /** `onAbandoned`: it waits no longer. */
  constructor(
    exchange: Exchange,
    timeouts: Timeouts,
    onAbandoned: (waiting: WaitingExchange) => void,
  ) {
    this.exchange = exchange
    this.timeouts = timeouts
    this.#onAbandoned = onAbandoned
  }

  send(
    _exchange: Exchange,
    passHost: boolean,
    sink: ResponseSink,
    timeouts: Timeouts,
    _looksFirst: boolean,
  ): void {
    this.#sent = { passHost, sink, timeouts }
  }

  // What happens to it.

  begin(next: ServerExchange): void {
    if (this.#isOver || this.#sent === null) return
    const { passHost, sink, timeouts } = this.#sent
    this.#next = next
    next.send(this.exchange, passHost, sink, timeouts, false)
  }

  /** The connection that it waits at takes no more: no failure of the server. */
  refuse(error: ExchangeError): void {
    this.#isRefused = true
    this.fail(error)
  }

  fail(error: ExchangeError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sent?.sink.failed(error)
  }

  fault(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sent?.sink.fault(error)
  }

  // For the gateway.

  get isConnecting(): boolean {
    return this.#next?.isConnecting ?? !this.#isRefused
  }

  get awaitsBody(): boolean {
    return this.#next?.awaitsBody === true
  }

  get usedAt(): number {
    return this.#next?.usedAt ?? 0
  }

  get isUnsent(): boolean {
    return this.#next?.isUnsent ?? true
  }

  get own(): ServerConnection | null {
    return this.#next?.own ?? null
  }

  get holdsData(): boolean {
    return this.#next?.holdsData === true
  }

  bodyData(chunk: Buffer): boolean {
    return this.#next?.bodyData(chunk) ?? true
  }

  bodyEnd(trailers: string): void {
    this.#next?.bodyEnd(trailers)
  }

  resumeResponse(): void {
    this.#next?.resumeResponse()
  }

  tunnelTo(peer: TunnelEnd): void {
    this.#next?.tunnelTo(peer)
  }

  abandon(): void {
    if (this.#next !== null) {
      this.#next.abandon()
      return
    }
    if (this.#isOver) return
    this.#isOver = true
    this.#onAbandoned(this)
  }
}
