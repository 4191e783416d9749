/**
 * A client of gRPC-Web, as a client of gRPC to all that is behind the middleware: its trailers are the last frame of the body, and the
 * body is base64 if it wants text. Nothing is kept: each piece goes on in the call that brought it.
 */
import type { ClientSide } from '../../http/exchange.ts'
import type { TunnelEnd } from '../../http/connection/tunnel.ts'
import { isGrpcType } from '../../http/grpc/content-type.ts'
import { splitTrailersOnly, toTrailersFrame } from '../../http/grpc/web.ts'
import { fieldValue, withoutFields } from '../../http/message/fields.ts'
import type { LocalResponse } from '../../http/message/local-response.ts'
import type { ResponseHead } from '../../http/message/response-head.ts'

const CONTENT_TYPE: ReadonlySet<string> = new Set(['content-type'])

export class WebClient implements ClientSide {
  readonly #client: ClientSide
  readonly #type: string
  readonly #isText: boolean
  /** The response is one of gRPC: others pass as they are. */
  #isGrpc = false

  /** `type`: of responses. */
  constructor(client: ClientSide, type: string, isText: boolean) {
    this.#client = client
    this.#type = type
    this.#isText = isText
  }

  sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    this.#isGrpc = head.status === 200 && isGrpcType(fieldValue(head.fields, 'content-type'))
    if (!this.#isGrpc) return this.#client.sendHead(head, data, ended)
    head.fields = `${withoutFields(head.fields, CONTENT_TYPE)}Content-Type: ${this.#type}\r\n`
    head.trailerLine = ''
    head.framing = 'chunked'
    head.length = -1
    if (!ended || data !== null) {
      const goesOn = this.#client.sendHead(head, data === null ? null : this.#encode(data), false)
      if (ended) this.sendEnd('')
      return goesOn
    }
    const { head: fields, trailers } = splitTrailersOnly(head.fields)
    const frame = this.#encode(toTrailersFrame(trailers))
    head.fields = fields
    head.framing = 'length'
    head.length = frame.length
    return this.#client.sendHead(head, frame, true)
  }

  sendData(chunk: Buffer | string): boolean {
    return this.#client.sendData(this.#isGrpc ? this.#encode(chunk) : chunk)
  }

  sendEnd(trailers: string): void {
    if (!this.#isGrpc) {
      this.#client.sendEnd(trailers)
      return
    }
    this.#client.sendData(this.#encode(toTrailersFrame(trailers)))
    this.#client.sendEnd('')
  }

  #encode(chunk: Buffer | string): Buffer | string {
    if (!this.#isText) return chunk
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
    return bytes.toString('base64')
  }

  get holdsData(): boolean {
    return !this.#isText && this.#client.holdsData
  }

  // What is the same for both.

  get clientPeer(): ClientSide['clientPeer'] {
    return this.#client.clientPeer
  }

  resumeBody(): void {
    this.#client.resumeBody()
  }

  sendInterim(head: ResponseHead): boolean {
    return this.#client.sendInterim(head)
  }

  /** Its form is that of gRPC-Web already, see Exchange.inClientForm. */
  sendLocal(response: LocalResponse): void {
    this.#client.sendLocal(response)
  }

  becomeTunnel(head: ResponseHead, peer: TunnelEnd, early: Buffer | null): TunnelEnd {
    return this.#client.becomeTunnel(head, peer, early)
  }

  abort(): void {
    this.#client.abort()
  }
}
