/** Connects a stream to a server: to one of its addresses, then through TLS if the server speaks it. */
import { Socket } from 'node:net'
import { clock } from '../../http/connection/clock.ts'
import type { Expiring } from '../../http/connection/deadlines.ts'
import type { Faultable } from '../../http/connection/faults.ts'
import { endOf } from '../../http/connection/handle-end.ts'
import type { StreamEnd } from '../../http/connection/stream-end.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { Timeouts } from '../../model/snapshot.ts'
import { dialHandle, type HandleDial, type HandleDialOwner } from '../connecting/handle-dial.ts'
import { HappyEyeballs, type HappyEyeballsOwner } from '../connecting/happy-eyeballs.ts'
import { connectError, timeoutError } from './connection-errors.ts'
import type { Endpoint } from './endpoint.ts'

export interface StreamDialOwner extends Faultable {
  /** Connected. The endpoint's count of connections is the owner's from here on. */
  dialed(end: StreamEnd): void
  dialFailed(error: ExchangeError): void
}

export class StreamDial implements Expiring, HappyEyeballsOwner, HandleDialOwner {
  deadlineAt: number
  deadlineIndex = -1
  readonly #endpoint: Endpoint
  readonly #timeouts: Timeouts
  readonly #owner: StreamDialOwner
  readonly #dialing: HappyEyeballs | HandleDial
  #socket: Socket | null = null
  #isOver = false

  /** Adds to the endpoint's count of connections; a failed or abandoned dial gives it back. */
  constructor(
    endpoint: Endpoint,
    timeouts: Timeouts,
    proxyHeader: Buffer | null,
    owner: StreamDialOwner,
  ) {
    this.#endpoint = endpoint
    this.#timeouts = timeouts
    this.#owner = owner
    this.#dialing =
      (proxyHeader === null ? dialHandle(endpoint, this) : null) ??
      new HappyEyeballs(endpoint, null, this, proxyHeader)
    this.deadlineAt = clock.now + timeouts.connectMs
    endpoint.opened()
    endpoint.deadlines.add(this)
  }

  connected(found: StreamEnd | Error): void {
    if (found instanceof Error) return this.#fail(connectError(found, this.#endpoint.target))
    this.#pass(found)
  }

  dialed(found: Socket | Error): void {
    if (found instanceof Error) return this.#fail(connectError(found, this.#endpoint.target))
    this.#socket = found
    if (this.#endpoint.target.tls === null) return this.#connected(found)
    this.deadlineAt = clock.now + this.#timeouts.handshakeMs
    const guarded =
      (step: (error?: Error) => void) =>
      (error?: Error): void => {
        try {
          if (!this.#isOver) step(error)
        } catch (fault) {
          this.caught(fault)
        }
      }
    found.on(
      'error',
      guarded((error) => this.#lose(error ?? null)),
    )
    found.once(
      'close',
      guarded(() => this.#lose(null)),
    )
    found.once(
      'secureConnect',
      guarded(() => this.#connected(found)),
    )
  }

  #lose(error: Error | null): void {
    this.#fail(connectError(error, this.#endpoint.target))
  }

  #connected(socket: Socket): void {
    socket.pause()
    this.#pass(endOf(socket))
  }

  #pass(end: StreamEnd): void {
    this.#leave()
    this.#endpoint.connected()
    this.#owner.dialed(end)
  }

  expire(): void {
    const waitsFor = this.#socket === null ? this.#dialing.waitsFor : 'handshake'
    this.#fail(timeoutError(waitsFor, this.#timeouts))
  }

  #fail(error: ExchangeError): void {
    this.abandon()
    this.#endpoint.connectFailed(error.reason)
    this.#owner.dialFailed(error)
  }

  /** The stream has ended before it was connected. */
  abandon(): void {
    if (this.#isOver) return
    this.#leave()
    this.#endpoint.closed(null)
    this.#dialing.cancel()
    this.#socket?.destroy()
  }

  #leave(): void {
    this.#isOver = true
    this.#endpoint.deadlines.remove(this)
  }

  caught(error: unknown): void {
    this.#endpoint.deadlines.fault(this, error)
  }

  fault(error: unknown): void {
    this.abandon()
    this.#owner.fault(error)
  }
}
