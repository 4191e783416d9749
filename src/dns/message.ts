/**
 * DNS messages (RFC 1035 section 4): a query for the SRV records of a name, and the records of the response. Queries for
 * addresses go through c-ares (questions.ts), which passes on neither the TTL of SRV records nor the additional section.
 */
import { formatIp } from '../model/ip.ts'

/** RFC 2782. The target is in lower case, without the dot at its end; '' is the root: there is no such service. */
export interface ServiceRecord {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export interface ServiceResponse {
  readonly id: number
  /** The name in question, in lower case. */
  readonly name: string
  readonly isTruncated: boolean
  /** RFC 1035 section 4.1.1: 0 no error, 2 SERVFAIL, 3 NXDOMAIN ... */
  readonly code: number
  readonly services: readonly ServiceRecord[]
  /** Of the records that lead to the services, in seconds; null if there are none. */
  readonly ttl: number | null
  /** The addresses of targets in the additional section, by name. */
  readonly addresses: ReadonlyMap<
    string,
    readonly { readonly address: string; readonly ttl: number }[]
  >
}

const TYPE = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, OPT: 41 } as const
const IN = 1
const HEAD_BYTES = 12
/** RFC 6891 section 6.2.5; the size that is not fragmented on the way. */
const MAX_UDP_BYTES = 1232
const MAX_NAME_BYTES = 255
const RECURSION_DESIRED = 0x0100
const RESPONSE = 0x8000
const TRUNCATED = 0x0200

/** `name`: complete, in lower case, without the dot at its end. */
export function writeServiceQuery(id: number, name: string): Buffer {
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1')
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  })
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(RECURSION_DESIRED, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(1, 10)
  const question = Buffer.from([0, 0, TYPE.SRV, 0, IN])
  // RFC 6891 section 6.1.2: the root, OPT, the size, no flags and no options.
  const options = Buffer.alloc(11)
  options.writeUInt16BE(TYPE.OPT, 1)
  options.writeUInt16BE(MAX_UDP_BYTES, 3)
  return Buffer.concat([head, ...labels, question, options])
}

/** Null: it is no response to a query for SRV records, or it is malformed. */
export function readServiceResponse(bytes: Buffer): ServiceResponse | null {
  try {
    return new Reader(bytes).response()
  } catch (error) {
    // Of a read beyond the end.
    if (error instanceof RangeError) return null
    throw error
  }
}

interface ResourceRecord {
  readonly name: string
  readonly type: number
  readonly ttl: number
  /** Where its data begins, and its length. */
  readonly at: number
  readonly length: number
}

class Reader {
  readonly #bytes: Buffer
  #at = HEAD_BYTES

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  response(): ServiceResponse | null {
    const bytes = this.#bytes
    const flags = bytes.readUInt16BE(2)
    const [questions = 0, answers = 0, authorities = 0, additional = 0] = [4, 6, 8, 10].map((at) =>
      bytes.readUInt16BE(at),
    )
    if ((flags & RESPONSE) === 0 || questions !== 1) return null
    const name = this.#name()
    if (this.#number16() !== TYPE.SRV || this.#number16() !== IN) return null
    const response = { id: bytes.readUInt16BE(0), name, code: flags & 0x000f }
    if ((flags & TRUNCATED) !== 0) {
      return { ...response, isTruncated: true, services: [], ttl: null, addresses: new Map() }
    }
    const found = this.#services(name, this.#records(answers))
    this.#records(authorities)
    const addresses = this.#addresses(this.#records(additional))
    return { ...response, isTruncated: false, ...found, addresses }
  }

  #services(
    asked: string,
    records: readonly ResourceRecord[],
  ): Pick<ServiceResponse, 'services' | 'ttl'> {
    let name = asked
    let ttl = Infinity
    // An alias comes before what it leads to (RFC 1034 section 4.3.2), so that one pass follows it, and a circle ends.
    for (const record of records) {
      if (record.type !== TYPE.CNAME || record.name !== name) continue
      name = this.#nameAt(record.at).name
      ttl = Math.min(ttl, record.ttl)
    }
    const services: ServiceRecord[] = []
    for (const record of records) {
      if (record.type !== TYPE.SRV || record.name !== name) continue
      ttl = Math.min(ttl, record.ttl)
      const [priority = 0, weight = 0, port = 0] = [0, 2, 4].map((offset) =>
        this.#bytes.readUInt16BE(record.at + offset),
      )
      services.push({ priority, weight, port, target: this.#nameAt(record.at + 6).name })
    }
    return { services, ttl: services.length === 0 ? null : ttl }
  }

  #addresses(records: readonly ResourceRecord[]): ServiceResponse['addresses'] {
    const found = new Map<string, { address: string; ttl: number }[]>()
    for (const { name, type, ttl, at, length } of records) {
      const isV6 = type === TYPE.AAAA
      if ((!isV6 && type !== TYPE.A) || length !== (isV6 ? 16 : 4)) continue
      const data = this.#bytes.subarray(at, at + length)
      const address = isV6 ? formatV6(data) : data.join('.')
      const addresses = found.get(name) ?? []
      found.set(name, addresses)
      addresses.push({ address, ttl })
    }
    return found
  }

  #records(count: number): ResourceRecord[] {
    return Array.from({ length: count }, () => this.#record())
  }

  #record(): ResourceRecord {
    const name = this.#name()
    const type = this.#number16()
    this.#at += 2
    // RFC 2181 section 8: the highest bit is no sign, and means 0.
    const written = this.#bytes.readUInt32BE(this.#at)
    const ttl = written > 0x7fff_ffff ? 0 : written
    this.#at += 4
    const length = this.#number16()
    const at = this.#at
    if (at + length > this.#bytes.length) throw new RangeError('the data of a record is cut')
    this.#at += length
    return { name, type, ttl, at, length }
  }

  #number16(): number {
    const number = this.#bytes.readUInt16BE(this.#at)
    this.#at += 2
    return number
  }

  #name(): string {
    const { name, end } = this.#nameAt(this.#at)
    this.#at = end
    return name
  }

  /** RFC 1035 section 4.1.4. Each pointer leads further back, so that a name ends. */
  #nameAt(start: number): { readonly name: string; readonly end: number } {
    const bytes = this.#bytes
    const labels: string[] = []
    let at = start
    let end: number | null = null
    let before = start
    let size = 0
    for (;;) {
      const length = bytes.readUInt8(at)
      if (length === 0) return { name: labels.join('.'), end: end ?? at + 1 }
      if (length >= 0xc0) {
        end ??= at + 2
        at = bytes.readUInt16BE(at) & 0x3fff
        if (at >= before) throw new RangeError('a name points forward')
        before = at
        continue
      }
      size += length + 1
      if (length > 63 || size > MAX_NAME_BYTES || at + 1 + length > bytes.length) {
        throw new RangeError('a name is too long')
      }
      const label = bytes.toString('latin1', at + 1, at + 1 + length).toLowerCase()
      // RFC 4343 section 2.1: a dot inside a label is no boundary.
      labels.push(label.replaceAll('.', '\\.'))
      at += length + 1
    }
  }
}

function formatV6(data: Buffer): string {
  return formatIp(Uint16Array.from({ length: 8 }, (_, at) => data.readUInt16BE(at * 2)))
}
