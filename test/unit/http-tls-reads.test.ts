import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { LARGE_BYTES, LENT_BYTES } from '../../src/http/connection/socket-reads.ts'
import { readsOfTls } from '../../src/http/connection/tls-reads.ts'
import { createAuthority } from '../support/certificates.ts'

async function openPair(t: TestContext): Promise<{ client: TLSSocket; accepted: TLSSocket }> {
  const { cert, key } = createAuthority(t).issue('localhost')
  const server = createServer({ cert, key })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  t.after(() => {
    client.destroy()
    server.close()
  })
  const [accepted] = (await once(server, 'secureConnection')) as [TLSSocket]
  t.after(() => accepted.destroy())
  return { client, accepted }
}

test('reads a TLS socket into the buffers that all sockets share', async (t) => {
  const { client, accepted } = await openPair(t)
  const reads = readsOfTls(accepted)
  assert.ok(reads !== null, 'this Node calls the properties of sockets otherwise')
  const sent = randomBytes(1024 * 1024)
  const received: Buffer[] = []
  const sizes = new Set<number>()
  const reader = {
    streams: false,
    received(buffer: Buffer, length: number): void {
      sizes.add(buffer.length)
      received.push(Buffer.from(buffer.subarray(0, length)))
      this.streams = length === LENT_BYTES
      if (received.length % 10 !== 0) return
      accepted.pause()
      setImmediate(() => accepted.resume())
    },
    caught: assert.ifError,
  }
  reads.reader = reader
  accepted.resume()

  const ended = once(accepted, 'end')
  client.end(sent)
  await ended

  assert.ok(Buffer.concat(received).equals(sent))
  assert.deepEqual(
    [...sizes].sort((one, other) => other - one),
    [LARGE_BYTES, LENT_BYTES],
  )
})

test('leaves a socket alone that is read otherwise', async (t) => {
  const { accepted } = await openPair(t)

  assert.ok(readsOfTls(accepted) !== null)
  assert.equal(readsOfTls(accepted), null, 'it has its reads already')
  assert.equal(readsOfTls(new Socket()), null, 'it has no handle')
})
