/** A client that sends the HTTP/2 frames it is given, in clear (prior knowledge) or over TLS (ALPN `h2`). */
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type { TestContext } from 'node:test'
import type { Field } from '../message.ts'
import { dataFrame, headersFrame } from './frames.ts'
import { block } from './hpack.ts'
import {
  createPeer,
  errorName,
  type Http2Peer,
  type PeerOptions,
  type ReceivedStream,
} from './peer.ts'

export interface Http2ClientOptions extends PeerOptions {
  readonly tls?: ConnectionOptions
}

export interface Http2Response {
  readonly status: number
  /** Without `:status`. */
  readonly fields: readonly Field[]
  readonly interim: readonly (readonly Field[])[]
  readonly body: string
  readonly trailers: readonly Field[] | null
}

export interface RequestShape {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  readonly scheme?: string
  readonly fields?: readonly Field[]
  /** Small; a larger one by `sendBody`. */
  readonly body?: Buffer | string
  readonly trailers?: readonly Field[]
  /** False: the request stays open. */
  readonly end?: boolean
}

export interface Http2Client extends Http2Peer {
  /** Its own, by which the other side knows it. */
  readonly port: number
  /** The next odd id. */
  nextId(): number
  /** Sends a well-formed request on the next id, and returns that. */
  request(shape?: RequestShape): number
  /** The whole response; a reset or the connection's end throws. */
  response(streamId: number): Promise<Http2Response>
  /** A request and its response. */
  ask(shape?: RequestShape): Promise<Http2Response>
  /**
   * What came of a stream, in a word: `200`, `reset protocol`, or of its connection: `goaway compression`, `closed`. The
   * connection's counts only when the stream has no end of its own.
   */
  outcome(streamId: number): Promise<string>
  /** Of the connection: `goaway protocol`, `closed` without GOAWAY. */
  connectionOutcome(): Promise<string>
}

export async function openHttp2Client(
  t: TestContext,
  port: number,
  options: Http2ClientOptions = {},
): Promise<Http2Client> {
  const client = await connectHttp2Client(port, options)
  t.after(() => client.socket.destroy())
  return client
}

/** The caller closes it. */
export async function connectHttp2Client(
  port: number,
  options: Http2ClientOptions = {},
): Promise<Http2Client> {
  const to = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }
  const socket =
    options.tls === undefined
      ? connectTcp(to)
      : connectTls({ ...to, ALPNProtocols: ['h2'], ...options.tls })
  await new Promise<void>((resolve, reject) => {
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', resolve)
    socket.once('error', reject)
  })
  return createClient(createPeer(socket, 'client', options))
}

/** Pseudo-fields in their order, then `fields`. */
export function requestFields(shape: RequestShape = {}): Field[] {
  const { method = 'GET', path = '/', authority = 'test.example', scheme = 'http' } = shape
  return [
    [':method', method],
    [':scheme', scheme],
    [':path', path],
    [':authority', authority],
    ...(shape.fields ?? []),
  ]
}

function createClient(peer: Http2Peer): Http2Client {
  let last = -1

  function request(shape: RequestShape = {}): number {
    const id = (last += 2)
    const { body, trailers, end = true } = shape
    const endsWithHead = end && body === undefined && trailers === undefined
    const parts = [headersFrame(id, block(...requestFields(shape)), { end: endsWithHead })]
    if (body !== undefined) parts.push(dataFrame(id, body, { end: end && trailers === undefined }))
    if (trailers !== undefined) parts.push(headersFrame(id, block(...trailers), { end: true }))
    peer.send(...parts)
    return id
  }

  async function response(streamId: number): Promise<Http2Response> {
    const stream = await peer.ended(streamId)
    const { head, interim, body, trailers, isComplete, resetCode } = stream
    if (!isComplete) {
      throw new Error(`stream ${streamId} was reset: ${errorName(resetCode ?? -1)}`)
    }
    return {
      status: Number(head.find(([name]) => name === ':status')?.[1]),
      fields: head.filter(([name]) => name !== ':status'),
      interim,
      body: body.toString('latin1'),
      trailers,
    }
  }

  // What the peer sees must be looked at live, so its getters stay where they are.
  return Object.assign(Object.create(peer) as Http2Peer, {
    port: peer.socket.localPort ?? 0,
    nextId: () => (last += 2),
    request,
    response,
    ask: (shape?: RequestShape) => response(request(shape)),
    async outcome(streamId: number) {
      const stream = await untilEither(peer, streamId)
      if (stream === null) return connectionOutcome(peer)
      if (stream.resetCode !== null && !stream.isComplete) {
        return `reset ${errorName(stream.resetCode)}`
      }
      return stream.head.find(([name]) => name === ':status')?.[1] ?? 'no status'
    },
    connectionOutcome: () => connectionOutcome(peer),
  })
}

async function untilEither(peer: Http2Peer, streamId: number): Promise<ReceivedStream | null> {
  try {
    return await peer.ended(streamId)
  } catch (error) {
    if (peer.ending() === null) throw error
    return null
  }
}

async function connectionOutcome(peer: Http2Peer): Promise<string> {
  await peer.closed()
  const goAway = peer.goAways.at(-1)
  return goAway === undefined ? 'closed' : `goaway ${errorName(goAway.code)}`
}
