/**
 * Connects to a server that has several addresses, or none yet, by Happy Eyeballs (RFC 8305 section 5): starts the next address
 * when an attempt fails or has taken 250 ms, and takes the first connection that is made. If the name has never been resolved,
 * waits for that, within the connect timeout.
 */
import type { Socket } from 'node:net'
import { clock } from '../../http/connection/clock.ts'
import { ExchangeError } from '../../http/message/errors.ts'
import type { SocketReads } from '../../http/connection/socket-reads.ts'
import { shortageOf } from '../../http/connection/shortage.ts'
import type { Addresses } from './addresses.ts'
import { openSocket } from './connect.ts'
import type { ConnectTarget } from './connect-target.ts'
import type { OwnAddresses } from './own-addresses.ts'

/** RFC 8305 section 5: the Connection Attempt Delay. */
const NEXT_ATTEMPT_MS = 250

export interface HappyEyeballsOwner {
  /** Called once, asynchronously: with a connected socket, which the owner must close, or the error. */
  dialed(found: Socket | Error, address: string): void
  /** An exception in a callback of a socket, the timer or the resolver. */
  caught(error: unknown): void
}

/** What has to be known of a server to connect to it. */
export interface ConnectableServer {
  readonly target: ConnectTarget
  readonly addresses: Addresses
  /** Where no connection may lead. */
  readonly own: OwnAddresses
}

interface ConnectAttempt {
  readonly address: string
  readonly socket: Socket
  readonly detach: () => void
}

export class HappyEyeballs {
  readonly #server: ConnectableServer
  readonly #reads: SocketReads | null
  readonly #owner: HappyEyeballsOwner
  readonly #proxyHeader: Buffer | null
  readonly #underWay = new Set<ConnectAttempt>()
  #left: readonly string[] = []
  #error: Error | null = null
  #timer: NodeJS.Timeout | null = null
  #stopWaiting: (() => void) | null = null
  #isOver = false

  constructor(
    server: ConnectableServer,
    reads: SocketReads | null,
    owner: HappyEyeballsOwner,
    proxyHeader: Buffer | null,
  ) {
    this.#server = server
    this.#proxyHeader = proxyHeader
    this.#reads = reads
    this.#owner = owner
    this.#left = server.addresses.order(clock.now)
    if (this.#left.length > 0) this.#tryNext()
    else if (server.addresses.failure === null) this.#waitForName()
    else process.nextTick(this.#guarded(() => this.#fail(this.#unresolved())))
  }

  cancel(): void {
    this.#end()
    for (const attempt of this.#underWay) attempt.socket.destroy()
  }

  #guarded<Given extends unknown[]>(step: (...given: Given) => void): (...given: Given) => void {
    return (...given) => {
      try {
        step(...given)
      } catch (error) {
        this.#owner.caught(error)
      }
    }
  }

  get waitsFor(): 'name' | 'connect' {
    return this.#stopWaiting === null ? 'connect' : 'name'
  }

  #waitForName(): void {
    const resolved = this.#guarded((addresses: readonly string[]) => {
      this.#stopWaiting?.()
      this.#stopWaiting = null
      this.#left = this.#server.addresses.order(clock.now)
      if (addresses.length > 0) this.#tryNext()
      else this.#fail(this.#unresolved())
    })
    this.#stopWaiting = this.#server.addresses.wait(({ addresses }) => resolved(addresses))
  }

  #unresolved(): ExchangeError {
    const { target, addresses } = this.#server
    const why = addresses.failure ?? 'its name has not been resolved'
    return new ExchangeError('DNS_FAILED', `cannot resolve ${target.host}: ${why}`)
  }

  #tryNext(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const [address, ...others] = this.#left
    if (address === undefined) return
    this.#left = others
    this.#open(address)
    if (others.length > 0) {
      const next = this.#guarded(() => this.#tryNext())
      this.#timer = setTimeout(next, NEXT_ATTEMPT_MS)
    }
  }

  #open(address: string): void {
    const { target, own } = this.#server
    const socket = openSocket(target, address, this.#reads, own, this.#proxyHeader)
    const onConnect = this.#guarded(() => {
      // Already destroyed if it leads back to this process.
      if (!socket.destroyed) this.#take(attempt)
    })
    const onError = this.#guarded((error: Error) => this.#lose(attempt, error))
    const attempt: ConnectAttempt = {
      address,
      socket,
      detach() {
        socket.off('connect', onConnect)
        socket.off('error', onError)
      },
    }
    this.#underWay.add(attempt)
    socket.on('connect', onConnect)
    socket.on('error', onError)
  }

  #take(attempt: ConnectAttempt): void {
    if (this.#isOver) return
    this.#end()
    const { addresses } = this.#server
    // Earlier addresses that are not connected yet would delay the next connection, too.
    for (const earlier of this.#underWay) {
      if (earlier === attempt) break
      addresses.failed(earlier.address, clock.now)
    }
    this.#underWay.delete(attempt)
    attempt.detach()
    for (const { socket } of this.#underWay) socket.destroy()
    addresses.connected(attempt.address)
    this.#owner.dialed(attempt.socket, attempt.address)
  }

  #lose(attempt: ConnectAttempt, error: Error): void {
    if (this.#isOver) return
    this.#underWay.delete(attempt)
    if (shortageOf(error) === null) this.#server.addresses.failed(attempt.address, clock.now)
    this.#error = this.#error === null ? error : moreRelevant(this.#error, error)
    if (this.#left.length > 0) this.#tryNext()
    else if (this.#underWay.size === 0) this.#fail(this.#error)
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.#end()
    this.#owner.dialed(error, '')
  }

  #end(): void {
    this.#isOver = true
    this.#stopWaiting?.()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}

/** This machine has no route to that address family, which is no failure of the server and no shortage. */
const NO_ROUTE: ReadonlySet<string> = new Set([
  ...['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EHOSTUNREACH', 'ENETUNREACH'],
])

/** Of the errors of two addresses: the proxy's own address first, then a server that fails, then a missing route. */
export function moreRelevant(first: Error, second: Error): Error {
  if (second instanceof ExchangeError) return second
  const { code = '' } = first as NodeJS.ErrnoException
  return NO_ROUTE.has(code) ? second : first
}
