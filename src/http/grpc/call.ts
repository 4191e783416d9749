/**
 * What an exchange has beside HTTP if it is a gRPC call: a request over HTTP/2 with a content type of gRPC, or one that the
 * gRPC-Web middleware has translated. Its result is the grpc-status of the trailers, and not the HTTP status.
 */
import { fieldValue } from '../message/fields.ts'
import type { RequestHead } from '../message/request-head.ts'
import { isGrpcType } from './content-type.ts'
import { NO_GRPC_STATUS } from './status.ts'

export class GrpcCall {
  /** Of its end, as far as it is known. */
  status: number = NO_GRPC_STATUS
}

/** Null: the request is no gRPC. The caller knows that it came over HTTP/2. */
export function grpcCallOf({ method, fields }: RequestHead): GrpcCall | null {
  if (method !== 'POST') return null
  return isGrpcType(fieldValue(fields, 'content-type')) ? new GrpcCall() : null
}
