/** CRC-32C (Castagnoli), as RFC 9260 appendix A has it: the checksum of PROXY headers. zlib has only that of IEEE 802.3. */
const POLYNOMIAL = 0x82f63b78

let table: Uint32Array | null = null

/** The parts one after another. */
export function crc32c(...parts: readonly Uint8Array[]): number {
  table ??= createTable()
  let sum = ~0
  for (const part of parts) for (const byte of part) sum = (sum >>> 8) ^ entry(table, sum ^ byte)
  return ~sum >>> 0
}

function entry(of: Uint32Array, index: number): number {
  return of[index & 0xff] ?? 0
}

function createTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0)
    return value
  })
}
