/**
 * The health check of gRPC servers: a call of grpc.health.v1.Health/Check over HTTP/2. `node:http2` serves for one small call a
 * connection; a client library would bring channels, retries and name resolution that a probe must not have.
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { firstMessage, frameMessage } from '../http/grpc/frame.ts'
import { decodeStatusMessage } from '../http/grpc/status-message.ts'
import { GRPC, GRPC_STATUS_NAMES } from '../http/grpc/status.ts'

export const GRPC_HEALTH_PATH = '/grpc.health.v1.Health/Check'

export interface GrpcProbe {
  /** Of the server: `https://vote.example:443`. */
  readonly origin: string
  /** '' for the server as a whole. */
  readonly service: string
  readonly userAgent: string
}

/** Of HealthCheckResponse, by number. */
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const SERVING = 1

/** More than any response of this call has. */
const MAX_MESSAGE_BYTES = 1024

/** Returns why the server is not healthy, or null. `socket` is connected; the caller closes it. */
export async function probeGrpc(socket: Socket, probe: GrpcProbe): Promise<string | null> {
  const { service } = probe
  if ('alpnProtocol' in socket && (socket as TLSSocket).alpnProtocol !== 'h2')
    return 'the server does not choose HTTP/2 in the TLS handshake, which gRPC needs'
  const { connect } = await import('node:http2')
  const session = connect(probe.origin, { createConnection: () => socket })
  try {
    return explain(await call(session, probe), service)
  } catch (error) {
    return `${GRPC_HEALTH_PATH} got no complete response: ${messageOf(error)}`
  } finally {
    session.destroy()
  }
}

interface Answer {
  readonly httpStatus: number
  readonly grpcStatus: number | null
  readonly message: string
  readonly body: Buffer
}

function call(session: ClientHttp2Session, probe: GrpcProbe): Promise<Answer> {
  return new Promise((resolve, reject) => {
    session.on('error', reject)
    // Without an error, as if the server closes the connection.
    session.on('close', () => reject(new Error('the connection was closed')))
    const stream = session.request({
      ':method': 'POST',
      ':path': GRPC_HEALTH_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': probe.userAgent,
    })
    stream.on('error', reject)
    readAnswer(stream, resolve, reject)
    stream.end(frameMessage(toRequest(probe.service)))
  })
}

function readAnswer(
  stream: ClientHttp2Stream,
  resolve: (answer: Answer) => void,
  reject: (error: Error) => void,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  let head: IncomingHttpHeaders & { ':status'?: number | undefined } = {}
  let trailers: IncomingHttpHeaders = {}
  stream.on('response', (headers) => (head = headers))
  stream.on('trailers', (headers) => (trailers = headers))
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_MESSAGE_BYTES) reject(new Error(`it has more than ${MAX_MESSAGE_BYTES} bytes`))
    else chunks.push(chunk)
  })
  stream.on('end', () => {
    const status = trailers['grpc-status'] ?? head['grpc-status']
    const message = trailers['grpc-message'] ?? head['grpc-message']
    resolve({
      httpStatus: head[':status'] ?? 0,
      grpcStatus: status === undefined ? null : Number(status),
      message: decodeStatusMessage(String(message ?? '')),
      body: Buffer.concat(chunks),
    })
  })
}

function explain(
  { httpStatus, grpcStatus, message, body }: Answer,
  service: string,
): string | null {
  if (httpStatus !== 200) return `${GRPC_HEALTH_PATH} returned HTTP status ${httpStatus}`
  switch (grpcStatus) {
    case GRPC.OK:
      return explainState(readState(body), service)
    case GRPC.NOT_FOUND:
      return `${GRPC_HEALTH_PATH} does not know the ${describeService(service)}`
    case GRPC.UNIMPLEMENTED:
      return 'the server has no grpc.health.v1.Health: register that service, or check with kind: tcp'
    case null:
      return `${GRPC_HEALTH_PATH} returned no grpc-status`
    default: {
      const name = GRPC_STATUS_NAMES[grpcStatus] ?? `grpc-status ${grpcStatus}`
      return `${GRPC_HEALTH_PATH} returned ${name}${message === '' ? '' : `: ${message}`}`
    }
  }
}

function explainState(state: number | null, service: string): string | null {
  if (state === SERVING) return null
  if (state === null) return `${GRPC_HEALTH_PATH} returned a malformed message`
  return `the ${describeService(service)} is ${STATES[state] ?? `in state ${state}`}`
}

function describeService(service: string): string {
  return service === '' ? 'server' : `service ${JSON.stringify(service)}`
}

/** HealthCheckRequest: field 1 is the service, and absent if that is ''. */
function toRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0)
  const text = Buffer.from(service)
  return Buffer.concat([Buffer.from([STRING_FIELD_1, ...toVarint(text.length)]), text])
}

const STRING_FIELD_1 = 0x0a
const VARINT_FIELD_1 = 0x08

function toVarint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...toVarint(value >>> 7)]
}

/** HealthCheckResponse: field 1 is the state, UNKNOWN (0) if it is absent. Null: malformed. */
function readState(body: Buffer): number | null {
  const message = firstMessage(body, MAX_MESSAGE_BYTES)
  if (message === null || message === 'bad') return null
  if (message.length === 0) return 0
  const state = message[1] ?? 0x80
  return message.length === 2 && message[0] === VARINT_FIELD_1 && state < 0x80 ? state : null
}

function messageOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ERR_HTTP2_ERROR'
    ? `the server does not speak HTTP/2, which gRPC needs (${message})`
    : message
}
