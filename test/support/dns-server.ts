/**
 * A fake: a DNS server of the test's own, over UDP and TCP, written from RFC 1035 sections 4.1 and 4.2 (RFC 3596 for AAAA, RFC 2782
 * for SRV). It answers for the names that it is given, and can hang, lie, change its mind and die. A response that is too long for
 * UDP is truncated there.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket as Connection } from 'node:net'
import type { TestContext } from 'node:test'
import { parseIp } from '../../src/model/ip.ts'

/** What a name is answered with; addresses of both families together. */
export type DnsBehavior =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
  | {
      readonly services: readonly DnsService[]
      readonly ttl?: number
      /** Addresses of targets, in the additional section. */
      readonly additional?: Readonly<Record<string, readonly string[]>>
    }
  /** No answer at all. */
  | 'hang'
  | 'nxdomain'
  /** The name is there and has no address. */
  | 'empty'
  | 'servfail'
  | 'refused'
  /** Bytes that are no message. */
  | 'garbage'
  /** The right answer under another question's number. */
  | 'wrong id'
  /** An answer for another name. */
  | 'wrong name'

/** An SRV record. */
export interface DnsService {
  readonly priority?: number
  readonly weight?: number
  readonly port: number
  readonly target: string
}

export interface DnsServer {
  /** For `resolver.servers`. */
  readonly address: string
  /** What was asked, `a name.test`, `aaaa name.test` or `srv name.test`, in order. */
  readonly questions: readonly string[]
  set(name: string, behavior: DnsBehavior): void
  /** Behaves so to every name; null: as `set` says. */
  setAll(behavior: DnsBehavior | null): void
  /** It takes no TCP connections any more. */
  closeTcp(): Promise<void>
  /** Its port is closed. */
  die(): Promise<void>
  /** At the same port. */
  comeBack(): Promise<void>
}

const TYPES: ReadonlyMap<number, 'a' | 'aaaa' | 'srv'> = new Map([
  [1, 'a'],
  [28, 'aaaa'],
  [33, 'srv'],
])
/** What resolvers announce since the DNS Flag Day of 2020. */
const MAX_UDP_BYTES = 1232
const CODES: Readonly<Record<string, number>> = { servfail: 2, nxdomain: 3, refused: 5 }

export async function startDnsServer(
  t: Pick<TestContext, 'after'>,
  names: Readonly<Record<string, DnsBehavior>> = {},
): Promise<DnsServer> {
  const behaviors = new Map(Object.entries(names))
  const questions: string[] = []
  let forAll: DnsBehavior | null = null
  let socket: Socket | null = null
  let server: Server | null = null
  const connections = new Set<Connection>()
  let port = 0

  /** The same port for both; another one if TCP has that of UDP in use. */
  async function open(): Promise<void> {
    const datagrams = createSocket('udp4')
    datagrams.on('message', (message, from) => answer(datagrams, message, from))
    datagrams.bind(port, '127.0.0.1')
    await once(datagrams, 'listening')
    const listening = createServer(serve)
    listening.listen(datagrams.address().port, '127.0.0.1')
    try {
      await once(listening, 'listening')
    } catch (error) {
      datagrams.close()
      if (port !== 0) throw error
      return open()
    }
    port = datagrams.address().port
    socket = datagrams
    server = listening
  }

  function answer(from: Socket, message: Buffer, { address, port: to }: RemoteInfo): void {
    const reply = replyTo(message)
    if (reply !== null)
      from.send(reply.length > MAX_UDP_BYTES ? truncated(reply) : reply, to, address)
  }

  /** RFC 1035 section 4.2.2: each message after its length. */
  function serve(connection: Connection): void {
    let received: Buffer = Buffer.alloc(0)
    connections.add(connection)
    connection.on('close', () => connections.delete(connection))
    connection.on('error', () => {})
    connection.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const reply = replyTo(received.subarray(2))
      received = Buffer.alloc(0)
      if (reply === null) return
      const length = Buffer.alloc(2)
      length.writeUInt16BE(reply.length)
      connection.write(Buffer.concat([length, reply]))
    })
  }

  function replyTo(message: Buffer): Buffer | null {
    const question = readQuestion(message)
    questions.push(`${question.type} ${question.name}`)
    const behavior = forAll ?? behaviors.get(question.name) ?? 'nxdomain'
    return writeReply(message, question, behavior)
  }

  async function closeTcp(): Promise<void> {
    const listening = server
    server = null
    for (const connection of connections) connection.destroy()
    listening?.close()
    if (listening !== null) await once(listening, 'close')
  }

  async function die(): Promise<void> {
    const closed = socket
    socket = null
    if (closed === null) return
    closed.close()
    await Promise.all([once(closed, 'close'), closeTcp()])
  }

  await open()
  t.after(die)
  return {
    address: `127.0.0.1:${port}`,
    questions,
    set: (name, behavior) => void behaviors.set(name, behavior),
    setAll: (behavior) => void (forAll = behavior),
    closeTcp,
    die,
    comeBack: open,
  }
}

interface Question {
  readonly name: string
  readonly type: string
  /** As it came. */
  readonly bytes: Buffer
}

function readQuestion(message: Buffer): Question {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase())
    at += 1 + length
  }
  const type = message.readUInt16BE(at + 1)
  return {
    name: labels.join('.'),
    type: TYPES.get(type) ?? String(type),
    bytes: message.subarray(12, at + 5),
  }
}

function writeReply(message: Buffer, question: Question, behavior: DnsBehavior): Buffer | null {
  const id = message.readUInt16BE(0)
  if (behavior === 'hang') return null
  if (behavior === 'garbage') return Buffer.from([...message.subarray(0, 2), 0xff, 0x00, 0x01])
  if (behavior === 'wrong id') return writeMessage(id ^ 0x5555, 0, question, [])
  if (behavior === 'wrong name') {
    const bytes = Buffer.from(question.bytes)
    bytes[1] = (bytes[1] ?? 0) ^ 1
    return writeMessage(id, 0, { ...question, bytes }, [])
  }
  if (behavior === 'empty') return writeMessage(id, 0, question, [])
  if (typeof behavior === 'string') return writeMessage(id, CODES[behavior] ?? 2, question, [])
  const { ttl = 60 } = behavior
  if ('services' in behavior) {
    if (question.type !== 'srv') return writeMessage(id, 0, question, [])
    const { services, additional = {} } = behavior
    const extra = Object.entries(additional).flatMap(([name, addresses]) =>
      addresses.map((address) => writeRecord(address, ttl, writeName(name))),
    )
    return writeMessage(
      id,
      0,
      question,
      services.map((one) => writeService(one, ttl)),
      extra,
    )
  }
  const { addresses } = behavior
  const isWanted = (address: string): boolean =>
    address.includes(':') === (question.type === 'aaaa')
  const records = addresses.filter(isWanted).map((address) => writeRecord(address, ttl))
  return writeMessage(id, 0, question, records)
}

function writeMessage(
  id: number,
  code: number,
  { bytes }: Question,
  records: readonly Buffer[],
  additional: readonly Buffer[] = [],
): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(id, 0)
  // A response, recursion desired and available.
  head.writeUInt16BE(0x8180 | code, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records.length, 6)
  head.writeUInt16BE(additional.length, 10)
  return Buffer.concat([head, bytes, ...records, ...additional])
}

/** RFC 1035 section 4.1.1: with the TC bit, and no records that would not all fit. */
function truncated(reply: Buffer): Buffer {
  const head = Buffer.from(reply.subarray(0, 12))
  head.writeUInt16BE(head.readUInt16BE(2) | 0x0200, 2)
  head.fill(0, 6)
  const { bytes } = readQuestion(reply)
  return Buffer.concat([head, bytes])
}

/** A pointer to the question's name. */
const QUESTION_NAME = Buffer.from([0xc0, 0x0c])

function writeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  return Buffer.from(
    `${labels.map((label) => String.fromCharCode(label.length) + label).join('')}\0`,
  )
}

function writeService({ priority = 0, weight = 0, port, target }: DnsService, ttl: number): Buffer {
  const numbers = Buffer.alloc(6)
  ;[priority, weight, port].forEach((number, at) => numbers.writeUInt16BE(number, at * 2))
  return writeData(33, ttl, Buffer.concat([numbers, writeName(target)]), QUESTION_NAME)
}

function writeRecord(address: string, ttl: number, name: Buffer = QUESTION_NAME): Buffer {
  const groups = parseIp(address) ?? new Uint16Array(8)
  const isV6 = address.includes(':')
  const data = Buffer.alloc(16)
  groups.forEach((group, at) => data.writeUInt16BE(group, at * 2))
  return writeData(isV6 ? 28 : 1, ttl, isV6 ? data : data.subarray(12), name)
}

/** RFC 1035 section 4.1.3. */
function writeData(type: number, ttl: number, data: Buffer, name: Buffer): Buffer {
  const head = Buffer.alloc(10)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(1, 2)
  head.writeUInt32BE(ttl, 4)
  head.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, head, data])
}
