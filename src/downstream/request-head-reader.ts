/**
 * Finds and parses a request's head in the bytes of its connection. Keeps no state between two heads. A head in pieces is limited
 * in size, and refused as soon as no further byte can make it valid.
 */
import { ExchangeError } from '../http/message/errors.ts'
import { headLines } from '../http/message/head-lines.ts'
import { errorOfPartialHead } from '../http/message/partial-head.ts'
import {
  parseRequestHead,
  refuseRequestHead,
  type RequestHead,
} from '../http/message/request-head.ts'
import type { Listener } from '../model/snapshot.ts'

type Limits = Listener['limits']

const HEAD_END = Buffer.from('\r\n\r\n')
const CR = 13
const LF = 10

export class RequestHeadReader {
  /** Where the last head ends in its buffer. */
  end = 0
  #searched = 0
  /** Checked again when it has doubled: a head that comes byte by byte must not cost quadratic time. */
  #checked = 0

  /** The head that begins at `from`; null if it is not complete. */
  read(
    buffer: Buffer,
    from: number,
    to: number,
    limits: Limits,
    trusted: boolean,
  ): RequestHead | ExchangeError | null {
    const most = Math.min(to, from + limits.headBytes)
    return this.#searched === 0 && headLines.readRequest(buffer, from, most)
      ? this.#parse(buffer, from, limits, trusted)
      : this.#readUnusual(buffer.subarray(from, to), from, limits, trusted)
  }

  /** The slow path: a head in pieces, after an empty line, or malformed. */
  #readUnusual(
    bytes: Buffer,
    from: number,
    limits: Limits,
    trusted: boolean,
  ): RequestHead | ExchangeError | null {
    // RFC 9112 section 2.2: one or two empty lines before a request are ignored, no more.
    let start = 0
    while (start < 4 && bytes[start] === CR && bytes[start + 1] === LF) start += 2
    // Half an empty line.
    if (start < 4 && start === bytes.length - 1 && bytes[start] === CR) return null
    // A later search continues where the last one ended.
    const end = bytes.indexOf(HEAD_END, Math.max(start, this.#searched - HEAD_END.length + 1))
    const size = end + HEAD_END.length - start
    const isFirst = this.#searched === 0
    if (end < 0 || (isFirst && size > limits.headBytes)) return this.#partial(bytes, start, limits)
    this.#searched = 0
    this.#checked = 0
    if (size > limits.headBytes) return tooLarge(limits)
    if (!headLines.readRequest(bytes, start, bytes.length))
      return refuseRequestHead(bytes.toString('latin1', start, end + 2))
    const head = this.#parse(bytes, start, limits, trusted)
    this.end += from
    return head
  }

  /** `headLines` has its lines. */
  #parse(
    buffer: Buffer,
    from: number,
    limits: Limits,
    trusted: boolean,
  ): RequestHead | ExchangeError {
    this.end = from + headLines.end
    const text = buffer.toString('latin1', from, from + headLines.fieldsEnd)
    return parseRequestHead(text, headLines, limits, trusted)
  }

  #partial(bytes: Buffer, from: number, limits: Limits): ExchangeError | null {
    this.#searched = bytes.length
    const size = bytes.length - from
    if (size > 64 && size < this.#checked * 2 && size <= limits.headBytes) return null
    this.#checked = size
    const error = size === 0 ? null : errorOfPartialHead(bytes.toString('latin1', from), limits)
    return error ?? (size > limits.headBytes ? tooLarge(limits) : null)
  }
}

function tooLarge({ headBytes }: Limits): ExchangeError {
  return new ExchangeError('HEAD_TOO_LARGE', `the head is larger than ${headBytes} bytes`)
}
