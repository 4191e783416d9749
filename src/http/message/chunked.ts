/**
 * The chunked transfer coding, RFC 9112 section 7.1. The decoder returns the data of its input as one piece: chunk data is moved
 * together inside the input buffer, so that a thousand one-byte chunks become one write, and the usual single chunk is not
 * copied. Extensions are limited and dropped, trailers are limited like a head.
 */
import { ExchangeError, type Reason } from './errors.ts'
import { BROKEN_LINE, faultOfFields, TRAILERS } from './grammar.ts'

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILER = 6
const DONE = 7
const BLANK = 8

const MAX_SIZE_DIGITS = 15
const MAX_EXTENSION = 256
const MAX_EXTENSIONS = 16 * 1024
const MAX_TRAILERS = 32 * 1024
const MAX_TRAILER_FIELDS = 100

export class ChunkedDecoder {
  /** Trailer lines after the end; '' if there were none. */
  trailers = ''
  readonly #reason: Reason
  /** Some servers pad their chunk sizes with blanks. From clients that is refused: two readings of a body allow smuggling. */
  readonly #readsBlanks: boolean
  #state = SIZE
  #digits = 0
  #size = 0
  #extension = 0
  #extensions = 0
  #trailerBytes: Buffer | null = null

  /** `reason`: of a malformed chunk, which depends on whose body it is. */
  constructor(reason: 'BAD_CHUNK' | 'BAD_ANSWER') {
    this.#reason = reason
    this.#readsBlanks = reason === 'BAD_ANSWER'
  }

  get done(): boolean {
    return this.#state === DONE
  }

  /**
   * Decodes `input`, which is overwritten. Returns its data, and in `rest` what follows the body (null before its end, or if
   * nothing follows).
   */
  decode(input: Buffer): { data: Buffer | null; rest: Buffer | null } | ExchangeError {
    let at = 0
    let dataStart = -1
    let dataEnd = 0
    while (at < input.length && this.#state !== DONE) {
      if (this.#state === DATA) {
        const take = Math.min(this.#size, input.length - at)
        if (dataStart < 0) {
          dataStart = at
          dataEnd = at + take
        } else {
          input.copyWithin(dataEnd, at, at + take)
          dataEnd += take
        }
        at += take
        this.#size -= take
        if (this.#size === 0) this.#state = DATA_CR
      } else if (this.#state === TRAILER) {
        const used = this.#takeTrailers(input.subarray(at))
        if (used instanceof ExchangeError) return used
        at += used
      } else {
        const fault = this.#step(input[at++] ?? 0)
        if (fault !== null) return new ExchangeError(this.#reason, fault)
      }
    }
    return {
      data: dataStart < 0 ? null : input.subarray(dataStart, dataEnd),
      rest: this.#state === DONE && at < input.length ? input.subarray(at) : null,
    }
  }

  #step(byte: number): string | null {
    switch (this.#state) {
      case SIZE: {
        const digit = hexValue(byte)
        if (digit >= 0) {
          if (++this.#digits > MAX_SIZE_DIGITS) return 'a chunk size has more than 15 digits'
          this.#size = this.#size * 16 + digit
          return null
        }
        if (this.#digits === 0) return 'a chunk does not begin with its size'
        if (isBlank(byte) && this.#readsBlanks) this.#state = BLANK
        else return this.#endSize(byte)
        return null
      }
      case BLANK:
        if (!isBlank(byte)) return this.#endSize(byte)
        return this.#lengthen()
      case EXTENSION:
        if (byte === 0x0d) this.#state = SIZE_LF
        else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f)
          return 'a chunk extension holds a control character'
        else return this.#lengthen()
        return null
      case SIZE_LF:
        if (byte !== 0x0a) return 'a chunk size line does not end with CRLF'
        this.#state = this.#size === 0 ? TRAILER : DATA
        this.#digits = 0
        this.#extension = 0
        return null
      case DATA_CR:
        if (byte !== 0x0d) return 'chunk data is longer than its size'
        this.#state = DATA_LF
        return null
      default:
        if (byte !== 0x0a) return 'chunk data does not end with CRLF'
        this.#state = SIZE
        return null
    }
  }

  #endSize(byte: number): string | null {
    if (byte === 0x3b) this.#state = EXTENSION
    else if (byte === 0x0d) this.#state = SIZE_LF
    else return 'a chunk size is followed by something else than ; or CRLF'
    return null
  }

  #lengthen(): string | null {
    const isTooLong = ++this.#extension > MAX_EXTENSION || ++this.#extensions > MAX_EXTENSIONS
    return isTooLong ? 'chunk extensions are too long' : null
  }

  /** Collects up to the empty line; returns how many bytes of the piece belong to it. */
  #takeTrailers(piece: Buffer): number | ExchangeError {
    const before = this.#trailerBytes?.length ?? 0
    if (before === 0 && piece.length >= 2 && piece[0] === 0x0d && piece[1] === 0x0a) {
      this.#state = DONE
      return 2
    }
    const bytes = this.#trailerBytes === null ? piece : Buffer.concat([this.#trailerBytes, piece])
    const bare = bytes.length >= 2 && bytes[0] === 0x0d && bytes[1] === 0x0a
    const end = bare ? 0 : bytes.indexOf('\r\n\r\n')
    if (!bare && end < 0) {
      if (BROKEN_LINE.test(bytes.toString('latin1'))) {
        return new ExchangeError(this.#reason, 'a line of the trailers does not end with CRLF')
      }
      if (bytes.length > MAX_TRAILERS)
        return new ExchangeError(this.#reason, 'the trailers are too large')
      this.#trailerBytes = Buffer.from(bytes)
      return piece.length
    }
    const text = bare ? '' : bytes.toString('latin1', 0, end + 2)
    if (text.length > MAX_TRAILERS || text.split('\r\n').length - 1 > MAX_TRAILER_FIELDS) {
      return new ExchangeError(this.#reason, 'the trailers are too large')
    }
    if (!TRAILERS.test(text))
      return new ExchangeError(this.#reason, `trailers: ${faultOfFields(text)}`)
    this.trailers = text
    this.#trailerBytes = null
    this.#state = DONE
    return (bare ? 2 : end + 4) - before
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** The line before `bytes` of chunk data. */
export function chunkSizeLine(bytes: number): string {
  return bytes.toString(16) + '\r\n'
}

/** The end of a chunked body. */
export function lastChunk(trailers: string): string {
  return trailers === '' ? '0\r\n\r\n' : `0\r\n${trailers}\r\n`
}
