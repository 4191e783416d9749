/**
 * Lets browsers call gRPC servers: `grpcWeb: { allowOrigins: [https://app.example] }`. A request of gRPC-Web, by HTTP/1.1 or HTTP/2,
 * becomes one of gRPC, and its response one of gRPC-Web; other requests pass. Outside of all others, so that their responses have
 * the form, and the headers for browsers, that such a client reads.
 */
import type { Exchange } from '../http/exchange.ts'
import { GrpcCall } from '../http/grpc/call.ts'
import { type GrpcWebType, parseGrpcWebType } from '../http/grpc/content-type.ts'
import { Base64Decoder } from '../http/grpc/web.ts'
import { withoutFields } from '../http/message/fields.ts'
import { errorResponse, type LocalResponse } from '../http/message/local-response.ts'
import { Cors } from './grpc-web/cors.ts'
import { notBase64, TextBody } from './grpc-web/text-body.ts'
import { WebClient } from './grpc-web/web-client.ts'
import type { MiddlewareKind } from './middleware.ts'

interface GrpcWebOptions {
  readonly allowOrigins: readonly string[]
}

const MAX_ORIGINS = 100
const ORIGIN = /^(?:\*|https?:\/\/[A-Za-z0-9.[\]:-]{1,255})$/

export const grpcWeb: MiddlewareKind<GrpcWebOptions> = {
  kind: 'grpcWeb',
  options: ({ z, strict }) =>
    strict(
      {
        allowOrigins: z
          .array(
            z.string().regex(ORIGIN, {
              error: 'must be an origin, such as https://app.example, or *',
            }),
          )
          .max(MAX_ORIGINS, `must hold at most ${MAX_ORIGINS}`)
          .default([])
          .meta({
            description:
              'Origins whose pages may call, such as https://app.example, or "*" for all; pages of the same origin may always.',
          }),
      },
      'Translates gRPC-Web, which browsers speak, to gRPC.',
    ),
  compile({ allowOrigins }) {
    const cors = new Cors(allowOrigins)
    return {
      onRequest(exchange) {
        const type = parseGrpcWebType(exchange.field('content-type'))
        if (type === null || exchange.method !== 'POST') return cors.respondTo(exchange)
        return translate(exchange, type)
      },
      onResponse(exchange, head) {
        if (exchange.grpc?.webType != null) head.fields = cors.addTo(exchange, head.fields)
      },
    }
  },
}

const REPLACED: ReadonlySet<string> = new Set(['content-type', 'accept'])

function translate(exchange: Exchange, type: GrpcWebType): LocalResponse | null {
  const { head } = exchange
  const wantsText = parseGrpcWebType(exchange.field('accept'))?.isText ?? type.isText
  const codec = type.codec === '' ? '+proto' : type.codec
  const responseType = `application/grpc-web${wantsText ? '-text' : ''}${codec}`
  exchange.grpc = new GrpcCall(responseType)
  exchange.client = new WebClient(exchange.client, responseType, wantsText)
  head.fields = `${withoutFields(head.fields, REPLACED)}content-type: application/grpc${type.codec}\r\n`
  head.acceptsTrailers = true
  return type.isText && !decodeBody(exchange) ? errorResponse(notBase64()) : null
}

/** False: it is here, and no base64. */
function decodeBody(exchange: Exchange): boolean {
  const { head, smallBody } = exchange
  if (!exchange.isWhole) {
    exchange.bodyFilter = new TextBody(exchange)
    head.framing = 'chunked'
    head.length = 0
    return true
  }
  if (smallBody === null) return true
  const decoder = new Base64Decoder()
  const body = decoder.decode(smallBody)
  if (body === null || !decoder.isComplete) return false
  exchange.smallBody = body
  head.framing = 'length'
  head.length = body.length
  return true
}
