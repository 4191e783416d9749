/**
 * The connections of one server that carry exchanges by HTTP/2. An exchange goes to the first one with room, so that the others
 * become idle and close. If there is none, another one is opened, for which up to as many exchanges wait as it will take: a burst
 * opens few connections.
 */
import type { Exchange } from '../../http/exchange.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { Http2Connection, type Http2ConnectionOwner } from './http2-connection.ts'
import type { Http2Endpoint } from './http2-endpoint.ts'
import { handshakeError } from './http2-errors.ts'
import { isWebSocket } from './http2-request.ts'
import { ServerStream } from './http2-stream.ts'
import { type Dialed, ServerDial, type ServerDialOwner } from './server-dial.ts'
import type { ServerExchange } from './server-exchange.ts'
import { WaitingExchange } from './waiting-exchange.ts'

export class Http2Connections implements Http2ConnectionOwner, ServerDialOwner {
  /** Of the endpoint's map. */
  readonly key: string
  readonly #endpoint: Http2Endpoint
  readonly #proxyHeader: Buffer | null
  readonly #open: Http2Connection[] = []
  readonly #dials: ServerDial[] = []
  readonly #onAbandoned = (waiting: WaitingExchange): void => {
    for (const { waiting: list } of this.#dials) remove(list, waiting)
    for (const { upgrades } of this.#open) remove(upgrades, waiting)
    if (this.#endpoint.isRetired) this.#cancelUnwanted()
  }

  /** `proxyHeader`: what its connections begin with. */
  constructor(endpoint: Http2Endpoint, key: string, proxyHeader: Buffer | null) {
    this.key = key
    this.#endpoint = endpoint
    this.#proxyHeader = proxyHeader
  }

  get isEmpty(): boolean {
    return this.#open.length === 0 && this.#dials.length === 0
  }

  /** `fresh`: not on a connection that was idle, which the server may have closed. */
  take(exchange: Exchange, fresh: boolean, timeouts: Timeouts): ServerExchange {
    if (isWebSocket(exchange)) return this.#takeForWebSocket(exchange, timeouts)
    const connection = this.#withRoom(fresh)
    return connection === null
      ? this.#wait(exchange, timeouts)
      : new ServerStream(connection, timeouts)
  }

  #withRoom(fresh: boolean): Http2Connection | null {
    for (const connection of this.#open) {
      if (!connection.hasRoom || connection.isDoubtful) continue
      if (!fresh || connection.usedAt === 0 || !connection.isUnused) return connection
    }
    return null
  }

  /** A connection whose server allows WebSockets, and has room. */
  forWebSocket(): Http2Connection | null {
    return this.#open.find((one) => takesWebSockets(one) && one.hasRoom && !one.isDoubtful) ?? null
  }

  /** Whether the server allows it is known with its SETTINGS. */
  #takeForWebSocket(exchange: Exchange, timeouts: Timeouts): ServerExchange {
    const connection = this.forWebSocket()
    if (connection !== null) return new ServerStream(connection, timeouts)
    const opening = this.#open.find(({ isReady, closing }) => !isReady && !closing)
    const ready = this.#open.filter(({ isReady }) => isReady)
    const isAnnounced = ready.length === 0 || ready.some(takesWebSockets)
    if (opening === undefined && isAnnounced) return this.#wait(exchange, timeouts)
    const waiting = new WaitingExchange(exchange, timeouts, this.#onAbandoned)
    if (opening === undefined) setImmediate(() => this.#refuseWebSocket(waiting))
    else opening.upgrades.push(waiting)
    return waiting
  }

  #refuseWebSocket(waiting: WaitingExchange): void {
    waiting.fail(
      new ExchangeError(
        'UPGRADE_REFUSED',
        'the server has not announced WebSockets over HTTP/2 (RFC 8441): set protocol of its backend to http/1.1 or auto',
      ),
    )
  }

  #wait(exchange: Exchange, timeouts: Timeouts): WaitingExchange {
    const waiting = new WaitingExchange(exchange, timeouts, this.#onAbandoned)
    this.#queue(waiting)
    return waiting
  }

  #queue(waiting: WaitingExchange): void {
    const most = this.#endpoint.expectedStreams
    let dial = this.#dials.find((one) => one.waiting.length < most)
    if (dial === undefined) {
      const { dialTarget } = this.#endpoint
      dial = new ServerDial(this.#endpoint, dialTarget, waiting.timeouts, this.#proxyHeader, this)
      this.#dials.push(dial)
    }
    dial.waiting.push(waiting)
  }

  // Connections that are being opened.

  dialed(dial: ServerDial, dialed: Dialed): void {
    remove(this.#dials, dial)
    if (this.#endpoint.target.tls !== null && dialed.chosen !== 'h2') {
      this.#endpoint.otherChosen(dialed, dial)
      this.#endpoint.left(this)
      return
    }
    const connection = this.#takeOver(dial, dialed)
    this.#open.push(connection)
    for (const waiting of dial.waiting.splice(0)) {
      if (isWebSocket(waiting.exchange)) connection.upgrades.push(waiting)
      else if (connection.hasRoom) this.#begin(waiting, connection)
      // The server has announced fewer streams since it was queued.
      else this.#queue(waiting)
    }
    // Of those that it was opened for some may have left.
    this.#serveWaiting(connection)
  }

  #takeOver(dial: ServerDial, dialed: Dialed): Http2Connection {
    try {
      return new Http2Connection(this.#endpoint, dialed, dial.timeouts, this)
    } catch (error) {
      this.#endpoint.closed(null)
      throw error
    }
  }

  dialFailed(dial: ServerDial, error: ExchangeError): void {
    remove(this.#dials, dial)
    const reported = handshakeError(error, this.#endpoint.dialTarget.target)
    this.#endpoint.connectFailed(reported.reason)
    for (const waiting of dial.waiting.splice(0)) waiting.fail(reported)
    this.#endpoint.left(this)
  }

  dialFault(dial: ServerDial, error: unknown): void {
    remove(this.#dials, dial)
    this.#endpoint.onFault(error)
    for (const waiting of dial.waiting.splice(0)) waiting.fault(error)
    this.#endpoint.left(this)
  }

  #begin(waiting: WaitingExchange, connection: Http2Connection): void {
    try {
      waiting.begin(new ServerStream(connection, waiting.timeouts))
    } catch (error) {
      waiting.fault(error)
    }
  }

  // Connections that are open.

  hasRoom(connection: Http2Connection): void {
    if (connection.isReady && connection.upgrades.length > 0) this.#beginUpgrades(connection)
    if (this.#dials.length > 0) {
      this.#serveWaiting(connection)
      // Those without SETTINGS take as many streams as the server has announced last.
      for (const one of this.#open) if (!one.isReady) this.#serveWaiting(one)
    }
    if (!takesWebSockets(connection)) return
    for (const { upgrades } of this.#open) {
      while (upgrades.length > 0 && connection.hasRoom && !connection.isDoubtful) {
        const waiting = upgrades.shift()
        if (waiting !== undefined) this.#begin(waiting, connection)
      }
    }
  }

  /** Those that wait for connections which are being opened. */
  #serveWaiting(connection: Http2Connection): void {
    for (const { waiting } of this.#dials) {
      for (let at = 0; at < waiting.length;) {
        if (connection.isDoubtful || !connection.hasRoom) return
        const one = waiting[at]
        if (one === undefined || (isWebSocket(one.exchange) && !takesWebSockets(connection))) at++
        else {
          waiting.splice(at, 1)
          this.#begin(one, connection)
        }
      }
    }
  }

  #beginUpgrades(connection: Http2Connection): void {
    for (const waiting of connection.upgrades.splice(0)) {
      if (!takesWebSockets(connection)) this.#refuseWebSocket(waiting)
      else if (connection.hasRoom) this.#begin(waiting, connection)
      else this.#queue(waiting)
    }
  }

  closes(connection: Http2Connection): void {
    remove(this.#open, connection)
    const { endingError } = connection
    for (const waiting of connection.upgrades.splice(0)) {
      if (endingError !== null) waiting.fail(endingError)
      else waiting.refuse(new ExchangeError('STREAM_REFUSED', 'the connection is closing'))
    }
    this.#endpoint.left(this)
  }

  // The server is removed, or has moved.

  /** Closes up to `most` connections that are idle; returns how many. */
  giveUpIdle(most: number): number {
    const idle = this.#open.filter(({ isUnused }) => isUnused).slice(0, most)
    for (const connection of idle) connection.closeIdle()
    return idle.length
  }

  /** Those to other addresses take no new exchanges; null: none does. */
  keepOnly(has: ((address: string) => boolean) | null): void {
    for (const connection of [...this.#open]) {
      if (has === null || !has(connection.address)) connection.drain()
    }
    if (has === null) this.#cancelUnwanted()
  }

  /** Dials that no exchange waits for. */
  #cancelUnwanted(): void {
    for (const dial of [...this.#dials]) {
      if (dial.waiting.length > 0) continue
      dial.cancel()
      remove(this.#dials, dial)
    }
    this.#endpoint.left(this)
  }
}

function takesWebSockets({ isReady, peer }: Http2Connection): boolean {
  return isReady && peer.enableConnectProtocol
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item)
  if (index >= 0) list.splice(index, 1)
}
