/**
 * One request and its response. The downstream side creates it from a head, the gateway owns it, the upstream side carries it out.
 * Three small interfaces separate downstream from upstream, so that neither depends on the other, and HTTP/2 can implement
 * either side.
 */
import type { X509Certificate } from 'node:crypto'
import type { ResponseHead } from './message/response-head.ts'
import { errorResponse, formed, type LocalResponse } from './message/local-response.ts'
import { ExchangeError, type Reason } from './message/errors.ts'
import type { Faultable } from './connection/faults.ts'
import { fieldHolds, fieldValue } from './message/fields.ts'
import type { RequestHead } from './message/request-head.ts'
import type { Destination } from './message/target.ts'
import type { TunnelEnd } from './connection/tunnel.ts'
import type { ProxiedAddresses } from './proxy-protocol/header.ts'
import { type GrpcCall, grpcCallOf } from './grpc/call.ts'
import { grpcTrailersFor, toGrpcResponse } from './grpc/local-response.ts'
import { grpcStatusOf, NO_GRPC_STATUS } from './grpc/status.ts'

/** The certificate of a client (mutual TLS). */
export interface ClientCertificate {
  readonly leaf: X509Certificate
  /** On one line, the most specific part first: `CN=shop,O=Example`. */
  readonly subject: string
  /** Against the authorities of the listener or the host, and not only shown. */
  readonly isVerified: boolean
}

/** What a client's TLS handshake agreed on. */
export interface TlsFacts {
  /** `TLSv1.3`. */
  readonly version: string
  /** By its standard name, `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string
  readonly isResumed: boolean
  /** Of SNI; '' without it. */
  readonly serverName: string
}

/** Takes a request's body: the server's side of an exchange. Data is lent as for ResponseSink. */
export interface BodySink {
  /** False: wait for `resumeBody`. */
  bodyData(chunk: Buffer): boolean
  bodyEnd(trailers: string): void
  /** The last large chunk is still in use and must not be overwritten. */
  readonly holdsData: boolean
  /** The client can take more of the response. */
  resumeResponse(): void
}

/** Changes a request's body on its way, and passes it on to `to`, which is replaced with each attempt. */
export interface BodyFilter extends BodySink {
  to: BodySink | null
}

/**
 * Takes a response: the gateway, for the server's side. Data below JOIN_BYTES (socket-reads.ts) is only lent for the call, larger
 * data for as long as the sink `holdsData`.
 */
export interface ResponseSink extends Faultable {
  /** A 1xx response other than 101. False: wait for `resumeResponse`. */
  interim(head: ResponseHead): boolean
  /**
   * The final head with the available part of the body (as latin1 text if it is small and decoded already); `ended` if that is
   * all of it. False: wait for `resumeResponse`.
   */
  responseHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean
  /** False: wait for `resumeResponse`. */
  responseData(chunk: Buffer | string): boolean
  responseEnd(trailers: string): void
  readonly holdsData: boolean
  /** It copies all data, and never `holdsData`. */
  readonly copiesData?: boolean
  /** The connection carries a login of the client, and belongs to it from here on. */
  pin(): void
  /** 101: a tunnel to `end` follows, `early` are its first bytes. */
  upgraded(head: ResponseHead, end: TunnelEnd, early: Buffer | null): void
  /** The last call: nothing follows. */
  failed(error: ExchangeError): void
  /** The server can take more of the request's body. */
  resumeBody(): void
}

/** The client's side of an exchange. */
export interface ClientSide {
  readonly clientPeer: ConnectedPeer
  /** Starts or continues to pass the request's body to `exchange.sink`. */
  resumeBody(): void
  /** False: the caller must wait for `sink.resumeResponse`, here and below. */
  sendInterim(head: ResponseHead): boolean
  sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean
  sendData(chunk: Buffer | string): boolean
  sendEnd(trailers: string): void
  readonly holdsData: boolean
  /** It copies all data, and never `holdsData`. */
  readonly copiesData?: boolean
  sendLocal(response: LocalResponse): void
  /** 101 with its head, then a tunnel. */
  becomeTunnel(head: ResponseHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd
  /** Ends the connection so that the client sees that the response is cut. */
  abort(): void
}

/** The other end of the client's connection, which carries several exchanges at a time if it is of HTTP/2. */
export interface ConnectedPeer {
  /** Both ends of the connection, or as the PROXY header before it has them. */
  readonly addresses: ProxiedAddresses
  /** What the client showed in the TLS handshake; null or absent: none. */
  readonly certificate?: ClientCertificate | null
  /** Null or absent: the connection is not encrypted. */
  readonly tls?: TlsFacts | null
  /** The client's pinned connections to servers, which close with its own. Null until there is one. */
  pinned: Set<PinnedConnection> | null
}

export interface PinnedConnection {
  /** It carries no exchange. */
  readonly isIdle: boolean
  abandon(): void
}

/** The owner of an exchange: the gateway. */
export interface ExchangeOwner extends Faultable {
  /** The head of a local response, edited by the route's middlewares. */
  headOf(own: LocalResponse): ResponseHead
  /** The client has left, or its body is malformed: nothing can be sent to it. */
  clientGone(error: ExchangeError): void
}

export class Exchange {
  /** A middleware may put its own side before it. */
  client: ClientSide
  readonly head: RequestHead
  /** Replaced once if the route's path policy decides what is forwarded. */
  to: Destination
  /** Of the connection. */
  readonly scheme: 'http' | 'https'
  /** The client's scheme as a trusted peer reports it, else the connection's. */
  readonly clientScheme: 'http' | 'https'
  readonly listener: string
  readonly peerIp: string
  readonly peerPort: number
  /** The client's address behind trusted peers, else the peer's. */
  readonly clientIp: string
  /** performance.now() when the head was read. */
  readonly startedAt: number
  /** The Host line with the client's authority. */
  readonly hostLine: string
  /** Lines that the proxy adds to the request: forwarding fields. */
  added: string
  readonly requestId: string
  owner: ExchangeOwner | null = null
  #sink: BodySink | null = null
  /** What a middleware does with the request's body; null: it passes as it is. */
  bodyFilter: BodyFilter | null = null
  /** The whole request body has been read. */
  bodyEnded: boolean
  /** The body came complete with the head and is in `smallBody` unless it is empty: the request can be sent again. */
  travelsWhole = false
  /** performance.now() of the body's last bytes; 0 before. The server's time does not begin before. */
  bodyAt = 0
  smallBody: Buffer | null = null
  /** It uses a pinned connection, or pins one (a login): no copy of it is sent to another server. */
  isPinned: boolean
  /** A larger body is refused as soon as that is known. A middleware may lower it before the body is read. */
  maxBodyBytes: number = Infinity
  /** A final head has been sent to the client. */
  hasResponded = false
  status = 0
  reason: Reason | null = null
  detail = ''
  bytesIn = 0
  bytesOut = 0
  /** Null: it is no gRPC call. */
  grpc: GrpcCall | null

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
    this.grpc = head.majorVersion === 2 ? grpcCallOf(head) : null
    this.bodyEnded = head.framing === 'none' || (head.framing === 'length' && head.length === 0)
  }

  /** It has no body, or one that came with the head. */
  get isWhole(): boolean {
    return this.travelsWhole || this.head.framing === 'none'
  }

  /** That the client speaks. */
  get protocol(): 'HTTP/1.1' | 'HTTP/1.0' | 'HTTP/2' {
    if (this.head.majorVersion === 2) return 'HTTP/2'
    return this.head.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0'
  }

  /** A local response in the form that the client reads. Notes why it was made. */
  inClientForm(local: LocalResponse): LocalResponse {
    const { grpc } = this
    this.reason = local.reason
    this.detail = local.detail
    if (grpc !== null) {
      const response = toGrpcResponse(local, grpc.webType)
      grpc.status = response.grpcStatus ?? NO_GRPC_STATUS
      return response
    }
    return local.message === undefined ? local : formed(local, this.field('accept'))
  }

  /** Notes why it ends without a whole response. */
  note({ reason, message, kind }: ExchangeError): void {
    this.reason = reason
    this.detail = message
    if (this.grpc !== null) this.grpc.status = grpcStatusOf(reason, kind.status)
  }

  /** The request's body is malformed, as a middleware finds while it is read. */
  refuse(error: ExchangeError): void {
    this.head.keepAlive = false
    if (this.hasResponded) this.cut(error)
    else this.client.sendLocal(errorResponse(error))
    this.owner?.clientGone(error)
  }

  /** Takes the body. */
  get sink(): BodySink | null {
    return this.#sink === null || this.bodyFilter === null ? this.#sink : this.bodyFilter
  }

  set sink(sink: BodySink | null) {
    this.#sink = sink
    if (this.bodyFilter !== null) this.bodyFilter.to = sink
  }

  /** Ends a response that has begun: a gRPC call gets its status, and other clients see that it is cut. */
  cut(error: ExchangeError): void {
    this.note(error)
    if (this.grpc === null || !this.grpc.hasBegun) this.client.abort()
    else this.client.sendEnd(grpcTrailersFor(error))
  }

  /** The HTTP status as which it is counted: of a gRPC call, the one that means the same as its grpc-status. */
  get countedStatus(): number {
    return this.grpc === null ? this.status : this.grpc.countedAs(this.status)
  }

  // For routes.
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

  /** The lines of the head for a server, with those that the proxy adds. */
  get fieldsToServer(): string {
    return this.clientFields + this.added
  }

  /** Of `fieldsToServer`, those that the client has sent. */
  get clientFields(): string {
    return this.grpc?.fieldsToServer ?? this.head.fields
  }

  // Routes, keys, middlewares and the log read header fields here: as received, with the changes of middlewares. Forwarding
  // fields of an untrusted peer are not visible.

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

/** The error for a request body above `maxBodyBytes`, announced or received; null while it is within. */
export function refuseBodySize({ head, bytesIn, maxBodyBytes }: Exchange): ExchangeError | null {
  if (bytesIn <= maxBodyBytes && head.length <= maxBodyBytes) return null
  return new ExchangeError(
    'BODY_TOO_LARGE',
    `the body is larger than the ${maxBodyBytes} bytes that are taken here`,
  )
}
