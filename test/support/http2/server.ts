/**
 * A server of raw HTTP/2 frames for the gateway to talk to, in clear or over TLS: it records every connection and request
 * exactly as they came, and responds by its script, in order or not at all.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { Field } from '../message.ts'
import { createWatch } from '../until.ts'
import { dataFrame, headersFrame } from './frames.ts'
import { block } from './hpack.ts'
import { createPeer, type Http2Peer, type PeerOptions, type ReceivedStream } from './peer.ts'

export interface Http2ServerOptions extends PeerOptions {
  /** ALPN is `h2` alone without its own `ALPNProtocols`. */
  readonly tls?: TlsOptions
}

export interface Http2ServerConnection extends Http2Peer {
  /** 1, 2, 3 ... in the order of acceptance. */
  readonly number: number
  respond(streamId: number, shape?: ResponseShape): void
}

export interface ResponseShape {
  readonly status?: number | string
  readonly fields?: readonly Field[]
  /** Small; a larger one by `sendBody`. */
  readonly body?: Buffer | string
  readonly trailers?: readonly Field[]
  /** False: the response stays open. */
  readonly end?: boolean
}

export interface Http2Request {
  readonly connection: Http2ServerConnection
  readonly streamId: number
  /** Its fields, body and trailers as far as they have arrived. */
  readonly stream: ReceivedStream
  /** The first value of a field or pseudo-field. */
  value(name: string): string | null
  respond(shape?: ResponseShape): void
  /** Resolves when the request is complete; stays pending when it never is. */
  whole(): Promise<void>
}

export type Http2Script = (request: Http2Request) => void | Promise<void>

export interface Http2Server {
  readonly port: number
  readonly connections: readonly Http2ServerConnection[]
  readonly requests: readonly Http2Request[]
  /** Connections that are open now. */
  open(): number
  /** The request with this number (from 1), once its head is there. */
  request(number: number): Promise<Http2Request>
  until<T>(look: () => T | undefined | null | false, what: string): Promise<T>
  /** Responds from now on so. */
  follow(script: Http2Script): void
  close(): Promise<void>
}

/** `200` with the body `ok` once the request is whole. */
export const respondsOk: Http2Script = async (request) => {
  await request.whole()
  request.respond()
}

export async function startHttp2Server(
  t: TestContext,
  script: Http2Script = respondsOk,
  options: Http2ServerOptions = {},
): Promise<Http2Server> {
  const watch = createWatch()
  const connections: Http2ServerConnection[] = []
  const requests: Http2Request[] = []
  const sockets = new Set<Socket>()
  let current = script

  const accept = (socket: Socket): void => {
    socket.setNoDelay(true)
    socket.on('close', () => watch.changed())
    const peer = createPeer(socket, 'server', options, (stream, event) => {
      if (event === 'head') {
        const request = requestOn(connection, stream, watch)
        requests.push(request)
        void current(request)
      }
      watch.changed()
    })
    const connection: Http2ServerConnection = Object.assign(Object.create(peer) as Http2Peer, {
      number: connections.length + 1,
      respond: (streamId: number, shape?: ResponseShape) => respond(peer, streamId, shape),
    })
    connections.push(connection)
    watch.changed()
  }
  const server =
    options.tls === undefined
      ? createServer({ allowHalfOpen: true }, accept)
      : createTlsServer({ ALPNProtocols: ['h2'], ...options.tls, allowHalfOpen: true }, accept).on(
          'tlsClientError',
          () => {},
        )
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  t.after(close)

  return {
    port: (server.address() as AddressInfo).port,
    connections,
    requests,
    open: () => connections.filter(({ socket }) => !socket.destroyed).length,
    request: (number) => watch.until(() => requests[number - 1], `request ${number} at the server`),
    until: (look, what) => watch.until(look, what),
    follow(next) {
      current = next
    },
    close,
  }
}

function requestOn(
  connection: Http2ServerConnection,
  stream: ReceivedStream,
  watch: ReturnType<typeof createWatch>,
): Http2Request {
  return {
    connection,
    streamId: stream.id,
    stream,
    value: (name) => stream.head.find(([given]) => given === name)?.[1] ?? null,
    respond: (shape) => connection.respond(stream.id, shape),
    whole: () => watch.until(() => stream.isComplete, 'the whole request', Infinity).then(() => {}),
  }
}

/** A well-formed response; without a shape it is `200` and `ok`. */
function respond(peer: Http2Peer, streamId: number, shape: ResponseShape = { body: 'ok' }): void {
  const { status = 200, fields = [], body, trailers, end = true } = shape
  const endsWithHead = end && body === undefined && trailers === undefined
  const head = block([':status', String(status)], ...fields)
  const parts = [headersFrame(streamId, head, { end: endsWithHead })]
  if (body !== undefined) {
    parts.push(dataFrame(streamId, body, { end: end && trailers === undefined }))
  }
  if (trailers !== undefined) {
    parts.push(headersFrame(streamId, block(...trailers), { end: true }))
  }
  peer.send(...parts)
}
