/** Which media types are gRPC, and which are gRPC-Web. */

const GRPC_TYPE = 'application/grpc'

/** `application/grpc`, also with a codec (`+proto`) or parameters; not `application/grpc-web`. */
export function isGrpcType(type: string | undefined): boolean {
  if (type === undefined || type.length < GRPC_TYPE.length) return false
  if (type.length === GRPC_TYPE.length) return type.toLowerCase() === GRPC_TYPE
  return /^application\/grpc[+; \t]/i.test(type)
}

export interface GrpcWebType {
  /** The body is base64. */
  readonly isText: boolean
  /** `+proto`, or '' without one. */
  readonly codec: string
}

/** `application/grpc-web` or `application/grpc-web-text`; null: another type. */
export function parseGrpcWebType(type: string | undefined): GrpcWebType | null {
  if (type === undefined) return null
  const match = /^application\/grpc-web(-text)?(\+[\w.-]+)?[ \t]*(?:;.*)?$/i.exec(type)
  if (match === null) return null
  return { isText: match[1] !== undefined, codec: match[2] ?? '' }
}
