/**
 * Connects to a server that has several addresses, or none yet, as RFC 8305 section 5 says: one address after another, the next
 * one as soon as an attempt fails or has taken a quarter of a second, and the first that is connected is taken. A name that has
 * never been resolved is waited for; its time limit is that of the connection.
 */
import type { Socket } from 'node:net'
import { clock } from '../../http/clock.ts'
import { ExchangeError } from '../../http/errors.ts'
import type { SocketReads } from '../../http/socket-reads.ts'
import { shortageOf } from '../../http/shortage.ts'
import type { Addresses } from './addresses.ts'
import { openSocket } from './connect.ts'
import type { ConnectTarget } from './connect-target.ts'
import type { OwnAddresses } from './own-addresses.ts'

/** RFC 8305 section 5, the connection attempt delay. */
const NEXT_ATTEMPT_MS = 250

export interface HappyEyeballsOwner {
  /** Once, and not at once: a socket that speaks TCP by now and is the owner's, or why there is none. */
  dialed(found: Socket | Error, address: string): void
  /** What a socket, the timer or the resolver found here threw. */
  caught(error: unknown): void
}

/** What has to be known of a server to connect to it. */
export interface ConnectableServer {
  readonly target: ConnectTarget
  readonly addresses: Addresses
  /** Where no connection may lead. */
  readonly own: OwnAddresses
}

interface Try {
  readonly address: string
  readonly socket: Socket
  readonly detach: () => void
}

export class HappyEyeballs {
  readonly #server: ConnectableServer
  readonly #reads: SocketReads
  readonly #owner: HappyEyeballsOwner
  readonly #underWay = new Set<Try>()
  #left: readonly string[] = []
  #error: Error | null = null
  #timer: NodeJS.Timeout | null = null
  #stopWaiting: (() => void) | null = null
  #isOver = false

  constructor(server: ConnectableServer, reads: SocketReads, owner: HappyEyeballsOwner) {
    this.#server = server
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
    const socket = openSocket(target, address, this.#reads, own)
    const onConnect = this.#guarded(() => {
      // Destroyed already when it leads back to us.
      if (!socket.destroyed) this.#take(attempt)
    })
    const onError = this.#guarded((error: Error) => this.#lose(attempt, error))
    const attempt: Try = {
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

  #take(attempt: Try): void {
    if (this.#isOver) return
    this.#end()
    const { addresses } = this.#server
    // What began earlier and is not connected yet would cost the next connection the same time.
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

  #lose(attempt: Try, error: Error): void {
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

/** This machine has no way to that family of addresses, which says nothing of the server, nor of a shortage. */
const NO_WAY: ReadonlySet<string> = new Set([
  ...['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EHOSTUNREACH', 'ENETUNREACH'],
])

/** Of two addresses that failed: a server that is the proxy itself before one that is away, and that before no way there. */
export function moreRelevant(first: Error, second: Error): Error {
  if (second instanceof ExchangeError) return second
  const { code = '' } = first as NodeJS.ErrnoException
  return NO_WAY.has(code) ? second : first
}
