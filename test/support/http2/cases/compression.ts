/** What no HPACK decoder accepts: each ends the connection, since nothing after it can be read (RFC 7541 3, RFC 9113 4.3). */
import { requestFields } from '../client.ts'
import { headersFrame } from '../frames.ts'
import { block, indexed, integer, literal, tableSize } from '../hpack.ts'
import { huffmanEncode, huffmanEos } from '../huffman.ts'
import { ends, type Case } from './case.ts'

const BLOCK = block(...requestFields())

function before(...parts: readonly Buffer[]): Buffer {
  return headersFrame(1, Buffer.concat([...parts, BLOCK]), { end: true })
}

function after(...parts: readonly Buffer[]): Buffer {
  return headersFrame(1, Buffer.concat([BLOCK, ...parts]), { end: true })
}

/** A literal whose value is this Huffman string. */
function huffmanValue(bytes: Buffer): Buffer {
  return Buffer.concat([
    literal('x-test', '').subarray(0, -1),
    integer(bytes.length, 7, 0x80),
    bytes,
  ])
}

export const COMPRESSION: readonly Case[] = [
  ends('compression', 'RFC 7541 2.3.3: an index beyond both tables', after(indexed(70))),
  ends(
    'compression',
    'RFC 7541 2.3.3: the index of a name beyond both tables',
    after(literal(70, '')),
  ),
  ends(
    'compression',
    'RFC 7541 4.2: an update of the table size after the fields',
    after(tableSize(1)),
  ),
  ends(
    'compression',
    'RFC 7541 5.2: Huffman padding longer than 7 bits',
    after(huffmanValue(Buffer.concat([huffmanEncode('test'), Buffer.of(0xff)]))),
  ),
  ends(
    'compression',
    'RFC 7541 5.2: Huffman padding of zeros',
    after(huffmanValue(huffmanEncode('tes', 0))),
  ),
  ends(
    'compression',
    'RFC 7541 5.2: EOS inside a Huffman string',
    after(huffmanValue(Buffer.concat([huffmanEos(), huffmanEncode('test')]))),
  ),
  ends('compression', 'RFC 7541 6.1: index 0', after(indexed(0))),
  ends(
    'compression',
    'RFC 7541 6.3: a table size above the announced one',
    before(tableSize(4097)),
  ),
]

export const COMPRESSION_TOO: readonly Case[] = [
  ends('compression', 'RFC 7541 5.1: an integer above 2^31', after(integer(2 ** 40, 7, 0x80))),
  ends(
    'compression',
    'RFC 7541 5.1: an integer of endless zero digits',
    after(Buffer.concat([Buffer.of(0xff), Buffer.alloc(64, 0x80), Buffer.of(0)])),
  ),
  ends(
    'compression',
    'RFC 7541 5.2: a string that is longer than its block',
    after(Buffer.concat([Buffer.of(0), integer(100, 7), Buffer.from('short')])),
  ),
  ends('compression', 'RFC 7541 3.1: a block that ends inside a field', after(Buffer.of(0x40))),
  ends(
    'compression',
    'RFC 7541 3.2: the index of an evicted entry',
    after(literal('x-gone', 'yes', { indexing: 'incremental' })),
    headersFrame(3, Buffer.concat([tableSize(0), BLOCK, indexed(62)]), { end: true }),
  ),
  ends(
    'compression',
    'RFC 9113 4.3: a fault in a field of trailers',
    headersFrame(1, block(...requestFields({ method: 'POST' }))),
    headersFrame(1, indexed(0), { end: true }),
  ),
]
