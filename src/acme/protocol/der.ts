/** The few forms of DER (X.690) that requests, challenge certificates and the identifiers of ARI need. */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body])
}

export function sequence(...content: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...content)
}

/** `[number]` with elements in it, or with bytes of another type in their place. */
export function tagged(
  number: number,
  form: 'explicit' | 'implicit',
  ...content: Buffer[]
): Buffer {
  return der((form === 'explicit' ? 0xa0 : 0x80) | number, ...content)
}

/** An integer that is not negative, from its bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Buffer.from([0]) : Buffer.from(bytes.subarray(first))
  const isNegative = ((digits[0] ?? 0) & 0x80) !== 0
  return der(TAG.integer, isNegative ? Buffer.concat([Buffer.from([0]), digits]) : digits)
}

export function bitString(bytes: Uint8Array): Buffer {
  return der(TAG.bitString, Buffer.from([0]), bytes)
}

/** `1.2.840.10045.4.3.2` */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(TAG.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** RFC 5280 section 4.1.2.5: two digits of the year until 2049. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
  const isShort = digits < '2050'
  const text = Buffer.from(isShort ? digits.slice(2) : digits)
  return der(isShort ? TAG.utcTime : TAG.generalizedTime, text)
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes: number[] = []
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff)
  return Buffer.from([0x80 | bytes.length, ...bytes])
}

function base128(arc: number): number[] {
  const bytes = [arc & 0x7f]
  for (let left = arc >>> 7; left > 0; left >>>= 7) bytes.unshift(0x80 | (left & 0x7f))
  return bytes
}

/** One element of DER, as views of its bytes. */
export interface DerElement {
  readonly tag: number
  /** With tag and length. */
  readonly whole: Buffer
  readonly content: Buffer
}

/** The elements that follow each other in the bytes. Throws if they are not DER. */
export function readDer(bytes: Buffer): readonly DerElement[] {
  const found: DerElement[] = []
  for (let at = 0; at < bytes.length;) {
    const element = readElement(bytes.subarray(at))
    found.push(element)
    at += element.whole.length
  }
  return found
}

function readElement(bytes: Buffer): DerElement {
  const [tag = 0, first = 0] = bytes
  // Tags above 30 and lengths of more than 4 bytes are in no certificate.
  const extra = first < 0x80 ? 0 : first & 0x7f
  const start = 2 + extra
  if ((tag & 0x1f) === 0x1f || first === 0x80 || extra > 4 || bytes.length < start)
    throw new Error('this is not DER')
  const length = extra === 0 ? first : bytes.readUIntBE(2, extra)
  if (bytes.length < start + length) throw new Error('this is not DER: it ends too early')
  return {
    tag,
    whole: bytes.subarray(0, start + length),
    content: bytes.subarray(start, start + length),
  }
}
