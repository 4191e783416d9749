/**
 * One side of a raw HTTP/2 connection: it records every frame as it came, puts heads, bodies and trailers of streams
 * together, and sends exactly the bytes it is given. What it does by itself (acknowledgements, windows) can be left out.
 */
import type { Socket } from 'node:net'
import type { Field } from '../message.ts'
import { createWatch, turn } from '../until.ts'
import {
  contentOf,
  createFrameReader,
  dataFrame,
  describeFrame,
  ERROR,
  FLAG,
  headersFrame,
  number32,
  pingFrame,
  PREFACE,
  SETTING,
  settingsAck,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
  type Frame,
} from './frames.ts'
import { block, HpackReader } from './hpack.ts'

export interface PeerOptions {
  /** What this side announces; the table size also bounds what it reads. */
  readonly settings?: readonly (readonly [id: number, value: number])[]
  /** False: no SETTINGS and, as a client, no preface are sent at first. */
  readonly preface?: boolean
  /** Acknowledges SETTINGS; true without it. */
  readonly acksSettings?: boolean
  /** Answers PING; true without it. */
  readonly answersPings?: boolean
  /** Gives credit back for all DATA at once; true without it. */
  readonly opensWindows?: boolean
}

/** What has arrived on a stream. */
export interface ReceivedStream {
  readonly id: number
  /** The first head that is not interim; empty until it is there. */
  readonly head: readonly Field[]
  readonly interim: readonly (readonly Field[])[]
  readonly body: Buffer
  readonly trailers: readonly Field[] | null
  /** With END_STREAM. */
  readonly isComplete: boolean
  /** The code of RST_STREAM. */
  readonly resetCode: number | null
  readonly frames: readonly Frame[]
}

export interface ReceivedGoAway {
  readonly lastId: number
  readonly code: number
  readonly debug: string
}

export interface Http2Peer {
  readonly socket: Socket
  /** All that has arrived since `forget`. */
  readonly frames: readonly Frame[]
  readonly streams: ReadonlyMap<number, ReceivedStream>
  /** The other side's SETTINGS, as of now. */
  readonly settings: ReadonlyMap<number, number>
  readonly goAways: readonly ReceivedGoAway[]
  /** Bytes that have arrived so far. */
  received(): number
  send(...bytes: readonly (Buffer | string)[]): void
  /** Each piece in a write of its own, a turn of the event loop apart. */
  sendPieces(pieces: readonly (Buffer | string)[]): Promise<void>
  /** Takes so much of the other side's windows. False: they have less. */
  takeCredit(streamId: number, bytes: number): boolean
  /** A body within the other side's windows and frame size; `end` without trailers is END_STREAM on the last DATA. */
  sendBody(streamId: number, body: Buffer | string, end?: BodyEnd): Promise<void>
  until<T>(look: () => T | undefined | null | false, what: string, patienceMs?: number): Promise<T>
  /** The first frame of the type, on the stream when one is given, that has arrived since `forget`. */
  frame(type: number, streamId?: number): Promise<Frame>
  /** The stream once it is complete or reset. */
  ended(streamId: number): Promise<ReceivedStream>
  /** As soon as its head is there. */
  headOf(streamId: number): Promise<ReceivedStream>
  goAway(): Promise<ReceivedGoAway>
  /** A PING and its answer: all that was sent before has been read. False when the connection ended instead. */
  roundTrip(): Promise<boolean>
  /** How it ended. */
  closed(patienceMs?: number): Promise<Ending>
  ending(): Ending | null
  forget(): void
  end(): void
  reset(): void
  stopReading(): void
  startReading(): void
}

export interface BodyEnd {
  /** True without it. */
  readonly end?: boolean
  readonly trailers?: readonly Field[]
}

export type Ending = 'fin' | 'reset'

export type PeerEvents = (stream: ReceivedStream, event: 'head' | 'data' | 'end' | 'reset') => void

interface OpenStream {
  readonly id: number
  head: readonly Field[]
  readonly interim: (readonly Field[])[]
  readonly chunks: Buffer[]
  readonly body: Buffer
  trailers: readonly Field[] | null
  isComplete: boolean
  resetCode: number | null
  readonly frames: Frame[]
}

const DEFAULT_WINDOW = 65_535

export function createPeer(
  socket: Socket,
  role: 'client' | 'server',
  options: PeerOptions = {},
  onStream: PeerEvents = () => {},
): Http2Peer {
  const own = new Map(options.settings ?? [])
  const reader = createFrameReader()
  const hpack = new HpackReader(own.get(SETTING.headerTableSize))
  const watch = createWatch()
  const streams = new Map<number, OpenStream>()
  const settings = new Map<number, number>()
  const goAways: ReceivedGoAway[] = []
  const credits = new Map<number, number>()
  let connectionCredit = DEFAULT_WINDOW
  let frames: Frame[] = []
  let prefaceLeft = role === 'server' ? PREFACE : ''
  let received = 0
  let ending: Ending | null = null
  let pings = 0
  let fault: Error | null = null
  let open: { readonly first: Frame; readonly blocks: Buffer[] } | null = null

  socket.on('data', (bytes: Buffer) => {
    received += bytes.length
    try {
      read(bytes)
    } catch (error) {
      fault = error instanceof Error ? error : new Error(String(error))
    }
    watch.changed()
  })
  socket.on('end', () => {
    ending ??= 'fin'
    socket.end()
    watch.changed()
  })
  for (const event of ['error', 'close'] as const) {
    socket.on(event, () => {
      ending ??= 'reset'
      watch.changed()
    })
  }
  if (options.preface !== false) {
    send(role === 'client' ? PREFACE : '', settingsFrame(...(options.settings ?? [])))
  }

  function read(bytes: Buffer): void {
    let unread = bytes
    if (prefaceLeft !== '') {
      const begin = unread.subarray(0, prefaceLeft.length).toString('latin1')
      if (!prefaceLeft.startsWith(begin)) throw new Error(`no HTTP/2 preface: ${begin}`)
      prefaceLeft = prefaceLeft.slice(begin.length)
      unread = unread.subarray(begin.length)
    }
    reader.push(unread)
    for (let next = reader.next(); next !== null; next = reader.next()) {
      frames.push(next)
      follow(next)
    }
  }

  function follow(next: Frame): void {
    const { type, flags, streamId, payload } = next
    if (open !== null && type !== TYPE.continuation) {
      throw new Error(`${describeFrame(next)} inside a header block`)
    }
    if (streamId !== 0 && type !== TYPE.windowUpdate && type !== TYPE.priority) {
      streamOf(streamId).frames.push(next)
    }
    if (type === TYPE.data) followData(next)
    else if (type === TYPE.headers || type === TYPE.continuation) followHead(next)
    else if (type === TYPE.reset) {
      const stream = streamOf(streamId)
      stream.resetCode = payload.readUInt32BE(0)
      onStream(stream, 'reset')
    } else if (type === TYPE.settings && (flags & FLAG.ack) === 0) followSettings(payload)
    else if (type === TYPE.ping && (flags & FLAG.ack) === 0) {
      if (options.answersPings !== false) send(pingFrame(payload, true))
    } else if (type === TYPE.goAway) {
      goAways.push({
        lastId: payload.readUInt32BE(0) & 0x7fff_ffff,
        code: payload.readUInt32BE(4),
        debug: payload.subarray(8).toString('latin1'),
      })
    } else if (type === TYPE.windowUpdate) {
      const increment = payload.readUInt32BE(0) & 0x7fff_ffff
      if (streamId === 0) connectionCredit += increment
      else credits.set(streamId, creditOf(streamId) + increment)
    }
  }

  function followData(next: Frame): void {
    const stream = streamOf(next.streamId)
    stream.chunks.push(contentOf(next))
    const ended = (next.flags & FLAG.endStream) !== 0
    if (options.opensWindows !== false && next.payload.length > 0) {
      send(windowUpdateFrame(0, next.payload.length))
      if (!ended) send(windowUpdateFrame(next.streamId, next.payload.length))
    }
    if (ended) stream.isComplete = true
    onStream(stream, ended ? 'end' : 'data')
  }

  function followHead(next: Frame): void {
    open ??= { first: next, blocks: [] }
    open.blocks.push(contentOf(next))
    if ((next.flags & FLAG.endHeaders) === 0) return
    const { first, blocks } = open
    open = null
    const fields = hpack.read(Buffer.concat(blocks))
    const stream = streamOf(first.streamId)
    const ended = (first.flags & FLAG.endStream) !== 0
    const isInterim = fields.some(([name, value]) => name === ':status' && value.startsWith('1'))
    if (stream.head.length > 0) stream.trailers = fields
    else if (isInterim && !ended) stream.interim.push(fields)
    else {
      stream.head = fields
      onStream(stream, 'head')
    }
    if (!ended) return
    stream.isComplete = true
    onStream(stream, 'end')
  }

  function followSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const id = payload.readUInt16BE(at)
      const value = payload.readUInt32BE(at + 2)
      if (id === SETTING.initialWindowSize) {
        const more = value - (settings.get(id) ?? DEFAULT_WINDOW)
        for (const [streamId, credit] of credits) credits.set(streamId, credit + more)
      }
      settings.set(id, value)
    }
    if (options.acksSettings !== false) send(settingsAck())
  }

  function streamOf(id: number): OpenStream {
    let stream = streams.get(id)
    if (stream === undefined) {
      stream = {
        id,
        head: [],
        interim: [],
        chunks: [],
        get body() {
          return Buffer.concat(this.chunks)
        },
        trailers: null,
        isComplete: false,
        resetCode: null,
        frames: [],
      }
      streams.set(id, stream)
    }
    return stream
  }

  function creditOf(id: number): number {
    return credits.get(id) ?? settings.get(SETTING.initialWindowSize) ?? DEFAULT_WINDOW
  }

  function send(...bytes: readonly (Buffer | string)[]): void {
    if (socket.destroyed || socket.writableEnded) return
    socket.write(
      Buffer.concat(
        bytes.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
      ),
    )
  }

  /** As `until`, but fails at once when nothing more can come. */
  function untilOrEnd<T>(look: () => T | undefined | null | false, what: string): Promise<T> {
    return watch.until(() => {
      if (fault !== null) throw fault
      const found = look()
      if (!found && ending !== null) {
        const last = frames.slice(-5).map(describeFrame).join('; ')
        throw new Error(`the connection ended (${ending}) before ${what}; last frames: ${last}`)
      }
      return found
    }, what)
  }

  return {
    socket,
    get frames() {
      return frames
    },
    streams,
    settings,
    goAways,
    received: () => received,
    send,
    async sendPieces(pieces) {
      for (const piece of pieces) {
        if (ending !== null) return
        send(piece)
        await turn()
      }
    },
    takeCredit(streamId, bytes) {
      if (connectionCredit < bytes || creditOf(streamId) < bytes) return false
      connectionCredit -= bytes
      credits.set(streamId, creditOf(streamId) - bytes)
      return true
    },
    async sendBody(streamId, body, { end = true, trailers } = {}) {
      let left = typeof body === 'string' ? Buffer.from(body, 'latin1') : body
      const endsWithData = end && trailers === undefined
      while (left.length > 0) {
        const length = await untilOrEnd(
          () =>
            Math.min(
              left.length,
              connectionCredit,
              creditOf(streamId),
              settings.get(SETTING.maxFrameSize) ?? 16_384,
            ),
          `credit for ${left.length} bytes on stream ${streamId}`,
        )
        if (length < 0) throw new Error(`credit of stream ${streamId} is below zero`)
        connectionCredit -= length
        credits.set(streamId, creditOf(streamId) - length)
        const part = left.subarray(0, length)
        left = left.subarray(length)
        send(dataFrame(streamId, part, { end: endsWithData && left.length === 0 }))
      }
      if (trailers !== undefined) {
        send(headersFrame(streamId, block(...trailers), { end: true }))
      } else if (endsWithData && body.length === 0) send(dataFrame(streamId, '', { end: true }))
    },
    until: untilOrEnd,
    frame: (type, streamId) =>
      untilOrEnd(
        () =>
          frames.find(
            (each) => each.type === type && (streamId === undefined || each.streamId === streamId),
          ),
        `a frame of type ${type}`,
      ),
    ended: (streamId) =>
      untilOrEnd(() => {
        const stream = streams.get(streamId)
        return stream !== undefined && (stream.isComplete || stream.resetCode !== null) && stream
      }, `the end of stream ${streamId}`),
    headOf: (streamId) =>
      untilOrEnd(() => {
        const stream = streams.get(streamId)
        return stream !== undefined && stream.head.length > 0 && stream
      }, `the head of stream ${streamId}`),
    goAway: () => untilOrEnd(() => goAways.at(-1), 'GOAWAY'),
    async roundTrip() {
      const payload = Buffer.concat([number32(0x5e_7f_00_00), number32(++pings)])
      send(pingFrame(payload))
      return watch
        .until(() => {
          if (fault !== null) throw fault
          const isAnswered = frames.some(
            (each) =>
              each.type === TYPE.ping &&
              (each.flags & FLAG.ack) !== 0 &&
              each.payload.equals(payload),
          )
          return isAnswered ? 'answered' : ending !== null && 'ended'
        }, 'the answer of a PING')
        .then((how) => how === 'answered')
    },
    closed: (patienceMs) => watch.until(() => ending, 'the end of the connection', patienceMs),
    ending: () => ending,
    forget() {
      frames = []
      streams.clear()
    },
    end: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    stopReading: () => void socket.pause(),
    startReading: () => void socket.resume(),
  }
}

/** `ERROR` by its code: `PROTOCOL`, for messages and tables. */
export function errorName(code: number): string {
  const found = Object.entries(ERROR).find(([, each]) => each === code)
  return found?.[0] ?? `code ${code}`
}
