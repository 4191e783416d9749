/**
 * DNS messages (RFC 1035 section 4): a query for the addresses or the SRV records of a name, and the records of the response. For
 * sources; names of servers go through c-ares (questions.ts), which passes on neither the TTL of SRV records nor the additional
 * section, and cannot be made to use TCP.
 */
import { formatIp } from '../model/ip.ts'

/** RFC 2782. The target is in lower case, without the dot at its end; '' is the root: there is no such service. */
export interface ServiceRecord {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export interface AddressRecord {
  readonly address: string
  /** In seconds. */
  readonly ttl: number
}

export type QueryType = 'A' | 'AAAA' | 'SRV'

export interface Response {
  readonly id: number
  /** What was asked: the name in lower case, and the type. */
  readonly name: string
  readonly type: QueryType
  readonly isTruncated: boolean
  /** RFC 1035 section 4.1.1: 0 no error, 2 SERVFAIL, 3 NXDOMAIN ... */
  readonly code: number
  /** For SRV. */
  readonly services: readonly ServiceRecord[]
  /** For A and AAAA. */
  readonly addresses: readonly string[]
  /** The shortest of the records that lead to those, in seconds; null if there are none. */
  readonly ttl: number | null
  /** The addresses of the additional section, by name. */
  readonly additional: ReadonlyMap<string, readonly AddressRecord[]>
}

const TYPE = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, OPT: 41 } as const
const QUERY_TYPES: ReadonlyMap<number, QueryType> = new Map(
  (['A', 'AAAA', 'SRV'] as const).map((type) => [TYPE[type], type]),
)
const IN = 1
/** Of one response; those of a circle end there. */
const MAX_ALIASES = 16
const HEAD_BYTES = 12
/** RFC 6891 section 6.2.5; the size that is not fragmented on the way. */
const MAX_UDP_BYTES = 1232
const MAX_NAME_BYTES = 255
const RECURSION_DESIRED = 0x0100
const RESPONSE = 0x8000
const TRUNCATED = 0x0200

/** `name`: complete, in lower case, without the dot at its end. */
export function writeQuery(id: number, name: string, type: QueryType): Buffer {
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1')
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  })
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(RECURSION_DESIRED, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(1, 10)
  const question = Buffer.from([0, 0, TYPE[type], 0, IN])
  // RFC 6891 section 6.1.2: the root, OPT, the size, no flags and no options.
  const options = Buffer.alloc(11)
  options.writeUInt16BE(TYPE.OPT, 1)
  options.writeUInt16BE(MAX_UDP_BYTES, 3)
  return Buffer.concat([head, ...labels, question, options])
}

/** Null: it is no response to such a query, or it is malformed. */
export function readResponse(bytes: Buffer): Response | null {
  try {
    return new Reader(bytes).response()
  } catch (error) {
    // Of a read beyond the end.
    if (error instanceof RangeError) return null
    throw error
  }
}

const NO_RECORDS = { services: [], addresses: [], ttl: null, additional: new Map() } as const

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

  response(): Response | null {
    const bytes = this.#bytes
    const flags = bytes.readUInt16BE(2)
    const [questions = 0, answers = 0, authorities = 0, additional = 0] = [4, 6, 8, 10].map((at) =>
      bytes.readUInt16BE(at),
    )
    if ((flags & RESPONSE) === 0 || questions !== 1) return null
    const name = this.#name()
    const type = QUERY_TYPES.get(this.#number16())
    if (type === undefined || this.#number16() !== IN) return null
    const response = { id: bytes.readUInt16BE(0), name, type, code: flags & 0x000f }
    if ((flags & TRUNCATED) !== 0) return { ...response, ...NO_RECORDS, isTruncated: true }
    const found = this.#found(name, type, this.#records(answers))
    this.#records(authorities)
    const byName = this.#addresses(this.#records(additional))
    return { ...response, ...found, isTruncated: false, additional: byName }
  }

  /** The records of the type, of the name itself or of the one that its aliases lead to. */
  #found(
    asked: string,
    type: QueryType,
    records: readonly ResourceRecord[],
  ): Pick<Response, 'services' | 'addresses' | 'ttl'> {
    const aliases = new Map(
      records.flatMap((record) => (record.type === TYPE.CNAME ? [[record.name, record]] : [])),
    )
    let name = asked
    let ttl = Infinity
    for (let steps = 0; steps < MAX_ALIASES; steps++) {
      const alias = aliases.get(name)
      if (alias === undefined) break
      name = this.#nameAt(alias.at).name
      ttl = Math.min(ttl, alias.ttl)
    }
    const own = records.filter((record) => record.type === TYPE[type] && record.name === name)
    for (const record of own) ttl = Math.min(ttl, record.ttl)
    const services = type === 'SRV' ? own.map((record) => this.#service(record)) : []
    const addresses = (this.#addresses(own).get(name) ?? []).map(({ address }) => address)
    return { services, addresses, ttl: own.length === 0 ? null : ttl }
  }

  #service({ at }: ResourceRecord): ServiceRecord {
    const [priority = 0, weight = 0, port = 0] = [0, 2, 4].map((offset) =>
      this.#bytes.readUInt16BE(at + offset),
    )
    return { priority, weight, port, target: this.#nameAt(at + 6).name }
  }

  #addresses(records: readonly ResourceRecord[]): Map<string, AddressRecord[]> {
    const found = new Map<string, AddressRecord[]>()
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
