/**
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). It is canonical: the lengths of the codes determine the codes.
 * Decoding goes by tables of 256 entries, eight bits at a step; encoding is not used, because it costs more time than the bytes
 * that it saves are worth to a proxy.
 */
const EOS = 256
/** Bits of the code of each symbol. */
const LENGTHS: Uint8Array = Uint8Array.from([
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
])

/** A leaf is LEAF | bits of the last step << 8 | symbol; another entry is the number of the table for the next eight bits. */
const LEAF = 0x8000
const TABLES: Uint16Array = buildTables()

/** Every symbol has five bits or more. */
const LONGEST_EXPANSION = 8 / 5

/** What the last call of `decodeHuffman` decoded, from its first byte on. It grows for long strings. */
export const decoded: { bytes: Buffer } = { bytes: Buffer.allocUnsafeSlow(16 * 1024) }

/** The number of bytes that are now in `decoded.bytes`; -1 if the code is broken. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): number {
  if ((to - from) * LONGEST_EXPANSION > decoded.bytes.length)
    decoded.bytes = Buffer.allocUnsafeSlow(Math.ceil((to - from) * LONGEST_EXPANSION))
  const out = decoded.bytes
  let length = 0
  /** Bits that are not decoded yet, the last `count` bits of it. */
  let bits = 0
  let count = 0
  /** Where the table of this step begins; 0 between two symbols. */
  let table = 0
  for (let at = from; at < to; at++) {
    bits = ((bits << 8) | (bytes[at] ?? 0)) & 0xffff
    count += 8
    do {
      const entry = TABLES[table | ((bits >>> (count - 8)) & 0xff)] ?? 0
      if (entry >= LEAF) {
        out[length++] = entry & 0xff
        count -= (entry >>> 8) & 0xf
        table = 0
      } else {
        // No code leads here, or it is EOS.
        if (entry === 0) return -1
        count -= 8
        table = entry << 8
      }
    } while (count >= 8)
  }
  // The last symbols may be shorter than the eight bits of a step.
  for (;;) {
    const rest = bits & ((1 << count) - 1)
    const entry = TABLES[table | ((rest << (8 - count)) & 0xff)] ?? 0
    const taken = (entry >>> 8) & 0xf
    if (entry < LEAF || taken > count) {
      // The padding: at most seven bits, all of them 1, and not within a symbol that has begun before.
      return table === 0 && rest === (1 << count) - 1 ? length : -1
    }
    out[length++] = entry & 0xff
    count -= taken
    table = 0
  }
}

function buildTables(): Uint16Array {
  const tables = [new Uint16Array(256)]
  for (const { symbol, code, length } of codes()) {
    if (symbol === EOS) continue
    let table = tables[0]
    let left = length
    for (; left > 8; left -= 8) {
      const step = (code >>> (left - 8)) & 0xff
      if (table !== undefined && table[step] === 0) {
        table[step] = tables.length
        tables.push(new Uint16Array(256))
      }
      table = tables[table?.[step] ?? 0]
    }
    const first = (code << (8 - left)) & 0xff
    table?.fill(LEAF | (left << 8) | symbol, first, first + (1 << (8 - left)))
  }
  const all = new Uint16Array(tables.length * 256)
  tables.forEach((table, index) => all.set(table, index * 256))
  return all
}

/** Canonical: in the order of their lengths, then of their symbols, each code is the one before plus one. */
function codes(): { symbol: number; code: number; length: number }[] {
  const symbols = Array.from(LENGTHS, (length, symbol) => ({ symbol, length }))
  symbols.sort((one, other) => one.length - other.length || one.symbol - other.symbol)
  let code = -1
  let before = symbols[0]?.length ?? 0
  return symbols.map(({ symbol, length }) => {
    code = (code + 1) << (length - before)
    before = length
    return { symbol, code, length }
  })
}
