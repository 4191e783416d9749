/** Frames of data that arrive in pieces: a message is whole when its last byte is here, not when the last frame begins. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openHttp2Client, requestFields } from '../support/http2/client.ts'
import { dataFrame, ERROR, headersFrame, TYPE } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import {
  openLink,
  startLinkServer,
  type TestLink,
  type TestStream,
} from '../support/http2/links.ts'
import type { Http2Peer } from '../support/http2/peer.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { eventually } from '../support/until.ts'

const BODY = Buffer.from(Array.from({ length: 16_384 }, (_, at) => at & 0xff))
/** Of its one frame with its header. */
const FIRST_PIECE = 5_009

interface Receiving {
  readonly link: TestLink
  readonly stream: TestStream
  send(bytes: Buffer): void
  /** The sender sends FIN. */
  end(): void
  /** The sender's socket is reset. */
  reset(): void
}

function receiving(link: TestLink, stream: TestStream, sender: Http2Peer): Receiving {
  return {
    link,
    stream,
    send: (bytes) => sender.send(bytes),
    end: () => sender.end(),
    reset: () => sender.reset(),
  }
}

/** The role that receives a message whose body is one frame, sent as a test says; the head has arrived. */
type Receive = (t: TestContext) => Promise<Receiving>

async function request(t: TestContext): Promise<Receiving> {
  const server = await startLinkServer(t)
  const client = await openHttp2Client(t, server.port)
  // Otherwise an acknowledgement could fall into the frame.
  await client.roundTrip()
  const link = await server.link()
  client.send(headersFrame(1, block(...requestFields({ method: 'POST' }))))
  await eventually(() => link.all.length === 1, 'the request')
  const [stream] = link.all
  assert.ok(stream)
  return receiving(link, stream, client)
}

async function response(t: TestContext): Promise<Receiving> {
  const server = await startHttp2Server(t, ({ connection, streamId }) =>
    connection.send(headersFrame(streamId, block([':status', '200']))),
  )
  const { link } = await openLink(t, server.port)
  const stream = link.ask()
  const { connection } = await server.request(1)
  await connection.roundTrip()
  await eventually(() => stream.statuses.length === 1, 'the head')
  return receiving(link, stream, connection)
}

/** Sends the first piece of the last frame, and waits until it has been read. */
async function begin({ link, send }: Receiving, frame: Buffer): Promise<void> {
  const before = link.socket.bytesRead
  send(frame.subarray(0, FIRST_PIECE))
  await eventually(() => link.socket.bytesRead >= before + FIRST_PIECE, 'the first piece')
}

const ROLES: readonly (readonly [what: string, receive: Receive])[] = [
  ['request', request],
  ['response', response],
]

for (const [what, receive] of ROLES) {
  for (const padding of [undefined, 30]) {
    const padded = padding === undefined ? '' : ', which is padded,'
    test(`a ${what} that is taken again within its last frame${padded} goes on to the end`, async (t) => {
      const receiving = await receive(t)
      const { stream } = receiving
      const body = padding === undefined ? BODY : BODY.subarray(padding + 1)
      const frame = dataFrame(1, body, { end: true, ...(padding === undefined ? {} : { padding }) })
      const ends: boolean[] = []
      stream.onData = (_, ended) => ends.push(ended)
      stream.pauseReceiving()

      await begin(receiving, frame)
      stream.resumeReceiving()
      const before = ends.includes(true)
      receiving.send(frame.subarray(FIRST_PIECE))
      await stream.whole()

      assert.deepEqual([before, ends.indexOf(true)], [false, ends.length - 1])
      assert.ok(stream.body.equals(body))
    })
  }

  test(`a ${what} whose last frame arrives in pieces while nothing is taken is whole afterwards`, async (t) => {
    const receiving = await receive(t)
    const { link, stream } = receiving
    const frame = dataFrame(1, BODY, { end: true })
    stream.pauseReceiving()

    await begin(receiving, frame)
    const before = link.socket.bytesRead
    receiving.send(frame.subarray(FIRST_PIECE))
    await eventually(
      () => link.socket.bytesRead >= before + frame.length - FIRST_PIECE,
      'the second piece',
    )
    stream.resumeReceiving()
    await stream.whole()

    assert.ok(stream.body.equals(BODY))
  })

  for (const how of ['end', 'reset'] as const) {
    for (const isPaused of [false, true]) {
      const taken = isPaused ? 'not taken' : 'taken'
      test(`a ${what} that is ${taken} is lost with its connection (${how}) within the last frame`, async (t) => {
        const receiving = await receive(t)
        const { stream } = receiving
        if (isPaused) stream.pauseReceiving()

        await begin(receiving, dataFrame(1, BODY, { end: true }))
        receiving[how]()
        await eventually(() => stream.outcome !== null, 'the end of the stream')
        stream.resumeReceiving()

        assert.match(stream.outcome ?? '', /^lost: /)
        assert.equal(stream.ended, false)
      })
    }
  }
}

test('a response that ends within the last frame of its request gives the rest up', async (t) => {
  const server = await startLinkServer(t)
  const client = await openHttp2Client(t, server.port)
  // Otherwise an acknowledgement could fall into the frame.
  await client.roundTrip()
  const link = await server.link()
  const frame = dataFrame(1, BODY, { end: true })
  client.send(headersFrame(1, block(...requestFields({ method: 'POST' }))))
  client.send(frame.subarray(0, FIRST_PIECE))
  await eventually(() => (link.all[0]?.chunks.length ?? 0) > 0, 'the first piece')

  link.all[0]?.sendResponse(200, -1, '', true)
  const reset = await client.frame(TYPE.reset, 1)
  client.send(frame.subarray(FIRST_PIECE))

  assert.equal(reset.payload.readUInt32BE(0), ERROR.none)
  assert.equal(await client.roundTrip(), true)
  assert.deepEqual([link.all[0]?.ended, link.all[0]?.outcome], [false, null])
})
