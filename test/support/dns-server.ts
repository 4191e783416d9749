/**
 * A fake: a DNS server of the test's own, over UDP, written from RFC 1035 sections 4.1 and 4.2.1 (and RFC 3596 for AAAA). It answers
 * for the names that it is given, and can hang, lie, change its mind and die.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { parseIp } from '../../src/model/ip.ts'

/** What a name is answered with; addresses of both families together. */
export type DnsBehavior =
  | { readonly addresses: readonly string[]; readonly ttl?: number }
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

export interface DnsServer {
  /** For `resolver.servers`. */
  readonly address: string
  /** What was asked, `a name.test` or `aaaa name.test`, in order. */
  readonly questions: readonly string[]
  set(name: string, behavior: DnsBehavior): void
  /** Behaves so to every name; null: as `set` says. */
  setAll(behavior: DnsBehavior | null): void
  /** Its port is closed. */
  die(): Promise<void>
  /** At the same port. */
  comeBack(): Promise<void>
}

const TYPES: ReadonlyMap<number, 'a' | 'aaaa'> = new Map([
  [1, 'a'],
  [28, 'aaaa'],
])
const CODES: Readonly<Record<string, number>> = { servfail: 2, nxdomain: 3, refused: 5 }

export async function startDnsServer(
  t: Pick<TestContext, 'after'>,
  names: Readonly<Record<string, DnsBehavior>> = {},
): Promise<DnsServer> {
  const behaviors = new Map(Object.entries(names))
  const questions: string[] = []
  let forAll: DnsBehavior | null = null
  let socket: Socket | null = null
  let port = 0

  async function open(): Promise<void> {
    const opened = createSocket('udp4')
    opened.on('message', (message, from) => answer(opened, message, from))
    opened.bind(port, '127.0.0.1')
    await once(opened, 'listening')
    port = opened.address().port
    socket = opened
  }

  function answer(from: Socket, message: Buffer, { address, port: to }: RemoteInfo): void {
    const question = readQuestion(message)
    questions.push(`${question.type} ${question.name}`)
    const behavior = forAll ?? behaviors.get(question.name) ?? 'nxdomain'
    const reply = writeReply(message, question, behavior)
    if (reply !== null) from.send(reply, to, address)
  }

  async function die(): Promise<void> {
    const closed = socket
    socket = null
    if (closed === null) return
    closed.close()
    await once(closed, 'close')
  }

  await open()
  t.after(die)
  return {
    address: `127.0.0.1:${port}`,
    questions,
    set: (name, behavior) => void behaviors.set(name, behavior),
    setAll: (behavior) => void (forAll = behavior),
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
  const { addresses, ttl = 60 } = behavior
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
): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(id, 0)
  // A response, recursion desired and available.
  head.writeUInt16BE(0x8180 | code, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records.length, 6)
  return Buffer.concat([head, bytes, ...records])
}

/** Its name is a pointer to the question's. */
function writeRecord(address: string, ttl: number): Buffer {
  const groups = parseIp(address) ?? new Uint16Array(8)
  const isV6 = address.includes(':')
  const data = Buffer.alloc(16)
  groups.forEach((group, at) => data.writeUInt16BE(group, at * 2))
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(isV6 ? 28 : 1, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(isV6 ? 16 : 4, 10)
  return Buffer.concat([head, isV6 ? data : data.subarray(12)])
}
