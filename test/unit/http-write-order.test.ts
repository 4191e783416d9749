/** What an HTTP/1 connection writes in its several ways, in the same turn and in others, arrives once and in order. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { Deadlines } from '../../src/http/connection/deadlines.ts'
import { Http1Connection } from '../../src/http/connection/http1-connection.ts'
import { createAuthority } from '../support/certificates.ts'
import { eventually, turn } from '../support/until.ts'

const deadlines = new Deadlines()

class Writer extends Http1Connection {
  readonly streams = false

  constructor(socket: Socket) {
    super(socket, null, deadlines)
  }

  finish(): void {
    this.endSocket()
  }

  giveUp(): void {
    this.destroySocket()
  }

  received(): void {}
  protected peerEnded(): void {}
  protected broken(): void {}
  protected tunnelClosed(): void {}
  protected writable(): void {}
  expire(): void {}
  fault(error: unknown): void {
    throw error
  }
}

/** The peer reads nothing before it is resumed. */
async function pair(t: TestContext, secure: boolean): Promise<readonly [Writer, Socket]> {
  const { cert, key } = createAuthority(t).issue('localhost')
  const form = { pauseOnConnect: !secure, allowHalfOpen: true }
  const server = secure ? createTlsServer({ ...form, cert, key }) : createServer(form)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const target = { port: (server.address() as AddressInfo).port, host: '127.0.0.1' }
  const socket: Socket = secure
    ? connectTls({ ...target, rejectUnauthorized: false })
    : connect(target)
  const [peer] = (await once(server, secure ? 'secureConnection' : 'connection')) as [Socket]
  await eventually(() => !socket.connecting, 'the connection')
  peer.on('error', () => {})
  t.after(() => {
    socket.destroy()
    peer.destroy()
    server.close()
  })
  return [new Writer(socket), peer]
}

/** mulberry32 */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Numbers one after the other, so that a piece that is lost, repeated or misplaced shows. */
function createNumbers(): (bytes: number) => string {
  let next = 0
  return (bytes) => {
    let text = ''
    while (text.length < bytes) text += `${(next++).toString(36)}\xb7`
    return text
  }
}

/** One write in a way that chance chooses. Returns what it is. */
function write(
  writer: Writer,
  numbers: (bytes: number) => string,
  random: (below: number) => number,
): string {
  const text = numbers([5, 300, 9_000, 20_000, 150_000][random(5)] ?? 0)
  switch (random(5)) {
    case 0:
      writer.writeJoined('<', Buffer.from(text, 'latin1'), '>')
      return `<${text}>`
    case 1:
      writer.writeJoined('', Buffer.from(text, 'latin1'), '')
      return text
    case 2:
      writer.writeJoined('(', text, ')')
      return `(${text})`
    case 3:
      writer.tunnelData(Buffer.from(text, 'latin1'))
      return text
    default:
      writer.writeText(text)
      return text
  }
}

async function checkOrder(t: TestContext, seed: number, secure: boolean): Promise<void> {
  const random = randomOf(seed)
  const numbers = createNumbers()
  const [writer, peer] = await pair(t, secure)
  const received: string[] = []
  peer.on('data', (data: Buffer) => {
    received.push(data.toString('latin1'))
    if (random(3) > 0) return
    peer.pause()
    setImmediate(() => peer.resume())
  })
  peer.pause()
  const ended = once(peer, 'end')
  let sent = ''
  const readsFrom = random(100)

  for (let step = 0; step < 100; step++) {
    if (step === readsFrom) peer.resume()
    for (let count = random(4); count > 0; count--) sent += write(writer, numbers, random)
    if (random(2) === 0) await turn()
  }
  // In the same turn as the last texts.
  const last = numbers(10)
  sent += last
  writer.writeText(last)
  writer.finish()
  peer.resume()
  await ended

  const all = received.join('')
  assert.equal(all.length, sent.length, `seed ${seed}`)
  assert.ok(all === sent, `seed ${seed}: the same bytes`)
  assert.equal(writer.unwritten, 0)
}

for (const secure of [false, true]) {
  test(`what is written arrives once and in order, and before the end, ${secure ? 'TLS' : 'plain'}`, async (t) => {
    for (let seed = 1; seed <= 4; seed++) await checkOrder(t, seed, secure)
  })
}

test('a text that waits is not sent on a connection that has been given up', async (t) => {
  const [writer, peer] = await pair(t, false)
  const received: Buffer[] = []
  peer.on('data', (data: Buffer) => received.push(data))
  const closed = once(peer, 'close')
  peer.resume()

  writer.writeText('late')
  writer.giveUp()
  await turn()
  peer.end()
  await closed

  assert.deepEqual(received, [])
  assert.equal(writer.unwritten, 0)
})
