/** ClientHellos as Node's TLS client sends them, without a network, and in records and pieces of any size. */
import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'

/** The record that a client begins with; it has about 1,700 bytes. Without `servername`, it names a.test. */
export function clientHello(options: ConnectionOptions = {}): Buffer {
  const written: Buffer[] = []
  const wire = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk)
      done()
    },
  })
  // It writes before it returns.
  const client = connect({ socket: wire, servername: 'a.test', ...options })
  client.on('error', () => {})
  client.destroy()
  return Buffer.concat(written)
}

export function record(content: Buffer, type = 22): Buffer {
  return Buffer.concat([
    Buffer.from([type, 3, 1, content.length >> 8, content.length & 255]),
    content,
  ])
}

/** The message of a single record in several, each with so many bytes; the last has the rest. */
export function inRecords(hello: Buffer, sizes: readonly number[]): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  let at = 0
  for (const size of [...sizes, Infinity]) {
    if (at < message.length) records.push(record(message.subarray(at, at + size)))
    at += size
  }
  return Buffer.concat(records)
}

/** `sizes` are taken in turn; without any, it is one piece. */
export function inPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}
