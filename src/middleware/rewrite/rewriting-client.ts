/**
 * A client whose response bodies get their variables replaced on the way. Compressed and partial bodies pass as they are, and so does
 * what `no-transform` forbids to change; requests ask for neither.
 */
import type { ClientSide, Exchange } from '../../http/exchange.ts'
import { isGrpcType } from '../../http/grpc/content-type.ts'
import { fieldValue, listHolds, withoutFields } from '../../http/message/fields.ts'
import type { ResponseHead } from '../../http/message/response-head.ts'
import { PassingClient } from '../../http/passing-client.ts'
import { BodyVariables } from './body-variables.ts'

/** What a server must not be asked for: other codings, and parts, whose positions would be those of another body. */
const NOT_ASKED: ReadonlySet<string> = new Set(['accept-encoding', 'range', 'if-range'])
/** What was said of the body that the server sent. */
const OF_THE_OLD_BODY: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
])

/** The responses to this request are to be rewritten. */
export function rewriteBodyOf(exchange: Exchange): void {
  const { head } = exchange
  head.fields = `${withoutFields(head.fields, NOT_ASKED)}Accept-Encoding: identity\r\n`
  exchange.client = new RewritingClient(exchange.client, exchange)
}

class RewritingClient extends PassingClient {
  readonly #exchange: Exchange
  /** Null: the body passes as it is. */
  #variables: BodyVariables | null = null

  constructor(client: ClientSide, exchange: Exchange) {
    super(client)
    this.#exchange = exchange
  }

  override sendHead(head: ResponseHead, data: Buffer | string | null, ended: boolean): boolean {
    if (!isRewritable(head)) return this.client.sendHead(head, data, ended)
    this.#describe(head)
    if (head.framing === 'none') return this.client.sendHead(head, data, ended)
    const variables = new BodyVariables(this.#exchange, fieldValue(head.fields, 'content-type'))
    const begin = data === null ? '' : variables.write(data)
    if (ended) {
      const body = Buffer.concat([asBuffer(begin), asBuffer(variables.end())])
      head.framing = 'length'
      head.length = body.length
      return this.client.sendHead(head, body.length === 0 ? null : body, true)
    }
    this.#variables = variables
    head.framing = 'chunked'
    return this.client.sendHead(head, begin.length === 0 ? null : begin, false)
  }

  /** Also of a response to HEAD, which has no body, so that it says what GET would. */
  #describe(head: ResponseHead): void {
    const etag = fieldValue(head.fields, 'etag')
    head.fields = withoutFields(head.fields, OF_THE_OLD_BODY)
    if (etag !== undefined) head.fields += `ETag: ${etag.startsWith('W/') ? etag : `W/${etag}`}\r\n`
    head.length = -1
  }

  override sendData(chunk: Buffer | string): boolean {
    if (this.#variables === null) return this.client.sendData(chunk)
    const data = this.#variables.write(chunk)
    return data.length === 0 || this.client.sendData(data)
  }

  override sendEnd(trailers: string): void {
    const rest = this.#variables?.end() ?? ''
    if (rest !== '') this.client.sendData(asBuffer(rest))
    this.client.sendEnd(trailers)
  }
}

function asBuffer(data: Buffer | string): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data
}

function isRewritable({ status, fields }: ResponseHead): boolean {
  if (status === 204 || status === 206 || status === 304) return false
  const coding = fieldValue(fields, 'content-encoding') ?? ''
  if (coding !== '' && coding.toLowerCase() !== 'identity') return false
  if (listHolds(fieldValue(fields, 'cache-control') ?? '', 'no-transform')) return false
  return !isGrpcType(fieldValue(fields, 'content-type'))
}
