/** Reads a PROXY header of version 2, which begins with its signature. */
import { formatIp } from '../../model/ip.ts'
import type { Address } from '../../model/snapshot.ts'
import { crc32c } from './crc32c.ts'
import {
  AFTER_SIGNATURE,
  COMMAND,
  FAMILY,
  MAX_BINARY,
  type ReadHeader,
  SIGNATURE,
  VERSION,
} from './header.ts'

const FIXED = SIGNATURE.length + AFTER_SIGNATURE
/** How many bytes the addresses and ports of each family take. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = {
  [FAMILY.unspecified]: 0,
  [FAMILY.ipv4]: 12,
  [FAMILY.ipv6]: 36,
  [FAMILY.unix]: 216,
}
/** The lower half of the family's byte: a datagram's client may be behind a proxy that speaks TCP to its servers. */
const UNSPECIFIED_TRANSPORT = 0
const LAST_TRANSPORT = 2

export function readBinary(bytes: Buffer): ReadHeader {
  const at = SIGNATURE.length
  const [versionAndCommand, familyAndTransport] = [bytes[at], bytes[at + 1]]
  if (versionAndCommand === undefined) return 'more'
  const command = versionAndCommand & 15
  if (versionAndCommand >> 4 !== VERSION || command > COMMAND.proxy)
    return refuse('has an unknown version or command')
  if (familyAndTransport === undefined || bytes.length < FIXED) return 'more'
  const length = FIXED + bytes.readUInt16BE(at + 2)
  if (length > MAX_BINARY) return refuse(`has ${length} bytes, of at most ${MAX_BINARY}`)
  if (bytes.length < length) return 'more'
  // A connection of the sender's own, as for a health check. The rest is to be ignored, with its family.
  if (command === COMMAND.local) return { length, source: null, destination: null }
  return readAddresses(bytes.subarray(0, length), familyAndTransport)
}

function refuse(why: string): { readonly refused: string } {
  return { refused: `begins with a PROXY header of version 2 that ${why}` }
}

function readAddresses(header: Buffer, familyAndTransport: number): ReadHeader {
  const family = familyAndTransport >> 4
  const transport = familyAndTransport & 15
  const addressBytes = ADDRESS_BYTES[family]
  const isSpecified = family !== FAMILY.unspecified
  if (
    addressBytes === undefined ||
    transport > LAST_TRANSPORT ||
    isSpecified === (transport === UNSPECIFIED_TRANSPORT)
  )
    return refuse('has an unknown address family or protocol')
  const { length } = header
  // Without a family it is not known where the extensions begin.
  if (!isSpecified) return { length, source: null, destination: null }
  const extensions = FIXED + addressBytes
  if (length < extensions) return refuse('is too short for its addresses')
  const fault = faultOfExtensions(header, extensions)
  if (fault !== null) return refuse(fault)
  if (family === FAMILY.unix) return { length, source: null, destination: null }
  const ipBytes = family === FAMILY.ipv4 ? 4 : 16
  return {
    length,
    source: addressAt(header, FIXED, ipBytes, FIXED + 2 * ipBytes),
    destination: addressAt(header, FIXED + ipBytes, ipBytes, FIXED + 2 * ipBytes + 2),
  }
}

function addressAt(header: Buffer, at: number, ipBytes: number, portAt: number): Address {
  const groups = Uint16Array.of(0, 0, 0, 0, 0, 0xffff, 0, 0)
  for (let byte = 0; byte < ipBytes; byte += 2)
    groups[8 - ipBytes / 2 + byte / 2] = header.readUInt16BE(at + byte)
  return { host: formatIp(groups), port: header.readUInt16BE(portAt) }
}

const CHECKSUM = 3
/** Type and length. */
const BEFORE_VALUE = 3
const NO_CHECKSUM = new Uint8Array(4)

/** What is wrong with the extensions (type, length, value) from `from` to the end, or null. Only the checksum is used. */
function faultOfExtensions(header: Buffer, from: number): string | null {
  for (let at = from; at < header.length;) {
    const value = at + BEFORE_VALUE
    if (value > header.length) return 'has an incomplete extension'
    const end = value + header.readUInt16BE(at + 1)
    if (end > header.length) return 'has an extension that is longer than the header'
    if (header[at] === CHECKSUM) {
      if (end - value !== 4) return 'has a checksum that is not 4 bytes long'
      const sum = crc32c(header.subarray(0, value), NO_CHECKSUM, header.subarray(end))
      if (sum !== header.readUInt32BE(value)) return 'does not match its checksum'
    }
    at = end
  }
  return null
}
