/**
 * HPACK for the tests (RFC 7541): a writer that chooses no representation by itself, so that every form and every fault
 * can be written, and a small complete reader that is strict. Strings are latin1.
 */
import type { Field } from '../message.ts'
import { huffmanDecode, huffmanEncode } from './huffman.ts'

export const STATIC_TABLE: readonly Field[] = (
  ':authority:|:method:GET|:method:POST|:path:/|:path:/index.html|:scheme:http|:scheme:https|' +
  ':status:200|:status:204|:status:206|:status:304|:status:400|:status:404|:status:500|' +
  'accept-charset:|accept-encoding:gzip, deflate|accept-language:|accept-ranges:|accept:|' +
  'access-control-allow-origin:|age:|allow:|authorization:|cache-control:|content-disposition:|' +
  'content-encoding:|content-language:|content-length:|content-location:|content-range:|' +
  'content-type:|cookie:|date:|etag:|expect:|expires:|from:|host:|if-match:|if-modified-since:|' +
  'if-none-match:|if-range:|if-unmodified-since:|last-modified:|link:|location:|max-forwards:|' +
  'proxy-authenticate:|proxy-authorization:|range:|referer:|refresh:|retry-after:|server:|' +
  'set-cookie:|strict-transport-security:|transfer-encoding:|user-agent:|vary:|via:|' +
  'www-authenticate:'
)
  .split('|')
  .map((line) => {
    const colon = line.indexOf(':', 1)
    return [line.slice(0, colon), line.slice(colon + 1)]
  })

export type Indexing = 'none' | 'never' | 'incremental'

export interface LiteralForm {
  readonly indexing?: Indexing
  readonly huffman?: boolean
}

/** Every field as a literal with its name, not indexed, without Huffman: the bytes are plain to see. */
export function block(...fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => literal(name, value)))
}

/** An integer after the bits of `first` (6.1 to 6.3 give them). */
export function integer(value: number, prefixBits: number, first = 0): Buffer {
  const most = (1 << prefixBits) - 1
  if (value < most) return Buffer.of(first | value)
  const written = [first | most]
  let left = value - most
  for (; left >= 128; left = Math.floor(left / 128)) written.push((left % 128) | 0x80)
  written.push(left)
  return Buffer.from(written)
}

export function text(value: string, huffman = false): Buffer {
  const written = huffman ? huffmanEncode(value) : Buffer.from(value, 'latin1')
  return Buffer.concat([integer(written.length, 7, huffman ? 0x80 : 0), written])
}

export function indexed(index: number): Buffer {
  return integer(index, 7, 0x80)
}

/** The name by its text, or by an index. */
export function literal(name: string | number, value: string, form: LiteralForm = {}): Buffer {
  const { indexing = 'none', huffman = false } = form
  const [prefix, first] = LITERAL[indexing]
  const head =
    typeof name === 'number'
      ? integer(name, prefix, first)
      : Buffer.concat([Buffer.of(first), text(name, huffman)])
  return Buffer.concat([head, text(value, huffman)])
}

export function tableSize(size: number): Buffer {
  return integer(size, 5, 0x20)
}

const LITERAL: Readonly<Record<Indexing, readonly [prefix: number, first: number]>> = {
  none: [4, 0x00],
  never: [4, 0x10],
  incremental: [6, 0x40],
}

export class CompressionFault extends Error {}

/** Reads the blocks of one direction of a connection, in order. */
export class HpackReader {
  readonly #limit: number
  #size: number
  #used = 0
  #dynamic: Field[] = []

  /** `limit` is the SETTINGS_HEADER_TABLE_SIZE that this side announced. */
  constructor(limit = 4096) {
    this.#limit = limit
    this.#size = limit
  }

  read(bytes: Buffer): Field[] {
    const fields: Field[] = []
    let at = 0

    const number = (prefixBits: number): number => {
      const most = (1 << prefixBits) - 1
      let value = byte() & most
      if (value < most) return value
      for (let scale = 1; ; scale *= 128) {
        const next = byte()
        value += (next & 0x7f) * scale
        if (value > 0x7fff_ffff) throw new CompressionFault('an integer too large')
        if (next < 0x80) return value
      }
    }
    const byte = (): number => {
      const next = bytes[at++]
      if (next === undefined) throw new CompressionFault('the block ends inside a field')
      return next
    }
    const string = (): string => {
      const isHuffman = ((bytes[at] ?? 0) & 0x80) !== 0
      const length = number(7)
      if (at + length > bytes.length) throw new CompressionFault('a string beyond the block')
      const raw = bytes.subarray(at, (at += length))
      return isHuffman ? huffmanDecode(raw) : raw.toString('latin1')
    }
    const named = (prefixBits: number): Field => {
      const index = number(prefixBits)
      return [index === 0 ? string() : this.#entry(index)[0], string()]
    }

    while (at < bytes.length) {
      const first = bytes[at] ?? 0
      if (first >= 0x80) fields.push(this.#entry(number(7)))
      else if (first >= 0x40) {
        const field = named(6)
        this.#add(field)
        fields.push(field)
      } else if (first >= 0x20) {
        if (fields.length > 0) throw new CompressionFault('a table size update after a field')
        this.#resize(number(5))
      } else fields.push(named(4))
    }
    return fields
  }

  /** Whether the dynamic table has a field with such a name. */
  holds(isOne: (name: string) => boolean): boolean {
    return this.#dynamic.some(([name]) => isOne(name))
  }

  #entry(index: number): Field {
    const found =
      index > STATIC_TABLE.length
        ? this.#dynamic[index - STATIC_TABLE.length - 1]
        : STATIC_TABLE[index - 1]
    if (found === undefined) throw new CompressionFault(`no entry ${index}`)
    return found
  }

  #add(field: Field): void {
    this.#dynamic.unshift(field)
    this.#used += sizeOf(field)
    this.#evict()
  }

  #resize(size: number): void {
    if (size > this.#limit) throw new CompressionFault(`a table of ${size} bytes`)
    this.#size = size
    this.#evict()
  }

  #evict(): void {
    while (this.#used > this.#size) {
      const last = this.#dynamic.pop()
      if (last === undefined) throw new Error('the dynamic table miscounts')
      this.#used -= sizeOf(last)
    }
  }
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + 32
}
