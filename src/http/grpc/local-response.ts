/**
 * Local responses to gRPC calls: a response that consists of trailers only, with status 200 and a grpc-status, because clients of
 * gRPC read nothing else. If the server's response has begun, trailers end it.
 */
import type { ExchangeError, Reason } from '../message/errors.ts'
import { hasField } from '../message/fields.ts'
import type { LocalResponse } from '../message/local-response.ts'
import { statusText } from '../message/status-text.ts'
import { parseGrpcWebType } from './content-type.ts'
import { grpcStatusIn, grpcStatusOf } from './status.ts'
import { encodeStatusMessage } from './status-message.ts'
import { splitTrailersOnly, toTrailersFrame } from './web.ts'

const EMPTY = Buffer.alloc(0)

/**
 * A response that has a grpc-status of its own, such as one of the middleware respond, keeps it. `webType`: for a client of
 * gRPC-Web, whose trailers are the body.
 */
export function toGrpcResponse(local: LocalResponse, webType: string | null = null): LocalResponse {
  const { reason, detail, fields } = local
  const isOwn = hasField(fields, 'grpc-status')
  const grpcStatus = isOwn ? grpcStatusIn(fields) : grpcStatusOf(reason, local.status)
  const own = isOwn ? fields : fields + statusFields(grpcStatus, sentenceOf(local))
  const response = { status: 200, reason, detail, grpcStatus }
  if (webType === null)
    return { ...response, fields: own, contentType: 'application/grpc', body: EMPTY }
  const { head, trailers } = splitTrailersOnly(own)
  const frame = toTrailersFrame(trailers)
  const isText = parseGrpcWebType(webType)?.isText === true
  const body = isText ? Buffer.from(frame.toString('base64')) : frame
  return { ...response, fields: head, contentType: webType, body }
}

/** What the client may know: of an error its message and its reason, of a middleware's response its text. */
function sentenceOf({ status, reason, message, contentType, body }: LocalResponse): string {
  if (message !== undefined) return sentenceFor(status, reason, message)
  const text = contentType.startsWith('text/plain') ? body.toString().trim() : ''
  return text === '' ? (statusText(status) ?? '') : text
}

function sentenceFor(status: number, reason: Reason, message: string): string {
  return `${message === '' ? (statusText(status) ?? 'error') : message} (${reason})`
}

/** The trailers that end a response that has begun. */
export function grpcTrailersFor({ reason, kind, message }: ExchangeError): string {
  const shown = kind.blame === 'client' ? message : ''
  return statusFields(grpcStatusOf(reason, kind.status), sentenceFor(kind.status, reason, shown))
}

function statusFields(status: number, text: string): string {
  return `grpc-status: ${status}\r\ngrpc-message: ${encodeStatusMessage(text)}\r\n`
}
