/**
 * Finds a request's head in its connection's bytes and parses it. Between two heads it keeps nothing; a head that comes in
 * pieces is bounded in size, and refused as soon as no further byte can make it right.
 */
import { ExchangeError } from '../http/errors.ts'
import { errorOfPartialHead } from '../http/partial-head.ts'
import { parseRequestHead, type RequestHead } from '../http/request-head.ts'
import type { Listener } from '../model/snapshot.ts'

const HEAD_END = Buffer.from('\r\n\r\n')
const CR = 13
const LF = 10

/** Null: the rest of the head has yet to come. */
export type ReadHead = { head: RequestHead; rest: Buffer | null } | ExchangeError | null

export class HeadReader {
  #searched = 0
  /** Looked at again when it has doubled: a head that comes byte by byte must not cost its square. */
  #checked = 0

  read(bytes: Buffer, limits: Listener['limits'], trusted: boolean): ReadHead {
    // RFC 9112 section 2.2: an empty line or two before a request is forgiven, no more.
    let from = 0
    while (from < 4 && bytes[from] === CR && bytes[from + 1] === LF) from += 2
    // Half of an empty line.
    if (from < 4 && from === bytes.length - 1 && bytes[from] === CR) return null
    if (this.#searched > 0) {
      // It came in pieces before: the search goes on where it ended.
      const end = bytes.indexOf(HEAD_END, Math.max(from, this.#searched - 3))
      return end < 0
        ? this.#partial(bytes, from, limits)
        : this.#whole(bytes, from, end, limits, trusted)
    }
    const text = bytes.toString('latin1', from, Math.min(bytes.length, from + limits.headBytes))
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return this.#partial(bytes, from, limits)
    const head = parseRequestHead(text.slice(0, end + 2), limits, trusted)
    return head instanceof ExchangeError ? head : { head, rest: after(bytes, from + end + 4) }
  }

  #whole(
    bytes: Buffer,
    from: number,
    end: number,
    limits: Listener['limits'],
    trusted: boolean,
  ): ReadHead {
    this.#searched = 0
    this.#checked = 0
    if (end + 4 - from > limits.headBytes) return tooLarge(limits)
    const head = parseRequestHead(bytes.toString('latin1', from, end + 2), limits, trusted)
    return head instanceof ExchangeError ? head : { head, rest: after(bytes, end + 4) }
  }

  #partial(bytes: Buffer, from: number, limits: Listener['limits']): ExchangeError | null {
    this.#searched = bytes.length
    const size = bytes.length - from
    if (size > 64 && size < this.#checked * 2 && size <= limits.headBytes) return null
    this.#checked = size
    const error = size === 0 ? null : errorOfPartialHead(bytes.toString('latin1', from), limits)
    return error ?? (size > limits.headBytes ? tooLarge(limits) : null)
  }
}

function after(bytes: Buffer, end: number): Buffer | null {
  return end < bytes.length ? bytes.subarray(end) : null
}

function tooLarge({ headBytes }: Listener['limits']): ExchangeError {
  return new ExchangeError('HEAD_TOO_LARGE', `the head is larger than ${headBytes} bytes`)
}
