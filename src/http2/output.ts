/**
 * What one connection sends. Frames are gathered in a buffer, and written once per connection and turn of the event loop, in its check
 * phase, after the sockets that are ready have been read: that is what decides the cost of HTTP/2 (measured: 1.03 times HAProxy's
 * CPU, 1.18 to 1.27 if written at the end of each callback, 1.16 to 1.43 if at once). An idle connection has no buffer.
 */
import type { Socket } from 'node:net'
import { giveLargeBack, LARGE_BYTES, takeLarge } from '../http/connection/socket-reads.ts'
import {
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  MAX_FRAME_BYTES,
  PREFACE,
  writeFrameHeader,
  writeUint32,
} from './frames.ts'
import { writeSettings } from './settings.ts'

/**
 * With so many unsent bytes in the socket, streams wait. Less than two large buffers: the socket has one of them at a time, and of
 * several that wait behind it, Node makes a new one for TLS.
 */
const HIGH_WATER_BYTES = 160 * 1024

/**
 * What most connections write in a turn. With a buffer of 128 KiB for each of 32 connections with one request at a time, the free
 * list ran dry in every turn, and a request cost twice as much.
 */
const SMALL_BYTES = 16 * 1024
const MOST_SMALL = 256
const SMALL: Buffer[] = []

export interface OutputOwner {
  readonly socket: Socket
  /** The socket holds more than HIGH_WATER_BYTES. */
  overfull(): void
  /** An exception of a flush. */
  caught(error: unknown): void
}

/** Connections with something to write in this turn. */
let waiting: LinkOutput[] = []
let flushing: LinkOutput[] = []

function flushAll(): void {
  const outputs = waiting
  waiting = flushing
  flushing = outputs
  for (const output of outputs) output.flush()
  outputs.length = 0
}

export class LinkOutput {
  readonly #owner: OutputOwner
  #bytes: Buffer | null = null
  #end = 0
  #isScheduled = false
  /** Where the head that is being written begins. */
  #headAt = 0
  /** The socket holds more than it should: streams wait for its `drain`. */
  isBlocked = false

  constructor(owner: OutputOwner) {
    this.#owner = owner
  }

  /** The buffer, with room for so many bytes behind `#end`. */
  #room(bytes: number): Buffer {
    if (this.#bytes !== null && this.#end + bytes > this.#bytes.length) this.#makeRoom(bytes)
    if (this.#bytes === null) {
      this.#end = 0
      this.#bytes = bufferFor(bytes)
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true
      if (waiting.push(this) === 1) setImmediate(flushAll)
    }
    return this.#bytes
  }

  /** Moves what a small buffer holds into a large one, or writes what a large one does. */
  #makeRoom(bytes: number): void {
    const small = this.#bytes
    if (small === null || this.#end + bytes > LARGE_BYTES) return this.flush()
    const large = takeLarge()
    small.copy(large, 0, 0, this.#end)
    giveBack(small)
    this.#bytes = large
  }

  flush(): void {
    this.#isScheduled = false
    const bytes = this.#bytes
    if (bytes === null) return
    this.#bytes = null
    try {
      this.#write(bytes, this.#end)
    } catch (error) {
      this.#owner.caught(error)
    }
  }

  #write(bytes: Buffer, length: number): void {
    const { socket } = this.#owner
    if (!socket.writable) {
      giveBack(bytes)
      return
    }
    const data = length === bytes.length ? bytes : bytes.subarray(0, length)
    if (socket.writableLength > 0 || socket.connecting) {
      // It waits behind other data, and is in use until it has been written.
      socket.write(data, () => giveBack(bytes))
    } else {
      socket.write(data)
      // TLS encrypts into memory of its own before `write` returns; TCP has usually written all.
      if (socket.writableLength === 0 || 'encrypted' in socket) giveBack(bytes)
    }
    this.isBlocked = socket.writableLength > HIGH_WATER_BYTES
    if (this.isBlocked) this.#owner.overfull()
  }

  preface(): void {
    const out = this.#room(PREFACE.length)
    out.set(PREFACE, this.#end)
    this.#end += PREFACE.length
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    this.#end = writeSettings(this.#room(FRAME_HEADER_BYTES + 6 * values.length), this.#end, values)
  }

  settingsAck(): void {
    const out = this.#room(FRAME_HEADER_BYTES)
    this.#end = writeFrameHeader(out, this.#end, 0, FRAME.SETTINGS, FLAG.ACK, 0)
  }

  rstStream(id: number, code: number): void {
    const out = this.#room(FRAME_HEADER_BYTES + 4)
    const at = writeFrameHeader(out, this.#end, 4, FRAME.RST_STREAM, 0, id)
    this.#end = writeUint32(out, at, code)
  }

  windowUpdate(id: number, increment: number): void {
    const out = this.#room(FRAME_HEADER_BYTES + 4)
    const at = writeFrameHeader(out, this.#end, 4, FRAME.WINDOW_UPDATE, 0, id)
    this.#end = writeUint32(out, at, increment)
  }

  ping(flags: number, payload: Uint8Array, from: number): void {
    const out = this.#room(FRAME_HEADER_BYTES + 8)
    const at = writeFrameHeader(out, this.#end, 8, FRAME.PING, flags, 0)
    for (let index = 0; index < 8; index++) out[at + index] = payload[from + index] ?? 0
    this.#end = at + 8
  }

  goAway(lastId: number, code: number, debug: string): void {
    const text = Buffer.from(debug)
    const out = this.#room(FRAME_HEADER_BYTES + 8 + text.length)
    let at = writeFrameHeader(out, this.#end, 8 + text.length, FRAME.GOAWAY, 0, 0)
    at = writeUint32(out, at, lastId)
    at = writeUint32(out, at, code)
    out.set(text, at)
    this.#end = at + text.length
  }

  /** A head of at most so many bytes is to be encoded into `buffer` from here on; `endHead` follows. */
  beginHead(bytes: number): number {
    const frames = Math.ceil(bytes / MAX_FRAME_BYTES)
    this.#room(bytes + FRAME_HEADER_BYTES * frames)
    this.#headAt = this.#end
    return this.#end + FRAME_HEADER_BYTES
  }

  get buffer(): Buffer {
    return this.#bytes ?? PREFACE
  }

  /** `end`: behind the block. What is more than a frame takes goes into CONTINUATION frames. */
  endHead(end: number, id: number, ended: boolean): void {
    const out = this.buffer
    const endStream = ended ? FLAG.END_STREAM : 0
    const from = this.#headAt + FRAME_HEADER_BYTES
    const length = end - from
    if (length <= MAX_FRAME_BYTES) {
      const flags = FLAG.END_HEADERS | endStream
      writeFrameHeader(out, this.#headAt, length, FRAME.HEADERS, flags, id)
      this.#end = end
      return
    }
    const last = Math.ceil(length / MAX_FRAME_BYTES) - 1
    for (let frame = last; frame >= 0; frame--) {
      const at = from + frame * MAX_FRAME_BYTES
      const size = frame === last ? end - at : MAX_FRAME_BYTES
      const to = at + frame * FRAME_HEADER_BYTES
      if (frame > 0) out.copyWithin(to, at, at + size)
      const type = frame === 0 ? FRAME.HEADERS : FRAME.CONTINUATION
      const flags = (frame === last ? FLAG.END_HEADERS : 0) | (frame === 0 ? endStream : 0)
      writeFrameHeader(out, to - FRAME_HEADER_BYTES, size, type, flags, id)
    }
    this.#end = end + last * FRAME_HEADER_BYTES
  }

  /** One frame of at most MAX_FRAME_BYTES. A string is latin1. */
  data(id: number, chunk: Buffer | string, from: number, to: number, ended: boolean): void {
    const length = to - from
    const out = this.#room(FRAME_HEADER_BYTES + length)
    const flags = ended ? FLAG.END_STREAM : 0
    const at = writeFrameHeader(out, this.#end, length, FRAME.DATA, flags, id)
    this.#end = at + length
    if (length === 0) return
    if (typeof chunk !== 'string') chunk.copy(out, at, from, to)
    else out.write(length === chunk.length ? chunk : chunk.slice(from, to), at, length, 'latin1')
  }
}

/** Of the free lists, with room for so many bytes; `giveBack` returns it. */
export function bufferFor(bytes: number): Buffer {
  if (bytes <= SMALL_BYTES) return SMALL.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES)
  return bytes <= LARGE_BYTES ? takeLarge() : Buffer.allocUnsafeSlow(bytes)
}

export function giveBack(bytes: Buffer): void {
  if (bytes.length === LARGE_BYTES) giveLargeBack(bytes)
  else if (bytes.length === SMALL_BYTES && SMALL.length < MOST_SMALL) SMALL.push(bytes)
}
