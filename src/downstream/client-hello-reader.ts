/**
 * Reads the ClientHello of a connection, and puts its bytes back for the handshake or the server. Only listeners that route
 * connections by it, or choose certificates by it, read it; others pay nothing.
 *
 * A client may split it over any number of records and segments: each byte is looked at once, and what is kept is bounded.
 */
import type { Socket } from 'node:net'
import { type ClientHello, parseClientHello } from './client-hello.ts'

/** Of the message; with post-quantum key shares it has about 1,700 bytes. */
const MAX_MESSAGE = 16 * 1024
/** Of what is kept, with the headers of records. */
const MAX_BYTES = 2 * MAX_MESSAGE
/** RFC 8446 section 5.1. */
const MAX_RECORD = 2 ** 14
const RECORD_HEADER = 5
const HANDSHAKE_RECORD = 22
const MESSAGE_HEADER = 4
const CLIENT_HELLO = 1

/** `more`: incomplete, and well-formed so far. `other`: it is no ClientHello. */
type Read = ClientHello | 'more' | 'other'

export class ClientHelloReader {
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0
  /** Before it all is read: headers of records, and their contents, of which `left` bytes are missing. */
  #at = 0
  #left = 0
  readonly #contents: { readonly start: number; end: number }[] = []
  #size = 0
  /** Of the message, with its header. */
  #messageSize = Infinity

  /** All that was pushed. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  push(chunk: Buffer): Read {
    this.#append(chunk)
    while (this.#at < this.#length && this.#size < this.#messageSize) {
      if (this.#left === 0) {
        const began = this.#beginRecord()
        if (began !== true) return began
      }
      this.#takeContent()
      if (this.#messageSize === Infinity && this.#size >= MESSAGE_HEADER) {
        const header = this.#message(MESSAGE_HEADER)
        this.#messageSize = MESSAGE_HEADER + header.readUIntBE(1, 3)
        if (header[0] !== CLIENT_HELLO || this.#messageSize > MAX_MESSAGE) return 'other'
      }
    }
    if (this.#size < this.#messageSize) return this.#length < MAX_BYTES ? 'more' : 'other'
    return parseClientHello(this.#message(this.#messageSize).subarray(MESSAGE_HEADER)) ?? 'other'
  }

  #append(chunk: Buffer): void {
    const length = this.#length + chunk.length
    // Nearly always, the first chunk has all, and is not copied.
    if (this.#length === 0) this.#buffer = chunk
    else {
      if (length > this.#buffer.length) {
        const larger = Buffer.allocUnsafe(2 * length)
        this.#buffer.copy(larger, 0, 0, this.#length)
        this.#buffer = larger
      }
      chunk.copy(this.#buffer, this.#length)
    }
    this.#length = length
  }

  #beginRecord(): true | 'more' | 'other' {
    const record = this.#buffer.subarray(this.#at, this.#length)
    if (record[0] !== HANDSHAKE_RECORD || (record[1] ?? 3) !== 3) return 'other'
    if (record.length < RECORD_HEADER) return this.#length < MAX_BYTES ? 'more' : 'other'
    this.#left = record.readUInt16BE(3)
    if (this.#left === 0 || this.#left > MAX_RECORD) return 'other'
    this.#at += RECORD_HEADER
    this.#contents.push({ start: this.#at, end: this.#at })
    return true
  }

  #takeContent(): void {
    const content = this.#contents.at(-1)
    const taken = Math.min(this.#left, this.#length - this.#at)
    if (content !== undefined) content.end += taken
    this.#size += taken
    this.#left -= taken
    this.#at += taken
  }

  /** Its first bytes. */
  #message(size: number): Buffer {
    const parts: Buffer[] = []
    let missing = size
    for (const { start, end } of this.#contents) {
      const part = this.#buffer.subarray(start, Math.min(end, start + missing))
      parts.push(part)
      missing -= part.length
      if (missing === 0) break
    }
    const [first] = parts
    return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
  }
}

/**
 * Calls back once, with null if the first bytes are no ClientHello. The socket is then paused, and what was read is put back
 * into it. Calls `late` instead if it takes longer than `timeoutMs`, and nothing if the socket closes or its client leaves first.
 */
export function peekClientHello(
  socket: Socket,
  timeoutMs: number,
  done: (hello: ClientHello | null) => void,
  late: () => void,
): void {
  const reader = new ClientHelloReader()
  const timer = setTimeout(() => {
    stop()
    late()
  }, timeoutMs)
  const ignore = (): void => {}
  const destroy = (): void => void socket.destroy()
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', take)
    socket.off('end', destroy)
    socket.off('close', stop)
  }
  const take = (chunk: Buffer): void => {
    const read = reader.push(chunk)
    if (read === 'more') return
    stop()
    socket.pause()
    socket.unshift(reader.bytes)
    done(read === 'other' ? null : read)
    socket.off('error', ignore)
  }
  socket.on('error', ignore)
  socket.on('data', take)
  socket.on('end', destroy)
  socket.on('close', stop)
  socket.resume()
}
