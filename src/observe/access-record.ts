/**
 * One finished exchange, as the access log sees it.
 *
 * Hot path (bench scenario `logged`): a record is a view of its exchange, so that a format pays for the fields that it
 * writes and for no others.
 */
import type { Reason } from '../http/message/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { twoFieldValues } from '../http/message/fields.ts'

export interface AccessRecord {
  /** When the head was read, ms since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  readonly listener: string
  /** '' when no route was found. */
  readonly frontend: string
  readonly backend: string
  /** The server's url, '' when none was reached. */
  readonly server: string
  readonly attempts: number
  /** The effective client (behind trusted peers), and the peer itself. */
  readonly clientIp: string
  readonly peerIp: string
  readonly peerPort: number
  readonly method: string
  readonly host: string
  /** As the client sent it, query included; raw latin1, hostile. */
  readonly target: string
  /** `HTTP/1.1`, `HTTP/1.0` or `HTTP/2`. */
  readonly protocol: string
  readonly scheme: 'http' | 'https'
  /** 0 if the client left before a response began. */
  readonly status: number
  /** Of a gRPC call; -1: it ended without one. Undefined: it was none. */
  readonly grpcStatus?: number | undefined
  /** Why the proxy responded itself or ended the exchange; null if the server's response was passed on as a whole. */
  readonly reason: Reason | null
  /** What was seen, for people. */
  readonly detail: string
  readonly bytesIn: number
  readonly bytesOut: number
  readonly requestId: string
  readonly userAgent: string
  readonly referer: string
  /** The subject of the certificate that the client showed; '' if it showed none. */
  readonly clientCertificate: string
}

/** Where an exchange went. */
export type ServedBy = Pick<AccessRecord, 'frontend' | 'backend' | 'server' | 'attempts'>

/** Of an exchange that has ended just now. */
export function recordOf(exchange: Exchange, served: ServedBy, durationMs: number): AccessRecord {
  return new ExchangeRecord(exchange, served, durationMs)
}

class ExchangeRecord implements AccessRecord {
  readonly startedAt: number
  readonly durationMs: number
  readonly #exchange: Exchange
  readonly #served: ServedBy
  #fields: ReturnType<typeof twoFieldValues> | null = null

  constructor(exchange: Exchange, served: ServedBy, durationMs: number) {
    // By the date of now: the process's beginning on it would not follow a step of the system's clock.
    this.startedAt = Date.now() - durationMs
    this.durationMs = durationMs
    this.#exchange = exchange
    this.#served = served
  }

  get listener(): string {
    return this.#exchange.listener
  }

  get frontend(): string {
    return this.#served.frontend
  }

  get backend(): string {
    return this.#served.backend
  }

  get server(): string {
    return this.#served.server
  }

  get attempts(): number {
    return this.#served.attempts
  }

  get clientIp(): string {
    return this.#exchange.clientIp
  }

  get peerIp(): string {
    return this.#exchange.peerIp
  }

  get peerPort(): number {
    return this.#exchange.peerPort
  }

  get method(): string {
    return this.#exchange.head.method
  }

  get host(): string {
    return this.#exchange.to.authority
  }

  get target(): string {
    return this.#exchange.head.target
  }

  get protocol(): string {
    return this.#exchange.protocol
  }

  get scheme(): 'http' | 'https' {
    return this.#exchange.scheme
  }

  get status(): number {
    return this.#exchange.status
  }

  get grpcStatus(): number | undefined {
    return this.#exchange.grpc?.status
  }

  get reason(): Reason | null {
    return this.#exchange.reason
  }

  get detail(): string {
    return this.#exchange.detail
  }

  get bytesIn(): number {
    return this.#exchange.bytesIn
  }

  get bytesOut(): number {
    return this.#exchange.bytesOut
  }

  get requestId(): string {
    return this.#exchange.requestId
  }

  get userAgent(): string {
    return this.#found().first ?? ''
  }

  get referer(): string {
    return this.#found().second ?? ''
  }

  get clientCertificate(): string {
    return this.#exchange.client.clientPeer.certificate?.subject ?? ''
  }

  /** With what middlewares have changed of them. */
  #found(): ReturnType<typeof twoFieldValues> {
    this.#fields ??= twoFieldValues(this.#exchange.head.fields, 'user-agent', 'referer')
    return this.#fields
  }
}
