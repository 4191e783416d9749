/** An exchange in the simulation of connections to servers, as the gateway sees it. */
import assert from 'node:assert/strict'
import type { TunnelEnd } from '../../src/http/connection/tunnel.ts'
import type { Exchange, ResponseSink } from '../../src/http/exchange.ts'
import type { ExchangeError } from '../../src/http/message/errors.ts'
import type { ServerExchange } from '../../src/upstream/endpoint/server-exchange.ts'
import { WaitingExchange } from '../../src/upstream/endpoint/waiting-exchange.ts'
import type { Chance } from '../fuzz/random.ts'

interface AskedOwner {
  readonly chance: Chance
  ended(asked: Asked): void
}

/** What a client has asked, as the gateway sees it. */
export class Asked implements ResponseSink {
  readonly exchange: Exchange
  readonly holdsData = false
  connection: ServerExchange | null = null
  /** How it ended; '' while it has not. */
  ending = ''
  isPaused = false
  wantsBody = false
  bodyLeft: number
  end: TunnelEnd | null = null
  /** Not on a connection that was idle. */
  readonly fresh: boolean
  readonly #owner: AskedOwner

  constructor(owner: AskedOwner, exchange: Exchange, fresh: boolean) {
    this.#owner = owner
    this.fresh = fresh
    this.exchange = exchange
    this.bodyLeft = exchange.isWhole ? -1 : exchange.head.length
  }

  finish(how: string): void {
    assert.equal(this.ending, '', `it ends again: ${how}`)
    this.ending = how
    this.#owner.ended(this)
  }

  #goesOn(): boolean {
    assert.equal(this.ending, '', 'something follows the end')
    this.isPaused = this.#owner.chance.once(6)
    return !this.isPaused
  }

  resumeBody(): void {
    assert.equal(this.ending, '', 'its body is wanted after the end')
    this.wantsBody = true
  }

  interim(): boolean {
    return this.#goesOn()
  }

  responseHead(_head: unknown, _data: unknown, ended: boolean): boolean {
    const goesOn = this.#goesOn()
    if (ended) this.finish('response')
    return goesOn
  }

  responseData(): boolean {
    return this.#goesOn()
  }

  responseEnd(): void {
    this.finish('response')
  }

  pin(): void {}

  upgraded(_head: unknown, end: TunnelEnd): void {
    this.end = end
    this.connection?.tunnelTo({
      tunnelData: () => this.#goesOn(),
      tunnelFinish: () => {
        this.finish('tunnel')
        end.tunnelFinish()
      },
      tunnelResume() {},
      tunnelAbort: () => this.finish('tunnel lost'),
    })
  }

  failed(error: ExchangeError): void {
    this.finish(error.reason)
  }

  fault(error: unknown): void {
    throw error
  }

  /** The client has left. */
  leave(): void {
    this.finish('left')
    if (this.end !== null) this.end.tunnelAbort()
    else this.connection?.abandon()
  }

  resume(): void {
    this.isPaused = false
    if (this.end !== null) this.end.tunnelResume()
    else this.connection?.resumeResponse()
  }

  sendBody(): void {
    if (!this.wantsBody || this.bodyLeft < 0 || this.connection === null) return
    const length = Math.min(this.bodyLeft, 1 + this.#owner.chance.below(2_000))
    this.bodyLeft -= length
    this.wantsBody = this.connection.bodyData(Buffer.alloc(length))
    if (this.bodyLeft > 0) return
    this.bodyLeft = -1
    this.connection.bodyEnd('')
  }

  get isWaiting(): boolean {
    return this.connection instanceof WaitingExchange && this.connection.isConnecting
  }
}
