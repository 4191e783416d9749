/** RFC 7541 appendix B. The code is canonical: its lengths alone give it, shorter codes first, equal lengths by symbol. */

// The length of each symbol's code in base 36, 0 to 255 and EOS.
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6' +
  'f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu'

const EOS = 256

interface Code {
  readonly symbol: number
  readonly length: number
  readonly bits: number
}

const CODES: readonly Code[] = canonicalCodes()
const BY_SYMBOL: readonly Code[] = CODES.toSorted((one, other) => one.symbol - other.symbol)
const BY_BITS: ReadonlyMap<string, number> = new Map(
  CODES.map(({ symbol, length, bits }) => [`${length}:${bits}`, symbol]),
)

/** `padding` is the bit that fills the last byte; 1 is right. */
export function huffmanEncode(value: string, padding: 0 | 1 = 1): Buffer {
  let bits = ''
  for (const symbol of Buffer.from(value, 'latin1')) bits += bitsOf(symbol)
  return packed(bits, padding)
}

/** The code of EOS, which no string may contain. */
export function huffmanEos(): Buffer {
  return packed(bitsOf(EOS), 1)
}

export function huffmanDecode(bytes: Buffer): string {
  const found: number[] = []
  let length = 0
  let bits = 0
  let isOnes = true
  for (let at = 0; at < bytes.length * 8; at++) {
    const bit = ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1
    bits = (bits << 1) | bit
    isOnes = length === 0 ? bit === 1 : isOnes && bit === 1
    length++
    const symbol = BY_BITS.get(`${length}:${bits}`)
    if (symbol === EOS) throw new Error('EOS inside a Huffman string')
    if (symbol === undefined) {
      if (length > 30) throw new Error('no such Huffman code')
      continue
    }
    found.push(symbol)
    length = 0
    bits = 0
  }
  if (length > 7 || (length > 0 && !isOnes)) throw new Error('wrong Huffman padding')
  return Buffer.from(found).toString('latin1')
}

function canonicalCodes(): Code[] {
  const lengths = [...LENGTHS].map((digit) => Number.parseInt(digit, 36))
  const order = lengths
    .map((length, symbol) => ({ length, symbol }))
    .sort((one, other) => one.length - other.length || one.symbol - other.symbol)
  let bits = 0
  let before = order[0]?.length ?? 0
  return order.map(({ length, symbol }, index) => {
    if (index > 0) bits = (bits + 1) * 2 ** (length - before)
    before = length
    return { symbol, length, bits }
  })
}

function bitsOf(symbol: number): string {
  const code = BY_SYMBOL[symbol]
  if (code === undefined) throw new Error(`no symbol ${symbol}`)
  return code.bits.toString(2).padStart(code.length, '0')
}

function packed(bits: string, padding: 0 | 1): Buffer {
  const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, String(padding))
  return Buffer.from(whole.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? [])
}
