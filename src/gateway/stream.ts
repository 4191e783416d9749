/**
 * One stream: a client's connection, and the server's that its bytes go to.
 *
 *   CONNECTING ──connected──► OPEN ──both ends closed──► OVER
 *    │ ▲ another server        │ broken off, idle, drained
 *    └─┴────── no server ──────┴───────────────────────►
 *
 * The client is not read before a server is connected, so that another one can be tried: a server that closes the connection at
 * once, before any byte in either direction, is replaced, too. What one end reads is written to the other before more is read;
 * FIN is passed on as FIN, RST as RST after the data before it.
 */
import type {
  AcceptedStream,
  IncomingStream,
  StartingStream,
} from '../downstream/incoming-stream.ts'
import { clock, readClock } from '../http/connection/clock.ts'
import type { Expiring } from '../http/connection/deadlines.ts'
import { allOf } from '../http/connection/faults.ts'
import type { StreamEnd, StreamOwner } from '../http/connection/stream-end.ts'
import type { ProxiedAddresses } from '../http/proxy-protocol/header.ts'
import { writeProxyHeader } from '../http/proxy-protocol/write-header.ts'
import { ExchangeError } from '../http/message/errors.ts'
import type { StreamRecord } from '../observe/stream-record.ts'
import { COUNT } from '../scoreboard/layout.ts'
import { count } from '../scoreboard/scoreboard.ts'
import type { BalancedRequest } from '../upstream/balancing/balancer.ts'
import type { Endpoint } from '../upstream/endpoint/endpoint.ts'
import { StreamDial, type StreamDialOwner } from '../upstream/endpoint/stream-dial.ts'
import type { HeldPlace } from '../upstream/held-requests.ts'
import type { Pool } from '../upstream/pool.ts'
import { countBegin, countStreamBytes, servedBy } from './request-stats.ts'
import type { Route } from './route.ts'
import type { StreamContext } from './streams.ts'

const NONE: readonly Endpoint[] = []
/** As which streams count that were connected. */
const STATUS_SERVED = 200
/** A stream survives so many shortages of descriptors. */
const SHORTAGES = 2

type Phase = 'connecting' | 'open' | 'over'

export class Stream
  implements StartingStream, StreamOwner, StreamDialOwner, Expiring, BalancedRequest
{
  /** Of the pause before the next attempt, or by which a byte must pass. */
  deadlineAt: number = Infinity
  deadlineIndex = -1
  readonly #from: IncomingStream
  readonly #route: Route
  readonly #pool: Pool
  readonly #context: StreamContext
  readonly #startedAt = readClock()
  readonly #client: StreamEnd
  #phase: Phase = 'connecting'
  #server: StreamEnd | null = null
  #dial: StreamDial | null = null
  /** Of the attempt under way, or the last one. */
  #endpoint: Endpoint | null = null
  /** The endpoint's in-flight count must be given back. */
  #isCounted = false
  #attemptAt = 0
  #tried = NONE
  #attempts = 0
  /** For PROXY headers. */
  readonly #addresses: ProxiedAddresses
  #shortages = 0
  /** It waits for a server of a backend that scales from zero. */
  #place: HeldPlace | null = null
  #error: ExchangeError | null = null
  #idleMs = Infinity
  #bytesIn = 0
  #bytesOut = 0
  /** An end that was closed in order; the other one is still open. */
  #closed: StreamEnd | null = null
  #clientFinished = false

  constructor(accepted: AcceptedStream, route: Route, context: StreamContext) {
    const { pool } = route
    if (pool === null) throw new Error(`route ${route.id} of a stream has no backend`)
    const { live, clientIp, peerIp, peerPort, serverName, end } = accepted
    this.#from = { live, clientIp, peerIp, peerPort, serverName }
    this.#client = end
    this.#addresses = accepted.addresses
    this.#route = route
    this.#pool = pool
    this.#context = context
    end.owner = this
    countBegin(route.slot)
    pool.deadlines.add(this)
  }

  start(): void {
    this.#guard(() => this.#tryNext())
  }

  // For balancers, and for the limit of its listener.

  get clientIp(): string {
    return this.#from.clientIp
  }

  get peerIp(): string {
    return this.#from.clientIp
  }

  get path(): string {
    return ''
  }

  get query(): string {
    return ''
  }

  field(): undefined {
    return undefined
  }

  // Connecting.

  /** On a server that was not tried. */
  #tryNext(): void {
    const pool = this.#pool
    for (;;) {
      const endpoint = pool.pick(this, this.#tried)
      if (endpoint === null) break
      const { connections } = endpoint.limits
      if (connections === 0 || endpoint.inFlight <= connections) return this.#connect(endpoint)
      pool.done(endpoint)
      this.#tried = [...this.#tried, endpoint]
      this.#error ??= new ExchangeError(
        'SERVER_LIMIT',
        `every server of ${pool.id} has all the connections it may have`,
      )
    }
    if (this.#waits()) return
    this.#end(this.#error ?? new ExchangeError('NO_SERVER', pool.whyNone()))
  }

  #waits(): boolean {
    const { held } = this.#pool
    if (held === null || this.#error?.reason === 'SERVER_LIMIT') return false
    const place = held.join(
      {
        admit: () => {
          this.#tried = NONE
          this.#tryNext()
        },
        refuse: (error) => this.#end(error),
        fault: (error) => this.fault(error),
      },
      this,
    )
    if (place instanceof ExchangeError) this.#end(place)
    else this.#place = place
    return place !== null
  }

  #connect(endpoint: Endpoint): void {
    this.#endpoint = endpoint
    this.#isCounted = true
    if (this.#attempts++ > 0) count(this.#route.slot, COUNT.retries, 1)
    this.#attemptAt = readClock()
    const timeouts = this.#route.timeoutsOf(this.#pool)
    this.#dial = new StreamDial(endpoint, timeouts, this.#proxyHeader(endpoint), this)
  }

  #proxyHeader({ proxyProtocol: version }: Endpoint): Buffer | null {
    return version === null ? null : writeProxyHeader(version, this.#addresses)
  }

  dialed(end: StreamEnd): void {
    this.#dial = null
    this.#server = end
    this.#phase = 'open'
    end.owner = this
    this.#endpoint?.responded(STATUS_SERVED, this.#elapsedMs())
    const { tunnelMs } = this.#route.timeoutsOf(this.#pool)
    if (tunnelMs > 0) this.#idleMs = tunnelMs
    this.#touch()
    this.#client.resume()
    end.resume()
  }

  dialFailed(error: ExchangeError): void {
    this.#dial = null
    this.#failed(error)
  }

  /** An attempt failed before any byte of the client was sent. */
  #failed(error: ExchangeError): void {
    const endpoint = this.#endpoint
    this.#release()
    this.#error = error
    if (endpoint === null || this.#phase === 'over') return
    if (error.reason === 'OUT_OF_RESOURCES' && this.#outlasts(error)) return this.#tryNext()
    if (error.kind.blame === 'server') endpoint.failed(error.reason, this.#elapsedMs(), false)
    if (error.kind.retry === 'always' && this.#waits()) return void this.#shortages++
    const { attempts, backoffMs } = this.#route.retry ?? this.#pool.retry
    if (this.#attempts - this.#shortages >= attempts) return this.#end(error)
    count(endpoint.slot, COUNT.retries, 1)
    this.#tried = [...this.#tried, endpoint]
    const waitMs = backoffMs(this.#attempts + 1, this.#pool.random())
    if (waitMs <= 0) this.#tryNext()
    else this.deadlineAt = clock.now + waitMs
  }

  /** Closing idle connections has freed what was short. */
  #outlasts(error: ExchangeError): boolean {
    if (this.#context.onShortage(error) === 0 || this.#shortages === SHORTAGES) return false
    this.#shortages++
    return true
  }

  #elapsedMs(): number {
    return Math.max(0, readClock() - this.#attemptAt)
  }

  // The stream.

  received(end: StreamEnd, buffer: Buffer, length: number): void {
    const isUp = end === this.#client
    const to = isUp ? this.#server : this.#client
    const endpoint = this.#endpoint
    if (to === null || endpoint === null) return
    if (isUp) this.#bytesIn += length
    else {
      // Only this ends a streak of failures: a proxy in front of a dead server connects, too.
      if (this.#bytesOut === 0) endpoint.completed(STATUS_SERVED)
      this.#bytesOut += length
    }
    const counter = isUp ? COUNT.bytesIn : COUNT.bytesOut
    countStreamBytes(this.#route.slot, endpoint.slot, counter, length)
    this.#touch()
    if (!to.write(buffer, length)) end.pause()
  }

  drained(end: StreamEnd): void {
    this.#touch()
    // The other end was broken off meanwhile.
    if (this.#error !== null) this.#end(this.#error)
    else this.#other(end)?.resume()
  }

  finished(end: StreamEnd): void {
    if (end === this.#server && this.#isUnused) return this.#replace(null)
    if (end === this.#client) this.#clientFinished = true
    this.#touch()
    this.#other(end)?.finish()
  }

  closed(end: StreamEnd, error: Error | null): void {
    const other = this.#other(end)
    if (error === null) {
      if (this.#closed !== null || other === null) this.#end(null)
      else this.#closed = end
      return
    }
    if (end === this.#server && this.#isUnused) return this.#replace(error)
    const isClient = end === this.#client
    this.#error = new ExchangeError(isClient ? 'CLIENT_GONE' : 'ANSWER_CUT', error.message)
    if (!isClient && this.#bytesOut === 0)
      this.#endpoint?.failed('SERVER_CLOSED', this.#elapsedMs(), true)
    // What was received before a reset is passed on before it.
    if (other?.isWriting !== true || other === this.#closed) this.#end(this.#error)
  }

  #other(end: StreamEnd): StreamEnd | null {
    return end === this.#client ? this.#server : this.#client
  }

  /** Just connected, and without a byte in either direction: the connection may have been accepted by a proxy alone. */
  get #isUnused(): boolean {
    const isEmpty = this.#bytesIn + this.#bytesOut === 0 && !this.#clientFinished
    const { connectMs } = this.#route.timeoutsOf(this.#pool)
    return isEmpty && this.#elapsedMs() < connectMs
  }

  #replace(cause: Error | null): void {
    const how = cause?.message ?? 'the server closed the connection'
    this.#phase = 'connecting'
    this.deadlineAt = Infinity
    this.#client.pause()
    this.#closeServer()
    this.#failed(new ExchangeError('SERVER_CLOSED', `${how} before any byte`, { cause }))
  }

  #touch(): void {
    this.deadlineAt = clock.now + this.#idleMs
  }

  expire(): void {
    this.deadlineAt = Infinity
    if (this.#phase === 'connecting') return this.#tryNext()
    const message = `no byte in either direction for ${this.#idleMs} ms (timeouts.tunnel)`
    this.#end(new ExchangeError('STALL_TIMEOUT', message))
  }

  // The end.

  /** A drain lets streams go on until it is over. */
  closeBy(): void {}

  endExchange(error: ExchangeError): void {
    this.#guard(() => this.#end(error))
  }

  reset(): void {
    this.endExchange(new ExchangeError('DRAINED', 'the listener is closed'))
  }

  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.fault(error)
    }
  }

  fault(error: unknown): void {
    this.#context.onFault(error)
    if (this.#phase !== 'over')
      this.#end(new ExchangeError('INTERNAL', 'a fault of the proxy', { cause: error }))
  }

  /** Resets what is still open; null: both ends were closed in order. */
  #end(error: ExchangeError | null): void {
    if (this.#phase === 'over') return
    const wasServed = this.#phase === 'open'
    this.#phase = 'over'
    const endpoint = this.#endpoint
    allOf(
      this.#context.onFault,
      () => this.#pool.deadlines.remove(this),
      () => this.#dial?.abandon(),
      () => this.#place?.leave(),
      () => this.#client.reset(),
      () => this.#closeServer(),
      () => this.#release(),
      () => this.#from.live.leave(this),
      () => {
        if (error === null) endpoint?.completed(STATUS_SERVED)
      },
      () =>
        this.#context.onEnded(this.#route, endpoint?.slot ?? null, this.#record(wasServed, error)),
    )
  }

  #closeServer(): void {
    const server = this.#server
    this.#server = null
    if (server === null) return
    this.#endpoint?.closed(null)
    server.reset()
  }

  #release(): void {
    if (!this.#isCounted || this.#endpoint === null) return
    this.#isCounted = false
    this.#pool.done(this.#endpoint)
  }

  #record(wasServed: boolean, error: ExchangeError | null): StreamRecord {
    const durationMs = readClock() - this.#startedAt
    const { live, clientIp, peerIp, peerPort, serverName } = this.#from
    return {
      startedAt: Date.now() - durationMs,
      durationMs,
      listener: live.listener.id,
      ...servedBy(this.#route.id, this.#pool, this.#endpoint, this.#attempts),
      clientIp,
      peerIp,
      peerPort,
      serverName,
      status: wasServed || error === null ? STATUS_SERVED : error.kind.status,
      reason: error?.reason ?? null,
      detail: error?.message ?? '',
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    }
  }
}
