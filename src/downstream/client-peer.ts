/** The peer of a client connection: its address, whether it is trusted, and the forwarding fields of its requests. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { LastHost } from '../http/message/authority.ts'
import { readClock } from '../http/connection/clock.ts'
import {
  type ClientCertificate,
  type ClientSide,
  type ConnectedPeer,
  Exchange,
  type PinnedConnection,
  type TlsFacts,
} from '../http/exchange.ts'
import { addressesOf, type ProxiedAddresses } from '../http/proxy-protocol/header.ts'
import type { RequestHead } from '../http/message/request-head.ts'
import type { Destination } from '../http/message/target.ts'
import { clientCertificateOf } from './client-certificate.ts'
import { readClient, readScheme, type Trust } from './forwarded-client.ts'
import { continuedForwardingFields, createRequestId, ForwardingFields } from './forwarding.ts'
import type { Preamble } from './preamble.ts'
import { plainHost } from '../model/ip.ts'

export class ClientPeer implements ConnectedPeer {
  /** The client's if a PROXY header has it. */
  readonly peerIp: string
  readonly peerPort: number
  readonly trusted: boolean
  readonly lastHost: LastHost = new LastHost()
  /** Null: it showed none. */
  readonly certificate: ClientCertificate | null
  pinned: Set<PinnedConnection> | null = null
  readonly #socket: Socket
  /** By the PROXY header; null: there was none. */
  readonly #proxied: ProxiedAddresses | null
  readonly #scheme: 'http' | 'https'
  readonly #trust: Trust
  /** Most connections request one authority, so its lines are cached. */
  #cachedFor: string | null = null
  #cached = ''
  readonly #fields: ForwardingFields
  #hostLine = ''

  constructor(socket: Socket, preamble: Preamble | null, scheme: 'http' | 'https', trust: Trust) {
    const proxied = preamble?.proxied ?? null
    this.#socket = socket
    this.#proxied = proxied
    this.peerIp = proxied?.source?.host ?? plainHost(socket.remoteAddress ?? '')
    this.peerPort = proxied?.source?.port ?? socket.remotePort ?? 0
    this.trusted = trust.trusts(this.peerIp)
    this.certificate = scheme === 'https' ? clientCertificateOf(socket) : null
    this.#scheme = scheme
    this.#trust = trust
    this.#fields = new ForwardingFields(this.peerIp, scheme)
  }

  get tls(): TlsFacts | null {
    if (this.#scheme !== 'https') return null
    const socket = this.#socket as TLSSocket
    return {
      version: socket.getProtocol() ?? '',
      cipher:
        (socket.getCipher() as ReturnType<TLSSocket['getCipher']> | undefined)?.standardName ?? '',
      isResumed: socket.isSessionReused(),
      serverName: typeof socket.servername === 'string' ? socket.servername : '',
    }
  }

  /** The client's connection is closed. */
  closePinned(): void {
    if (this.pinned !== null) for (const connection of [...this.pinned]) connection.abandon()
  }

  /** For servers that get a PROXY header. */
  get addresses(): ProxiedAddresses {
    return this.#proxied ?? addressesOf(this.#socket)
  }

  createExchange(
    client: ClientSide,
    listener: string,
    head: RequestHead,
    to: Destination,
  ): Exchange {
    const { forwarded } = head
    const scheme = this.#scheme
    const requestId = forwarded?.requestId || createRequestId()
    let clientIp = this.peerIp
    let clientScheme = scheme
    let added: string
    if (this.#cachedFor !== to.authority) {
      this.#cachedFor = to.authority
      this.#cached = this.#fields.of(to.authority)
      this.#hostLine = `Host: ${to.authority}\r\n`
    }
    if (forwarded === null) {
      added = this.#cached
    } else {
      const behind = readClient(this.peerIp, forwarded, this.#trust)
      clientIp = behind.ip
      clientScheme = readScheme(forwarded.proto) ?? behind.scheme ?? scheme
      added = continuedForwardingFields(
        forwarded,
        this.peerIp,
        clientIp,
        clientScheme,
        behind.authority || to.authority,
      )
    }
    const startedAt = readClock()
    added = `${added}${requestId}\r\n`
    const { peerIp, peerPort } = this
    return new Exchange(client, head, to, {
      scheme,
      clientScheme,
      listener,
      peerIp,
      peerPort,
      clientIp,
      startedAt,
      hostLine: this.#hostLine,
      added,
      requestId,
    })
  }
}
