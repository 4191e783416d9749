// Large gRPC messages and readers that are slow: what Sluice holds of them is bounded by its windows, and all of it arrives.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { frameMessage } from '../../src/http/grpc/frame.ts'
import type { TestGateway } from '../support/gateway.ts'
import { openHttp2Client, type Http2Client } from '../support/http2/client.ts'
import { SETTING, windowUpdateFrame } from '../support/http2/frames.ts'
import type { Http2Peer } from '../support/http2/peer.ts'
import {
  startHttp2Server,
  type Http2Request,
  type Http2Server,
  type Http2ServerOptions,
} from '../support/http2/server.ts'
import { towardsHttp2 } from '../support/http2-servers.ts'

const KIB = 1024
const MIB = 1024 * KIB
const CALL = [['content-type', 'application/grpc']] as const
/** What a peer gives that announces nothing. */
const DEFAULT_WINDOW = 65_535
/** Of each side of Sluice, per stream. */
const WINDOW = 64 * KIB
/** The part of a message that waits to be sent, and another in the midst of Sluice. */
const SLACK = 32 * KIB
const PART = 16 * KIB
const CALLS = 8
const LARGE: Buffer = frameMessage(Buffer.alloc(4 * MIB, 'large message '))

async function startScene(
  t: TestContext,
  script: (request: Http2Request) => void | Promise<void>,
  options: Http2ServerOptions = {},
): Promise<{ readonly server: Http2Server; readonly gateway: TestGateway }> {
  const server = await startHttp2Server(t, script, options)
  const backend = { http2: { window: '64KiB' } }
  return { server, gateway: await towardsHttp2(t, { servers: server.port, backend }) }
}

function call(client: Http2Client, path: string, end: boolean): number {
  const fields = [...CALL, ['te', 'trailers'] as const]
  return client.request({ method: 'POST', path, fields, end })
}

/** What has been sent of all messages, and of each one the part that waits to be. */
interface Sent {
  bytes: number
}

/** Sends the message as far as Sluice takes it. The test may end before it is sent. */
async function sendLarge(
  peer: Http2Peer,
  streamId: number,
  message: Buffer,
  sent: Sent,
): Promise<void> {
  try {
    for (let at = 0; at < message.length; at += PART) {
      const part = message.subarray(at, at + PART)
      sent.bytes += part.length
      await peer.sendBody(streamId, part, { end: false })
    }
  } catch {
    return
  }
}

async function respondLarge(request: Http2Request, message: Buffer, sent: Sent): Promise<void> {
  const { connection, streamId } = request
  request.respond({ fields: CALL, end: false })
  await sendLarge(connection, streamId, message, sent)
  await connection.sendBody(streamId, '', { trailers: [['grpc-status', '0']] })
}

/** What has been sent once it stays while the peer and Sluice answer each other. */
async function settled(peer: Http2Peer, sent: Sent): Promise<number> {
  let last = -1
  for (let same = 0; same < 5; same = sent.bytes === last ? same + 1 : 0) {
    last = sent.bytes
    assert.ok(await peer.roundTrip(), 'the connection is open')
  }
  return last
}

function bodyOf(client: Http2Client, streamId: number): Buffer {
  return client.streams.get(streamId)?.body ?? Buffer.alloc(0)
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test('of large responses whose client opens no window only a window each is held', async (t) => {
  const total: Sent = { bytes: 0 }
  const { server, gateway } = await startScene(t, (request) =>
    request.value(':path') === '/small'
      ? request.respond({ fields: CALL, body: 'small', trailers: [['grpc-status', '0']] })
      : respondLarge(request, LARGE, total),
  )
  const client = await openHttp2Client(t, gateway.port, { opensWindows: false })
  const other = await openHttp2Client(t, gateway.port)

  const ids = Array.from({ length: CALLS }, () => call(client, '/large', true))
  await server.request(CALLS)
  const [connection = assert.fail()] = server.connections
  const sent = await settled(connection, total)
  const small = await other.response(call(other, '/small', true))
  const arrived = client.received()

  assert.equal(server.connections.length, 1)
  assert.ok(sent >= DEFAULT_WINDOW, 'the server sends')
  const held = sent - arrived
  assert.ok(held <= CALLS * (WINDOW + SLACK), `${held} bytes of ${CALLS} calls are held`)
  assert.equal(small.body, 'small')
  client.send(
    windowUpdateFrame(0, CALLS * LARGE.length),
    ...ids.map((id) => windowUpdateFrame(id, LARGE.length)),
  )
  for (const id of ids) {
    await client.ended(id)
    assert.equal(hashOf(bodyOf(client, id)), hashOf(LARGE))
  }
})

test('of large requests whose server opens no window only windows are held', async (t) => {
  const { server, gateway } = await startScene(t, () => {}, { opensWindows: false })
  const client = await openHttp2Client(t, gateway.port)
  const ids = Array.from({ length: CALLS }, () => call(client, '/large', false))
  await server.request(CALLS)

  const total: Sent = { bytes: 0 }
  const sending = ids.map((id) => sendLarge(client, id, LARGE, total))
  const [connection = assert.fail()] = server.connections
  await server.until(() => connection.received() >= DEFAULT_WINDOW, 'the window is full')
  const sent = await settled(client, total)

  const ofClients = Number(client.settings.get(SETTING.initialWindowSize) ?? DEFAULT_WINDOW)
  const held = sent - connection.received()
  assert.ok(held <= CALLS * (ofClients + SLACK), `${held} bytes of ${CALLS} calls are held`)
  connection.send(
    windowUpdateFrame(0, CALLS * LARGE.length),
    ...server.requests.map(({ streamId }) => windowUpdateFrame(streamId, LARGE.length)),
  )
  await Promise.all(sending)
  for (const id of ids) await client.sendBody(id, '')
  for (const request of server.requests) {
    await request.whole()
    assert.equal(hashOf(request.stream.body), hashOf(LARGE))
    request.respond({ fields: CALL, trailers: [['grpc-status', '0']] })
  }
  for (const id of ids) assert.deepEqual((await client.ended(id)).trailers, [['grpc-status', '0']])
})

test('a client that opens its windows and reads nothing stops the server', async (t) => {
  const size = 64 * MIB
  const total: Sent = { bytes: 0 }
  const { server, gateway } = await startScene(t, (request) =>
    respondLarge(request, Buffer.alloc(size), total).catch(() => {}),
  )
  const client = await openHttp2Client(t, gateway.port, {
    opensWindows: false,
    settings: [[SETTING.initialWindowSize, 2 ** 31 - 1]],
  })
  client.send(windowUpdateFrame(0, 2 * size))
  call(client, '/large', true)
  client.stopReading()
  await server.request(1)
  const [connection = assert.fail()] = server.connections

  const sent = await settled(connection, total)

  // What the kernel's buffers hold between the two is most of it.
  assert.ok(sent < size / 2, `the server could send ${sent} bytes`)
})
