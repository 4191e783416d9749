/** A fake of a ZooKeeper that says what a real one never says: it answers each request with the bytes that a test gives. */
import { createServer, type Socket } from 'node:net'
import type { Owner } from './daemon.ts'

export interface FakeRequest {
  readonly xid: number
  readonly op: number
  /** Of requests that have one. */
  readonly path: string
}

/** Returns bytes; null for silence. */
export type Answer = (request: FakeRequest, socket: Socket) => Buffer | null

/** The response to the request for a session; without it, a usual one. */
export async function startFakeZookeeper(
  owner: Owner,
  answer: Answer,
  session: Buffer = toFrame(sessionOf(4_000)),
): Promise<string> {
  const sockets = new Set<Socket>()
  const listener = createServer({ noDelay: true }, (socket) => {
    let buffer = Buffer.alloc(0)
    let isFirst = true
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (bytes: Buffer) => {
      buffer = Buffer.concat([buffer, bytes])
      while (buffer.length >= 4 && buffer.length >= 4 + buffer.readInt32BE(0)) {
        const frame = buffer.subarray(4, 4 + buffer.readInt32BE(0))
        buffer = buffer.subarray(4 + frame.length)
        const reply = isFirst ? session : answer(read(frame), socket)
        isFirst = false
        if (reply !== null) socket.write(reply)
      }
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  owner.after(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => listener.close(resolve))
  })
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return `127.0.0.1:${address.port}`
}

function read(frame: Buffer): FakeRequest {
  const [xid, op] = [frame.readInt32BE(0), frame.readInt32BE(4)]
  const length = frame.length >= 12 ? frame.readInt32BE(8) : 0
  return { xid, op, path: frame.subarray(12, 12 + length).toString() }
}

export function toFrame(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(4)
  head.writeInt32BE(body.length)
  return Buffer.concat([head, body])
}

export function sessionOf(timeoutMs: number): Buffer {
  const body = Buffer.alloc(37)
  body.writeInt32BE(timeoutMs, 4)
  body.writeInt32BE(16, 16)
  return body
}

export function replyTo(
  { xid }: Pick<FakeRequest, 'xid'>,
  error: number,
  ...rest: Buffer[]
): Buffer {
  const head = Buffer.alloc(16)
  head.writeInt32BE(xid, 0)
  head.writeBigInt64BE(1n, 4)
  head.writeInt32BE(error, 12)
  return toFrame(head, ...rest)
}

/** An event, or a string in a response. */
export function eventOf(type: number, path: string): Buffer {
  const numbers = Buffer.alloc(8)
  numbers.writeInt32BE(type, 0)
  numbers.writeInt32BE(3, 4)
  return replyTo({ xid: -1 }, 0, numbers, toFrame(Buffer.from(path)))
}

/** `vector<ustring>`. */
export function listOf(texts: readonly string[]): Buffer {
  const count = Buffer.alloc(4)
  count.writeInt32BE(texts.length)
  return Buffer.concat([count, ...texts.map((text) => toFrame(Buffer.from(text)))])
}

/** A buffer and a Stat without children. */
export function nodeOf(data: Buffer): Buffer {
  return Buffer.concat([toFrame(data), Buffer.alloc(68)])
}
