/**
 * DNS updates (RFC 2136) that add or delete one TXT record, signed with TSIG (RFC 8945). Written here, because the packages for it
 * bring a whole resolver: these are two messages.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { TsigAlgorithm } from '../../model/acme-settings.ts'

export interface TsigKey {
  readonly name: string
  /** base64. */
  readonly secret: string
  readonly algorithm: TsigAlgorithm
}

export interface TxtChange {
  readonly action: 'add' | 'delete'
  readonly name: string
  readonly value: string
  readonly ttlSeconds: number
}

export interface UpdateMessage {
  readonly bytes: Buffer
  /** The MAC of the request, which the response's is made with. */
  readonly mac: Buffer
}

const TYPE = { SOA: 6, TXT: 16, TSIG: 250 } as const
const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const
const OPCODE_UPDATE = 5 << 11
const RESPONSE = 0x8000
const HEAD_BYTES = 12
const FUDGE_SECONDS = 300
const HASHES = {
  'hmac-sha256': 'sha256',
  'hmac-sha384': 'sha384',
  'hmac-sha512': 'sha512',
} as const satisfies Record<TsigAlgorithm, string>

/** RFC 2136 section 2.2, RFC 8945 section 3. */
const CODES: ReadonlyMap<number, string> = new Map([
  [1, 'FORMERR'],
  [2, 'SERVFAIL'],
  [3, 'NXDOMAIN'],
  [4, 'NOTIMP'],
  [5, 'REFUSED'],
  [8, 'NXRRSET'],
  [9, 'NOTAUTH'],
  [10, 'NOTZONE'],
  [16, 'BADSIG'],
  [17, 'BADKEY'],
  [18, 'BADTIME'],
])

/** `now`: seconds since the epoch. */
export function writeUpdate(
  id: number,
  zone: string,
  { action, name, value, ttlSeconds }: TxtChange,
  key: TsigKey | null,
  now: number,
): UpdateMessage {
  const isAdded = action === 'add'
  const text = Buffer.from(value, 'latin1')
  const data = Buffer.concat([Buffer.from([text.length]), text])
  const head = writeHead(id, OPCODE_UPDATE, [1, 0, 1, 0])
  const question = Buffer.concat([writeName(zone), numbers16(TYPE.SOA, CLASS.IN)])
  // RFC 2136 section 2.5.4: one record of a set is deleted with the class NONE and no TTL.
  const record = Buffer.concat([
    writeName(name),
    numbers16(TYPE.TXT, isAdded ? CLASS.IN : CLASS.NONE),
    number32(isAdded ? ttlSeconds : 0),
    numbers16(data.length),
    data,
  ])
  const message = Buffer.concat([head, question, record])
  return key === null ? { bytes: message, mac: Buffer.alloc(0) } : sign(message, key, now)
}

function sign(message: Buffer, key: TsigKey, now: number): UpdateMessage {
  const keyName = writeName(key.name)
  const algorithm = writeName(key.algorithm)
  const times = Buffer.concat([number48(now), numbers16(FUDGE_SECONDS)])
  const noError = numbers16(0, 0)
  const mac = createHmac(HASHES[key.algorithm], Buffer.from(key.secret, 'base64'))
    .update(message)
    .update(keyName)
    .update(Buffer.concat([numbers16(CLASS.ANY), number32(0)]))
    .update(algorithm)
    .update(times)
    .update(noError)
    .digest()
  const data = Buffer.concat([
    algorithm,
    times,
    numbers16(mac.length),
    mac,
    message.subarray(0, 2),
    noError,
  ])
  const record = [keyName, numbers16(TYPE.TSIG, CLASS.ANY), number32(0), numbers16(data.length)]
  const bytes = Buffer.concat([message, ...record, data])
  bytes.writeUInt16BE(1, 10)
  return { bytes, mac }
}

/** Null: it is done. Otherwise why not. A response to another message, or with a wrong signature, throws. */
export function readUpdateResponse(
  bytes: Buffer,
  id: number,
  key: TsigKey | null,
  requestMac: Buffer,
): string | null {
  if (bytes.length < HEAD_BYTES || bytes.readUInt16BE(0) !== id) {
    throw new Error('the response is to another message')
  }
  const flags = bytes.readUInt16BE(2)
  if ((flags & RESPONSE) === 0) throw new Error('it is no response')
  const code = flags & 0x0f
  const tsig = key === null ? null : findTsig(bytes)
  if (tsig !== null && tsig.error !== 0) return nameOf(tsig.error)
  if (code !== 0) return nameOf(code)
  if (key === null) return null
  // A response without a signature may come from anyone (RFC 8945 section 5.3).
  if (tsig === null) throw new Error('the response is not signed')
  verify(bytes, tsig, key, requestMac)
  return null
}

function nameOf(code: number): string {
  return CODES.get(code) ?? `code ${code}`
}

interface Tsig {
  /** Where the record begins. */
  readonly at: number
  readonly times: Buffer
  readonly mac: Buffer
  readonly error: number
  readonly other: Buffer
  readonly originalId: number
}

function verify(bytes: Buffer, tsig: Tsig, key: TsigKey, requestMac: Buffer): void {
  const message = Buffer.from(bytes.subarray(0, tsig.at))
  message.writeUInt16BE(tsig.originalId, 0)
  message.writeUInt16BE(message.readUInt16BE(10) - 1, 10)
  const mac = createHmac(HASHES[key.algorithm], Buffer.from(key.secret, 'base64'))
    .update(numbers16(requestMac.length))
    .update(requestMac)
    .update(message)
    .update(writeName(key.name))
    .update(Buffer.concat([numbers16(CLASS.ANY), number32(0)]))
    .update(writeName(key.algorithm))
    .update(tsig.times)
    .update(numbers16(tsig.error, tsig.other.length))
    .update(tsig.other)
    .digest()
  if (mac.length !== tsig.mac.length || !timingSafeEqual(mac, tsig.mac)) {
    throw new Error('the signature of the response is wrong')
  }
}

/** The last record of the additional section; null: it is none. */
function findTsig(bytes: Buffer): Tsig | null {
  const [questions = 0, ...sections] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at))
  let at = HEAD_BYTES
  for (let one = 0; one < questions; one++) at = skipName(bytes, at) + 4
  let found: Tsig | null = null
  for (let one = 0; one < sections.reduce((sum, count) => sum + count, 0); one++) {
    const begin = at
    const typeAt = skipName(bytes, at)
    const dataAt = typeAt + 10
    const length = bytes.readUInt16BE(typeAt + 8)
    at = dataAt + length
    found = bytes.readUInt16BE(typeAt) === TYPE.TSIG ? readTsig(bytes, begin, dataAt) : null
  }
  return found
}

function readTsig(bytes: Buffer, begin: number, dataAt: number): Tsig {
  const timesAt = skipName(bytes, dataAt)
  const macAt = timesAt + 10
  const macEnd = macAt + bytes.readUInt16BE(timesAt + 8)
  return {
    at: begin,
    times: bytes.subarray(timesAt, timesAt + 8),
    mac: bytes.subarray(macAt, macEnd),
    originalId: bytes.readUInt16BE(macEnd),
    error: bytes.readUInt16BE(macEnd + 2),
    other: bytes.subarray(macEnd + 6, macEnd + 6 + bytes.readUInt16BE(macEnd + 4)),
  }
}

function skipName(bytes: Buffer, start: number): number {
  let at = start
  for (;;) {
    const length = bytes.readUInt8(at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += length + 1
  }
}

/** In lower case: the canonical form, which the signature is made of. */
function writeName(name: string): Buffer {
  const labels = name
    .toLowerCase()
    .split('.')
    .filter((label) => label !== '')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]))
  return Buffer.concat([...labels, Buffer.from([0])])
}

function writeHead(id: number, flags: number, counts: readonly number[]): Buffer {
  return numbers16(id, flags, ...counts)
}

function numbers16(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 2)
  for (const [at, number] of numbers.entries()) bytes.writeUInt16BE(number, at * 2)
  return bytes
}

function number32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}

function number48(number: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(number, 0, 6)
  return bytes
}
