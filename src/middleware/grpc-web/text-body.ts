/** Decodes the body of a request of gRPC-Web in base64 on its way to the server. */
import type { BodyFilter, BodySink, Exchange } from '../../http/exchange.ts'
import { Base64Decoder } from '../../http/grpc/web.ts'
import { ExchangeError } from '../../http/message/errors.ts'

export class TextBody implements BodyFilter {
  to: BodySink | null = null
  readonly #decoder = new Base64Decoder()
  readonly #exchange: Exchange
  #isBroken = false
  /** What is decoded is a copy. */
  readonly holdsData = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  bodyData(chunk: Buffer): boolean {
    if (this.#isBroken) return true
    const data = this.#decoder.decode(chunk)
    if (data === null) {
      this.#break()
      return true
    }
    return data.length === 0 || this.to === null || this.to.bodyData(data)
  }

  bodyEnd(trailers: string): void {
    if (this.#isBroken) return
    if (this.#decoder.isComplete) this.to?.bodyEnd(trailers)
    else this.#break()
  }

  resumeResponse(): void {
    this.to?.resumeResponse()
  }

  #break(): void {
    this.#isBroken = true
    this.#exchange.refuse(notBase64())
  }
}

export function notBase64(): ExchangeError {
  return new ExchangeError('BAD_FRAMING', 'the body is not base64, as application/grpc-web-text is')
}
