/** Integers and strings of HPACK (RFC 7541 section 5), read from and written to byte arrays. */
import { decoded, decodeHuffman } from './huffman.ts'

/** Where the last integer or string ended, and where the bytes of the last string are. */
export const read: { end: number; bytes: Buffer; from: number } = {
  end: 0,
  bytes: decoded.bytes,
  from: 0,
}

/** Bits of the longest integer that is read: no length, index or size here is larger. */
const MOST_BITS = 28

/**
 * The integer whose first byte, before `at`, had all bits of its prefix set: `prefix` is their value. -1 if it does not end before
 * `to`, or is too long, if only by zeros.
 */
export function readInteger(bytes: Uint8Array, at: number, to: number, prefix: number): number {
  let value = prefix
  for (let shift = 0; shift < MOST_BITS && at < to; shift += 7) {
    const byte = bytes[at++] ?? 0
    value += (byte & 0x7f) << shift
    if (byte < 0x80) {
      read.end = at
      return value
    }
  }
  return -1
}

/** The length of the string at `at`, whose bytes are then in `read`; -1 if it is broken. */
export function readString(bytes: Buffer, at: number, to: number): number {
  if (at >= to) return -1
  const first = bytes[at++] ?? 0
  let length = first & 0x7f
  if (length === 0x7f) {
    length = readInteger(bytes, at, to, length)
    at = read.end
  }
  if (length < 0 || length > to - at) return -1
  read.end = at + length
  if (first < 0x80) {
    read.bytes = bytes
    read.from = at
    return length
  }
  length = decodeHuffman(bytes, at, at + length)
  read.bytes = decoded.bytes
  read.from = 0
  return length
}

/** `flags`: the bits before the prefix, `prefix`: its greatest value. Returns the position behind it. */
export function writeInteger(
  out: Uint8Array,
  at: number,
  flags: number,
  prefix: number,
  value: number,
): number {
  if (value < prefix) {
    out[at] = flags | value
    return at + 1
  }
  out[at++] = flags | prefix
  let rest = value - prefix
  for (; rest >= 0x80; rest >>>= 7) out[at++] = 0x80 | (rest & 0x7f)
  out[at] = rest
  return at + 1
}

/** A call of `latin1Write` costs as much as a loop over so many characters. */
const SHORT = 32

/** Writes text[from, to), which is latin1. Returns the position behind it. */
export function writeString(
  out: Buffer,
  at: number,
  text: string,
  from: number,
  to: number,
): number {
  const length = to - from
  at = writeInteger(out, at, 0, 0x7f, length)
  if (length > SHORT) return at + out.write(text.slice(from, to), at, length, 'latin1')
  for (let index = from; index < to; index++) out[at++] = text.charCodeAt(index)
  return at
}
