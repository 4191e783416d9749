/**
 * A server that speaks HTTP/2: its connections carry many exchanges each. The limit of connections is one of exchanges under way,
 * as it is with HTTP/1.1. With PROXY headers, exchanges share connections only if they have the same header, so the same client.
 */
import { clock } from '../../http/connection/clock.ts'
import { writeProxyHeader } from '../../http/proxy-protocol/write-header.ts'
import type { Exchange } from '../../http/exchange.ts'
import { errorName, MAX_WINDOW } from '../../http2/frames.ts'
import type { LinkOptions } from '../../http2/link.ts'
import type { Http2ToServers, Timeouts } from '../../model/snapshot.ts'
import { SHARED, SPOKEN } from '../../scoreboard/layout.ts'
import { compileConnectTarget, wireOf } from '../connecting/connect-target.ts'
import type { ConnectableServer } from '../connecting/happy-eyeballs.ts'
import { Endpoint } from './endpoint.ts'
import { Http2Connections } from './http2-connections.ts'
import { notChosen } from './http2-errors.ts'
import type { Dialed, ServerDial } from './server-dial.ts'
import type { ServerExchange } from './server-exchange.ts'

/** What a connection is assumed to take before the server's first SETTINGS (RFC 9113 section 6.5.2). */
const ASSUMED_STREAMS = 100
/** Of a response head or trailers whose frames have begun. */
const HEAD_MS = 10_000
/** More than for a client: a server may well reset many uploads, and it has been chosen by the operator. */
const BUDGET = { burst: 5_000, perSecond: 1_000 }

/** Between notices about a server. */
const NOTICE_MS = 10_000

export class Http2Endpoint extends Endpoint {
  readonly http2: Http2ToServers
  readonly scheme: 'http' | 'https'
  /** What connections begin with. */
  readonly dialTarget: ConnectableServer
  /** By the PROXY header that they begin with. */
  readonly #groups = new Map<string, Http2Connections>()
  /** Of its connections, those without exchanges. */
  idleCount = 0
  /** How many streams the server took at a time by its last SETTINGS: what a new connection is taken to allow until its own. */
  announcedStreams: number = ASSUMED_STREAMS
  #spoken: keyof typeof SPOKEN | null = null
  #noticedAt = -Infinity
  #unnoticed = 0

  constructor(...given: ConstructorParameters<typeof Endpoint>) {
    super(...given)
    const [backend, server] = given
    const target = compileConnectTarget(backend, server, wireOf(backend, server))
    this.http2 = backend.http2
    this.scheme = target.tls === null ? 'http' : 'https'
    this.dialTarget = { target, addresses: this.addresses, own: this.own }
  }

  override acquire(exchange: Exchange, fresh: boolean, timeouts: Timeouts): ServerExchange | null {
    return this.isFull ? null : this.connectionsFor(exchange).take(exchange, fresh, timeouts)
  }

  protected connectionsFor({ client }: Exchange): Http2Connections {
    const { proxyProtocol: version } = this
    const header = version === null ? null : writeProxyHeader(version, client.clientPeer.addresses)
    const key = header === null ? '' : header.toString('latin1')
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new Http2Connections(this, key, header)
      this.#groups.set(key, group)
    }
    return group
  }

  linkOptions({ handshakeMs }: Timeouts): LinkOptions {
    const { streams, windowBytes } = this.http2
    const { headBytes, fields } = this.limits
    return {
      role: 'client',
      settings: {
        maxStreams: 0,
        streamWindow: windowBytes,
        // Clients that read slowly never hold the responses of others.
        connectionWindow: Math.min(MAX_WINDOW, streams * windowBytes),
        headBytes,
        fields,
        enableConnect: false,
      },
      budget: BUDGET,
      begunAtOnce: Infinity,
      timeouts: { headMs: HEAD_MS, settingsMs: handshakeMs, stallMs: Infinity },
    }
  }

  // Callbacks of its connections.

  /** For display. */
  speaks(protocol: keyof typeof SPOKEN): void {
    if (this.#spoken === protocol) return
    this.#spoken = protocol
    Atomics.store(this.slot.shared, this.slot.at + SHARED.spoken, SPOKEN[protocol])
  }

  /** The server ends a connection because of an error. At most one in 10 s is logged, with the number of those before it. */
  blamed(code: number, debug: string): void {
    if (clock.now - this.#noticedAt < NOTICE_MS) {
      this.#unnoticed++
      return
    }
    const why = debug === '' ? errorName(code) : `${errorName(code)}, "${debug}"`
    const others = this.#unnoticed === 0 ? '' : ` (and ${this.#unnoticed} more connections)`
    this.#noticedAt = clock.now
    this.#unnoticed = 0
    this.onNotice(`server ${this.url} ended a connection of HTTP/2 with an error: ${why}${others}`)
  }

  /** The server chose another protocol than h2 in the TLS handshake, or none. */
  otherChosen({ socket, chosen }: Dialed, dial: ServerDial): void {
    const error = notChosen(chosen)
    socket.on('error', () => {})
    socket.destroy()
    this.closed(null)
    this.connectFailed(error.reason)
    for (const waiting of dial.waiting.splice(0)) waiting.fail(error)
  }

  /** The server requires HTTP/1.1 for an exchange. True if it can have it. */
  fallsBack(): boolean {
    return false
  }

  /** No more connections are idle than are kept. */
  keepsIdle(): boolean {
    return this.idleCount <= this.limits.idle
  }

  /** A connection of the group is gone, or a dial. */
  left(group: Http2Connections): void {
    if (this.proxyProtocol === null || !group.isEmpty) return
    if (this.#groups.get(group.key) === group) this.#groups.delete(group.key)
  }

  /** How many PROXY headers its connections begin with. */
  get groupCount(): number {
    return this.#groups.size
  }

  /** What one connection takes before its SETTINGS. */
  get expectedStreams(): number {
    return Math.min(this.announcedStreams, this.http2.streams)
  }

  // As of any endpoint.

  override giveUpIdle(most: number): number {
    let given = super.giveUpIdle(most)
    for (const group of this.#groups.values()) given += group.giveUpIdle(most - given)
    return given
  }

  protected override moved(): void {
    super.moved()
    for (const group of [...this.#groups.values()])
      group.keepOnly((address) => this.addresses.has(address))
  }

  override retire(): void {
    super.retire()
    for (const group of [...this.#groups.values()]) group.keepOnly(null)
  }
}
