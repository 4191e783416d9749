/**
 * What an exchange has beside HTTP if it is a gRPC call: a request over HTTP/2 with a content type of gRPC, or one that the
 * gRPC-Web middleware has translated. Its result is the grpc-status of the trailers, and not the HTTP status.
 */
import { fieldValue } from '../message/fields.ts'
import type { RequestHead } from '../message/request-head.ts'
import { isGrpcType } from './content-type.ts'
import {
  GRPC,
  grpcStatusIn,
  httpStatusOfGrpc,
  judgedStatusOfGrpc,
  NO_GRPC_STATUS,
} from './status.ts'

export class GrpcCall {
  /** The content type of responses to a client of gRPC-Web; null: it speaks gRPC. */
  readonly webType: string | null
  /** A response of gRPC has begun, and ends with trailers. */
  hasBegun = false
  /** Of its end, as far as it is known. */
  status: number = NO_GRPC_STATUS
  /** When the client's own time limit has passed, by the coarse clock; Infinity: it set none. */
  deadlineAt: number = Infinity
  /** Of the request, without the client's own time limit; null: it set none. */
  fieldsToServer: string | null = null
  /** What the proxy adds to the request beside grpc-timeout, which differs with each attempt. */
  added = ''

  constructor(webType: string | null = null) {
    this.webType = webType
  }

  /** The head of a response with status 200 came, and its body or trailers follow. */
  begun(fields: string): void {
    this.hasBegun = isGrpcType(fieldValue(fields, 'content-type'))
    this.status = NO_GRPC_STATUS
  }

  /** Its trailers came. Without a status in them it has failed, as its client sees it. */
  ended(trailers: string): void {
    const status = grpcStatusIn(trailers)
    this.status = status === NO_GRPC_STATUS ? GRPC.UNKNOWN : status
  }

  /** The HTTP status as which it is counted. Responses with another status than 200 are none of gRPC. */
  countedAs(httpStatus: number): number {
    return this.#isKnown(httpStatus) ? httpStatusOfGrpc(this.status) : httpStatus
  }

  /** As which the server's result is judged. */
  judgedAs(httpStatus: number): number {
    return this.#isKnown(httpStatus) ? judgedStatusOfGrpc(this.status) : httpStatus
  }

  #isKnown(httpStatus: number): boolean {
    return httpStatus === 200 && this.status !== NO_GRPC_STATUS
  }
}

/** Null: the request is no gRPC. The caller knows that it came over HTTP/2. */
export function grpcCallOf({ method, fields }: RequestHead): GrpcCall | null {
  if (method !== 'POST') return null
  return isGrpcType(fieldValue(fields, 'content-type')) ? new GrpcCall() : null
}
