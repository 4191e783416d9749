/** Links of src/http2 on loopback, whose streams record what happens: a server that responds as a test says, and a client. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { Deadlines } from '../../../src/http/connection/deadlines.ts'
import { SocketReads, rereadAccepted } from '../../../src/http/connection/socket-reads.ts'
import { Socket as NetSocket } from 'node:net'
import type { DecodeResult, HeadDecoder } from '../../../src/http2/hpack/head-decoder.ts'
import {
  Http2Link,
  type LinkOptions,
  type LinkSettings,
  type LinkTimeouts,
} from '../../../src/http2/link.ts'
import { Http2Stream } from '../../../src/http2/stream.ts'
import { eventually } from '../until.ts'
import { type Http2Client, openHttp2Client } from './client.ts'
import type { PeerOptions } from './peer.ts'

export interface LinkShape {
  readonly settings?: Partial<LinkSettings>
  readonly timeouts?: Partial<LinkTimeouts>
  readonly burst?: number
  readonly perSecond?: number
  /** Called with each request of a server's link. */
  readonly serve?: (stream: TestStream) => void
}

const SETTINGS: LinkSettings = {
  maxStreams: 100,
  streamWindow: 64 * 1024,
  connectionWindow: 1024 * 1024,
  headBytes: 32 * 1024,
  fields: 100,
  enableConnect: false,
}
const TIMEOUTS: LinkTimeouts = { headMs: 10_000, settingsMs: 5_000, stallMs: 30_000 }

function optionsOf(role: 'server' | 'client', shape: LinkShape): LinkOptions {
  return {
    role,
    settings: { ...SETTINGS, ...shape.settings },
    timeouts: { ...TIMEOUTS, ...shape.timeouts },
    budget: { burst: shape.burst ?? 200, perSecond: shape.perSecond ?? 50 },
    begunAtOnce: role === 'server' ? 16 : Infinity,
  }
}

/** What was received, and what happened, in order. */
export class TestStream extends Http2Stream {
  method = ''
  path = ''
  authority = ''
  statuses: number[] = []
  fields = ''
  trailers: string | null = null
  readonly chunks: Buffer[] = []
  ended = false
  outcome: string | null = null
  writables = 0
  reads = 0
  result: DecodeResult = 0
  /** What a hook returns or does. */
  takes = true
  override takerHoldsData = false
  onHead: ((stream: TestStream) => void) | null = null
  onData: ((stream: TestStream, ended: boolean) => void) | null = null
  onWritable: (() => void) | null = null

  get body(): Buffer {
    return Buffer.concat(this.chunks)
  }

  headReceived(decoder: HeadDecoder, ended: boolean): void {
    this.method = decoder.method
    this.path = decoder.path
    this.authority = decoder.authority
    if (decoder.kind === 'response') this.statuses.push(decoder.status)
    this.fields = decoder.fields
    this.ended = ended
    this.onHead?.(this)
  }

  dataReceived(chunk: Buffer, ended: boolean): boolean {
    this.chunks.push(Buffer.from(chunk))
    this.ended = ended
    this.onData?.(this, ended)
    return this.takes
  }

  trailersReceived(fields: string): void {
    this.trailers = fields
    this.ended = true
    this.onData?.(this, true)
  }

  override readEnded(): void {
    this.reads++
  }

  writable(): void {
    this.writables++
    this.onWritable?.()
  }

  resetReceived(code: number, fault: string): void {
    this.#end(fault === '' ? `reset ${code}` : `reset ${code}: ${fault}`)
  }

  linkLost(error: Error | null): void {
    this.#end(`lost: ${error?.message ?? 'in order'}`)
  }

  fault(error: unknown): void {
    this.#end(`fault: ${String(error)}`)
  }

  expire(): void {
    this.deadlineAt = Infinity
    this.#end('expired')
  }

  #end(outcome: string): void {
    this.outcome = this.outcome === null ? outcome : `${this.outcome}, ${outcome}`
  }

  /** The whole message is here. */
  async whole(): Promise<this> {
    await eventually(() => this.ended || this.outcome !== null, 'the end of the message')
    if (this.outcome !== null) throw new Error(this.outcome)
    return this
  }
}

export class TestLink extends Http2Link {
  readonly log: string[] = []
  readonly all: TestStream[] = []
  serve: ((stream: TestStream) => void) | null = null
  faults: unknown[] = []
  refuses = false

  protected headReceived(
    streamId: number,
    _decoder: HeadDecoder,
    _ended: boolean,
    result: DecodeResult,
  ): Http2Stream | null {
    if (this.refuses) return null
    const stream = new TestStream(this)
    stream.result = result
    stream.onHead = this.serve
    this.all.push(stream)
    if (streamId === 0) throw new Error('a stream has an id')
    return stream
  }

  protected goAwayReceived(lastId: number, code: number, debug: string): void {
    this.log.push(`goaway ${lastId} ${code} ${debug}`)
  }

  protected settingsChanged(): void {
    this.log.push('settings')
  }

  protected streamClosed(stream: Http2Stream): void {
    this.log.push(`closed ${stream.id}`)
  }

  protected idle(): void {
    this.log.push('idle')
    if (this.closing) this.finish()
  }

  protected abused(what: string): void {
    this.log.push(`abused: ${what}`)
  }

  protected malformed(streamId: number, fault: string): void {
    this.log.push(`malformed ${streamId}: ${fault}`)
  }

  protected lost(error: Error | null): void {
    this.log.push(`lost: ${error?.message ?? 'in order'}`)
  }

  protected timedOut(): void {
    this.log.push('timed out')
  }

  fault(error: unknown): void {
    this.faults.push(error)
    this.destroy(error instanceof Error ? error : null)
  }

  get isLost(): boolean {
    return this.log.some((line) => line.startsWith('lost'))
  }

  /** Opens a stream and sends a request on it. */
  ask(
    shape: {
      method?: string
      path?: string
      fields?: string
      length?: number
      ends?: boolean
    } = {},
  ): TestStream {
    const stream = new TestStream(this)
    stream.expectsNoBody = shape.method === 'HEAD'
    this.openStream(stream)
    this.all.push(stream)
    stream.sendRequest(
      {
        method: shape.method ?? 'GET',
        scheme: 'http',
        authority: 'test.example',
        path: shape.path ?? '/',
        protocol: '',
        contentLength: shape.length ?? -1,
      },
      shape.fields ?? '',
      '',
      shape.ends ?? true,
    )
    return stream
  }
}

export interface TestServer {
  readonly port: number
  readonly links: readonly TestLink[]
  readonly deadlines: Deadlines
  link(): Promise<TestLink>
}

/** A server that reads its sockets as listeners do: in the shared buffer. */
export async function startLinkServer(t: TestContext, shape: LinkShape = {}): Promise<TestServer> {
  const links: TestLink[] = []
  const deadlines = new Deadlines()
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
    const reads = new SocketReads()
    const socket = rereadAccepted(accepted, reads, (options) => new NetSocket(options))
    const link =
      socket === null
        ? new TestLink(accepted, null, deadlines, optionsOf('server', shape))
        : new TestLink(socket, reads, deadlines, optionsOf('server', shape))
    link.serve = shape.serve ?? null
    links.push(link)
    link.socket.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    deadlines.close()
    for (const link of links) link.socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    links,
    deadlines,
    async link() {
      await eventually(() => links.length > 0, 'a connection')
      const [link] = links
      if (link === undefined) throw new Error('there is no connection')
      return link
    },
  }
}

export interface TestClient {
  readonly link: TestLink
  readonly socket: Socket
  readonly deadlines: Deadlines
}

export async function openLink(
  t: TestContext,
  port: number,
  shape: LinkShape = {},
): Promise<TestClient> {
  const deadlines = new Deadlines()
  const reads = new SocketReads()
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: reads,
    allowHalfOpen: true,
  })
  t.after(() => {
    deadlines.close()
    socket.destroy()
  })
  await once(socket, 'connect')
  const link = new TestLink(socket, reads, deadlines, optionsOf('client', shape))
  return { link, socket, deadlines }
}

/** A link that a client is connected to. */
export interface LinkedClient {
  readonly client: Http2Client
  readonly link: TestLink
  readonly server: TestServer
}

/** With a small budget, unless `shape` has another one. */
export async function startLinkedClient(
  t: TestContext,
  shape: LinkShape = {},
  options: PeerOptions = {},
): Promise<LinkedClient> {
  const server = await startLinkServer(t, { burst: 50, perSecond: 1, ...shape })
  const client = await openHttp2Client(t, server.port, options)
  return { client, link: await server.link(), server }
}
