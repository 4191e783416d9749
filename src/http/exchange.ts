/**
 * One request and its response on their way through. The downstream side makes it of a head, the gateway owns it, the upstream
 * carries it out. The seam between downstream and upstream stands here as three small interfaces, so that neither knows the
 * other, and HTTP/2 can take either side.
 */
import type { ResponseHead } from './response-head.ts'
import type { LocalResponse } from './local-response.ts'
import type { ExchangeError, Reason } from './errors.ts'
import type { Faultable } from './faults.ts'
import { fieldHolds, fieldValue } from './fields.ts'
import type { RequestHead } from './request-head.ts'
import type { Destination } from './target.ts'
import type { TunnelEnd } from './tunnel.ts'

/** Takes a request's body: the server's side of an exchange. Data is lent as for ResponseSink. */
export interface BodySink {
  /** False asks to wait for `resumeBody`. */
  bodyData(chunk: Buffer): boolean
  bodyEnd(trailers: string): void
  /** Large data that it was given last may not be overwritten yet. */
  readonly holdsData: boolean
  /** The client takes answer bytes again. */
  resumeResponse(): void
}

/**
 * Takes a response: the gateway, for the server's side. Data below JOIN_BYTES (socket-reads.ts) is only lent for the call, larger
 * data for as long as the sink `holdsData`.
 */
export interface ResponseSink extends Faultable {
  /** A 1xx answer but 101. False asks to wait for `resumeResponse`. */
  interim(head: ResponseHead): boolean
  /**
   * The final head, with what is there of the body (as latin1 text where it is small and decoded already); `ended` when
   * that is all. False asks to wait for `resumeResponse`.
   */
  responseHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean
  /** False asks to wait for `resumeResponse`. */
  responseData(chunk: Buffer | string): boolean
  responseEnd(trailers: string): void
  readonly holdsData: boolean
  /** The connection belongs to the exchange's client from now on: it carries a login of it. */
  pin(): void
  /** 101: what follows is a tunnel to `end`, `early` its first bytes. */
  upgraded(head: ResponseHead, end: TunnelEnd, early: Buffer | null): void
  /** Nothing more comes. */
  failed(error: ExchangeError): void
  /** The server takes request body again. */
  resumeBody(): void
}

/** The client's side of an exchange. */
export interface ClientSide {
  /** Begins or goes on passing the request's body to `exchange.sink`. */
  resumeBody(): void
  /** False asks the caller to wait for `sink.resumeResponse`, here and below. */
  sendInterim(head: ResponseHead): boolean
  sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean
  sendData(chunk: Buffer | string): boolean
  sendEnd(trailers: string): void
  readonly holdsData: boolean
  sendLocal(response: LocalResponse): void
  /** 101 with its head, then a tunnel. */
  becomeTunnel(head: ResponseHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd
  /** Ends the connection so that the client sees that the response is cut. */
  abort(): void
  /** What ends with its connection: those to servers that are this client's own. Null as long as there were none. */
  pinned: Set<PinnedConnection> | null
}

export interface PinnedConnection {
  abandon(): void
}

/** Who answers for an exchange: the gateway. */
export interface ExchangeOwner extends Faultable {
  /** The head of a response of the proxy's own, as the route's middlewares edit it. */
  headOf(own: LocalResponse): ResponseHead
  /** The client is gone, or its body broke: nothing can be sent to it any more (the error says which). */
  clientGone(error: ExchangeError): void
}

export class Exchange {
  readonly client: ClientSide
  readonly head: RequestHead
  /** Replaced once, where the route decides what is forwarded of a path. */
  to: Destination
  /** Of the connection. */
  readonly scheme: 'http' | 'https'
  /** What the client itself spoke, as a trusted peer says it; else the connection's. */
  readonly clientScheme: 'http' | 'https'
  readonly listener: string
  readonly peerIp: string
  readonly peerPort: number
  /** The client's address behind trusted peers, else the peer's. */
  readonly clientIp: string
  /** performance.now() when the head was read. */
  readonly startedAt: number
  /** The Host field that the client's authority makes. */
  readonly hostLine: string
  /** Lines that the proxy adds towards the server: forwarding fields. */
  added: string
  readonly requestId: string
  owner: ExchangeOwner | null = null
  sink: BodySink | null = null
  /** The whole request body has been read. */
  bodyEnded: boolean
  /** The body came whole with the head, and is in `smallBody` when it is not empty: the request can be sent again. */
  travelsWhole = false
  /** performance.now() when the client last brought something of the body; 0 before. What it took is not the server's time. */
  bodyAt = 0
  smallBody: Buffer | null = null
  /** It goes over a connection that is its client's own (a login), or makes it so: no copy of it goes to another server. */
  isPinned: boolean
  /** A body that is larger is refused, as soon as that is known. A middleware may set it before the body is taken. */
  maxBodyBytes: number = Infinity
  /** A final head has been sent to the client. */
  hasResponded = false
  status = 0
  reason: Reason | null = null
  detail = ''
  bytesIn = 0
  bytesOut = 0

  constructor(
    client: ClientSide,
    head: RequestHead,
    to: Destination,
    received: {
      scheme: 'http' | 'https'
      clientScheme: 'http' | 'https'
      listener: string
      peerIp: string
      peerPort: number
      clientIp: string
      startedAt: number
      hostLine: string
      added: string
      requestId: string
    },
  ) {
    this.client = client
    this.head = head
    this.to = to
    this.scheme = received.scheme
    this.clientScheme = received.clientScheme
    this.listener = received.listener
    this.peerIp = received.peerIp
    this.peerPort = received.peerPort
    this.clientIp = received.clientIp
    this.startedAt = received.startedAt
    this.hostLine = received.hostLine
    this.added = received.added
    this.requestId = received.requestId
    this.isPinned = head.logsIn
    this.bodyEnded = head.framing === 'none' || (head.framing === 'length' && head.length === 0)
  }

  /** All of it is at hand: it has no body, or one that came with the head. */
  get isWhole(): boolean {
    return this.travelsWhole || this.head.framing === 'none'
  }

  // What routes look at.
  get method(): string {
    return this.head.method
  }

  get host(): string {
    return this.to.host
  }

  get path(): string {
    return this.to.path
  }

  get query(): string {
    return this.to.query
  }

  // The one way to a field of the request, for routes, keys, middlewares and the log: as it was received and is believed, with
  // what middlewares have changed of it. Forwarding fields of a peer that is not trusted are not there.

  /** The value of all lines of a field (name in lower case), or undefined. */
  field(name: string): string | undefined {
    if (name === 'host') return this.to.authority
    return fieldValue(this.head.textWith(name), name)
  }

  fieldHolds(name: string, test: (value: string) => boolean): boolean {
    if (name === 'host') return test(this.to.authority)
    return fieldHolds(this.head.textWith(name), name, test)
  }
}
