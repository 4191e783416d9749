/**
 * A client of gRPC-Web, as a client of gRPC to all that is behind the middleware: its trailers are the last frame of the body, and the
 * body is base64 if it wants text. Nothing is kept: each piece goes on in the call that brought it.
 */
import type { ClientSide } from '../../http/exchange.ts'
import { isGrpcType } from '../../http/grpc/content-type.ts'
import { splitTrailersOnly, toTrailersFrame } from '../../http/grpc/web.ts'
import { fieldValue, withoutFields } from '../../http/message/fields.ts'
import type { ResponseHead } from '../../http/message/response-head.ts'
import { PassingClient } from '../../http/passing-client.ts'

const CONTENT_TYPE: ReadonlySet<string> = new Set(['content-type'])

/** A local response is in the form of gRPC-Web already, see Exchange.inClientForm. */
export class WebClient extends PassingClient {
  readonly #type: string
  readonly #isText: boolean
  /** The response is one of gRPC: others pass as they are. */
  #isGrpc = false

  /** `type`: of responses. */
  constructor(client: ClientSide, type: string, isText: boolean) {
    super(client)
    this.#type = type
    this.#isText = isText
  }

  override sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    this.#isGrpc = head.status === 200 && isGrpcType(fieldValue(head.fields, 'content-type'))
    if (!this.#isGrpc) return this.client.sendHead(head, data, ended)
    head.fields = `${withoutFields(head.fields, CONTENT_TYPE)}Content-Type: ${this.#type}\r\n`
    head.trailerLine = ''
    head.framing = 'chunked'
    head.length = -1
    if (!ended || data !== null) {
      const goesOn = this.client.sendHead(head, data === null ? null : this.#encode(data), false)
      if (ended) this.sendEnd('')
      return goesOn
    }
    const { head: fields, trailers } = splitTrailersOnly(head.fields)
    const frame = this.#encode(toTrailersFrame(trailers))
    head.fields = fields
    head.framing = 'length'
    head.length = frame.length
    return this.client.sendHead(head, frame, true)
  }

  override sendData(chunk: Buffer | string): boolean {
    return this.client.sendData(this.#isGrpc ? this.#encode(chunk) : chunk)
  }

  override sendEnd(trailers: string): void {
    if (!this.#isGrpc) {
      this.client.sendEnd(trailers)
      return
    }
    this.client.sendData(this.#encode(toTrailersFrame(trailers)))
    this.client.sendEnd('')
  }

  #encode(chunk: Buffer | string): Buffer | string {
    if (!this.#isText) return chunk
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
    return bytes.toString('base64')
  }

  override get holdsData(): boolean {
    return !this.#isText && this.client.holdsData
  }
}
