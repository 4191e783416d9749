/**
 * TLS that ends at a listener: its certificates, its options and those of hosts, and the handshakes of its connections.
 *
 * A listener whose hosts have no options of their own has one set of options, and reads nothing of a connection before its
 * handshake. Otherwise the name in the ClientHello decides which set a connection gets, and each request is compared with it.
 */
import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { withoutRoot } from '../model/address.ts'
import { valueForName } from '../model/certificate-names.ts'
import type { Listener } from '../model/snapshot.ts'
import { DEFAULT_TLS_OPTIONS, optionsFor, type TlsOptions } from '../model/tls-options.ts'
import { Certificates } from './certificates.ts'
import { noteClientCertificate, whyRefused } from './client-certificate.ts'
import type { ClientHello } from './client-hello.ts'
import type { Preamble } from './preamble.ts'
import { TlsChallenges } from './tls-challenges.ts'
import { TlsSet } from './tls-set.ts'

/**
 * Concurrent handshakes of one listener and thread. Beyond it the one that waits longest is closed: clients that shake hands at once are
 * served, however many are silent.
 */
const MAX_HANDSHAKES = 1_000

/** A fatal alert `unrecognized_name` (RFC 6066 section 3), as a record: Node only closes the connection. */
const UNRECOGNIZED_NAME = Buffer.from('15030300020270', 'hex')
/** For a client to read its alert. */
const ALERT_MS = 1_000

export interface TlsEndOwner {
  secured(socket: Socket, preamble: Preamble | null): void
  /** `socket` is the TLS socket; it is destroyed after this. */
  failed(socket: Socket, error: Error, preamble: Preamble | null): void
  /** No certificate has this name. */
  unrecognized(socket: Socket, serverName: string, preamble: Preamble | null): void
  onFault(error: unknown): void
}

export class TlsEnd {
  readonly #owner: TlsEndOwner
  readonly #protocols: readonly string[]
  #ticketKeys: Buffer
  #listener: Listener
  #certificates: Certificates
  /** By their key. */
  #sets: ReadonlyMap<string, TlsSet> = new Map()
  #byName: ReadonlyMap<string, TlsSet> = new Map()
  #default: TlsSet
  #challenges: TlsChallenges
  /** Open connections may have another set than the default. */
  #isDivided = false
  /** TCP sockets, in the order in which they came. */
  readonly #handshakes = new Set<Socket>()
  readonly #most: number

  /** `protocols`: for ALPN. */
  constructor(
    listener: Listener,
    protocols: readonly string[],
    ticketKeys: Buffer,
    owner: TlsEndOwner,
    most: number = MAX_HANDSHAKES,
  ) {
    this.#most = most
    this.#owner = owner
    this.#protocols = protocols
    this.#ticketKeys = ticketKeys
    this.#listener = listener
    this.#certificates = certificatesOf(listener, null)
    this.#challenges = challengesOf(listener)
    this.#default = this.#compile()
  }

  /** The ClientHello decides about more than the certificate of its name. */
  get needsHello(): boolean {
    return this.#certificates.hasChoice || this.#byName.size > 0 || this.#challenges.areOpen
  }

  /** Whether it is the connection of a certificate authority that checks a challenge; it is taken then. */
  answersChallenge(socket: Socket, preamble: Preamble | null): boolean {
    if (!this.#challenges.concern(preamble?.hello ?? null)) return false
    this.#count(socket)
    this.#challenges.answer(socket)
    return true
  }

  shakeHands(socket: Socket, preamble: Preamble | null): void {
    const serverName = preamble?.hello?.serverName
    if (serverName !== undefined && this.#isUnrecognized(serverName)) {
      this.#owner.unrecognized(socket, serverName, preamble)
      endWith(socket, UNRECOGNIZED_NAME)
      return
    }
    this.#count(socket)
    if (preamble !== null) PREAMBLES.set(socket, preamble)
    this.#setFor(serverName ?? '').begin(socket)
  }

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#handshakes.size
  }

  /** Counts a handshake until it is complete or its socket is closed. */
  #count(socket: Socket): void {
    if (this.#handshakes.size >= this.#most) this.#closeOldest()
    this.#handshakes.add(socket)
    socket.once('close', () => this.#handshakes.delete(socket))
  }

  #closeOldest(): void {
    const [oldest] = this.#handshakes
    if (oldest === undefined) return
    this.#handshakes.delete(oldest)
    oldest.destroy()
  }

  /** Whether there is a certificate for this name. */
  covers(serverName: string): boolean {
    return this.#certificates.covers(serverName)
  }

  /** Whether `misdirected` has anything to compare. */
  get mayMisdirect(): boolean {
    return this.#isDivided || this.#listener.tls?.strictSni === true
  }

  /**
   * Why a request for this host must not come on this connection (RFC 9110 section 7.4), or null. Clients reuse a connection for all
   * hosts that its certificate covers (RFC 9113 section 9.1.1): a host with other options, such as certificates of clients, must
   * not be reached through it.
   */
  misdirected(socket: Socket, host: string): string | null {
    const had = CONNECTIONS.get(socket)
    const name = had?.serverName || nameOf(socket)
    // A TLS 1.2 session that is resumed does not have its server name.
    const isUnnamed =
      name === '' && 'isSessionReused' in socket && (socket as TLSSocket).isSessionReused()
    if (!isUnnamed && this.#certificates.misdirects(name, host))
      return 'another certificate of this listener is for this host'
    if (!this.#isDivided) return null
    const wanted = this.#setFor(host)
    const set = had?.set ?? this.#default
    if (set === wanted) return null
    // The connection is older than these options, and nothing about certificates of clients has changed.
    if (set.authKey === wanted.authKey && this.#setFor(name) === wanted) return null
    return 'this host has other TLS options than those of the connection'
  }

  update(listener: Listener): void {
    if (listener.challenges !== this.#listener.challenges) this.#challenges = challengesOf(listener)
    this.#listener = listener
    this.#certificates = certificatesOf(listener, this.#certificates)
    const before = this.#default
    this.#default = this.#compile()
    if (this.#default.authKey !== before.authKey) this.#isDivided = true
  }

  /** For sessions from now on; those of former keys begin with a whole handshake. */
  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    for (const set of this.#sets.values()) set.update(this.#certificates, keys)
  }

  /** Returns the set of the listener. Sets that are still declared are kept, with their servers. */
  #compile(): TlsSet {
    const { tls } = this.#listener
    const sets = new Map<string, TlsSet>()
    const byName = new Map<string, TlsSet>()
    const own = this.#addSet(sets, tls?.options ?? DEFAULT_TLS_OPTIONS)
    for (const { names, options } of tls?.hosts ?? []) {
      const set = this.#addSet(sets, optionsFor(own.options, options))
      for (const name of names) if (!byName.has(name)) byName.set(name, set)
    }
    this.#sets = sets
    this.#byName = sets.size === 1 ? new Map() : byName
    if (sets.size > 1) this.#isDivided = true
    return own
  }

  #addSet(sets: Map<string, TlsSet>, options: TlsOptions): TlsSet {
    const timeoutMs = this.#listener.timeouts.headMs
    const key = JSON.stringify([options, timeoutMs])
    const known = sets.get(key) ?? this.#sets.get(key)
    if (known === undefined) {
      const form = { protocols: this.#protocols, timeoutMs }
      const set = new TlsSet(options, key, form, this.#certificates, this.#ticketKeys, this.#events)
      sets.set(key, set)
      return set
    }
    known.update(this.#certificates, this.#ticketKeys)
    sets.set(key, known)
    return known
  }

  #setFor(name: string): TlsSet {
    return valueForName(this.#byName, name) ?? this.#default
  }

  #isUnrecognized(serverName: string): boolean {
    return this.#listener.tls?.strictSni === true && !this.#certificates.covers(serverName)
  }

  readonly #events = {
    helloOf: (socket: unknown): ClientHello | null => preambleOf(socket)?.hello ?? null,

    choose: (
      name: string,
      hello: ClientHello | null,
      set: TlsSet,
      socket: unknown,
    ): SecureContext | undefined => {
      const serverName = withoutRoot(name.toLowerCase())
      if (this.#isUnrecognized(serverName)) {
        const below = socketBelow(socket)
        if (below !== null) {
          this.#owner.unrecognized(below, serverName, preambleOf(socket))
          below.write(UNRECOGNIZED_NAME)
          UNRECOGNIZED.add(below)
        }
        throw new Error('no certificate has the name')
      }
      try {
        return this.#certificates.context(serverName, hello, Date.now(), set.trust, set.authKey)
      } catch (error) {
        this.#owner.onFault(error)
        throw new Error('no certificate could be chosen', { cause: error })
      }
    },

    secured: (socket: TLSSocket, set: TlsSet): void => {
      // The handshake is complete: from here on it counts as a connection.
      const below = socketBelow(socket)
      if (below !== null) this.#handshakes.delete(below)
      // A client that closes its side before that has left. Half open, it would count as a handshake until the time limit.
      socket.allowHalfOpen = true
      const preamble = preambleOf(socket)
      const { clientAuth } = set.options
      if (clientAuth.mode !== 'none') {
        const refused = whyRefused(socket, clientAuth)
        if (refused !== null) {
          this.#owner.failed(socket, refused, preamble)
          socket.destroy()
          return
        }
        noteClientCertificate(socket, clientAuth)
      }
      CONNECTIONS.set(socket, { set, serverName: preamble?.hello?.serverName ?? '' })
      this.#owner.secured(socket, preamble)
    },

    failed: (socket: TLSSocket, error: Error): void => {
      const below = socketBelow(socket)
      if (below === null || !UNRECOGNIZED.has(below))
        this.#owner.failed(socket, error, preambleOf(socket))
      socket.destroy()
    },
  }
}

/** A client that has left would not be noticed while the socket is paused, and one that stays has no time limit otherwise. */
function endWith(socket: Socket, alert: Buffer): void {
  socket.on('error', () => {})
  socket.end(alert)
  const timer = setTimeout(() => socket.destroy(), ALERT_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
}

function certificatesOf({ tls }: Listener, former: Certificates | null): Certificates {
  return new Certificates(tls?.certificates ?? [], tls?.strictSni ?? false, former)
}

function challengesOf({ challenges, timeouts }: Listener): TlsChallenges {
  return new TlsChallenges(challenges, timeouts.headMs)
}

/** By the TCP socket below the TLS socket. */
const PREAMBLES = new WeakMap<object, Preamble>()
/** TCP sockets whose client has its alert. */
const UNRECOGNIZED = new WeakSet<object>()
/** By the TLS socket. */
const CONNECTIONS = new WeakMap<object, { readonly set: TlsSet; readonly serverName: string }>()

function preambleOf(tls: unknown): Preamble | null {
  const below = socketBelow(tls)
  return (below !== null && PREAMBLES.get(below)) || null
}

function socketBelow(tls: unknown): Socket | null {
  const below = typeof tls === 'object' && tls !== null && '_parent' in tls && tls._parent
  return typeof below === 'object' && below !== null ? (below as Socket) : null
}

function nameOf(socket: Socket): string {
  const name = 'servername' in socket ? socket.servername : ''
  return typeof name === 'string' ? withoutRoot(name.toLowerCase()) : ''
}
