/** What a peer may keep waiting: each wait of a link has a time limit, by a clock that the tests set, and others go on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clock } from '../../src/http/connection/clock.ts'
import { requestFields } from '../support/http2/client.ts'
import {
  headersFrame,
  pingFrame,
  PREFACE,
  TYPE,
  windowUpdateFrame,
} from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { startLinkedClient, type TestServer, type TestStream } from '../support/http2/links.ts'
import { eventually } from '../support/until.ts'

const HEAD = block(...requestFields())

function servesLarge(stream: TestStream): void {
  stream.sendResponse(200, -1, '', false)
  stream.sendData('x'.repeat(100_000), true)
}

/** Lets so much time pass for the deadlines. */
function pass(server: TestServer, ms: number): void {
  // After a late tick the next one checks.
  for (let tick = 0; tick < 2; tick++) server.deadlines.tick(performance.now() + ms)
}

test('a preface that does not come ends the connection', async (t) => {
  const { client, server, link } = await startLinkedClient(
    t,
    {},
    { preface: false, acksSettings: false },
  )

  pass(server, 9_000)
  assert.ok(!link.isLost)
  pass(server, 11_000)

  assert.equal(await client.connectionOutcome(), 'goaway protocol')
})

test('half a preface ends the connection in time', async (t) => {
  const { client, server, link } = await startLinkedClient(
    t,
    {},
    { preface: false, acksSettings: false },
  )
  client.send(PREFACE.slice(0, 12))
  await eventually(() => link.socket.bytesRead === 12, 'half a preface')

  pass(server, 11_000)

  assert.equal(await client.connectionOutcome(), 'goaway protocol')
  assert.deepEqual(link.log.slice(0, 1), ['malformed 0: a frame did not arrive in time'])
})

test('SETTINGS that do not come behind the preface end the connection', async (t) => {
  const { client, server, link } = await startLinkedClient(
    t,
    {},
    { preface: false, acksSettings: false },
  )
  client.send(PREFACE)
  await eventually(() => link.socket.bytesRead === PREFACE.length, 'the preface')

  pass(server, 4_000)
  assert.ok(!link.isLost)
  pass(server, 6_000)

  assert.equal(await client.connectionOutcome(), 'goaway settingsTimeout')
})

test('SETTINGS that are not acknowledged end the connection', async (t) => {
  const { client, server } = await startLinkedClient(t, {}, { acksSettings: false })
  await client.roundTrip()

  pass(server, 6_000)

  assert.equal(await client.connectionOutcome(), 'goaway settingsTimeout')
})

test('half a frame ends the connection in time', async (t) => {
  const { client, server, link } = await startLinkedClient(t)
  await client.roundTrip()
  const before = link.socket.bytesRead
  client.send(headersFrame(1, HEAD).subarray(0, 20))
  await eventually(() => link.socket.bytesRead === before + 20, 'half a frame')

  pass(server, 11_000)

  assert.equal(await client.connectionOutcome(), 'goaway protocol')
  assert.equal(link.all.length, 0)
})

test('a head that does not end has a time limit, whole frames apart', async (t) => {
  const { client, server, link } = await startLinkedClient(t)
  await client.roundTrip()

  pass(server, 60_000)
  assert.ok(!link.closing)
  client.send(headersFrame(1, HEAD, { open: true }))
  await client.frame(TYPE.settings)
  await eventually(() => link.deadlineAt !== Infinity, 'a deadline')
  pass(server, 11_000)

  assert.equal(await client.connectionOutcome(), 'goaway protocol')
})

test('the time limit is for one frame, however often reads end within another one', async (t) => {
  const { client, server, link } = await startLinkedClient(t)
  await client.roundTrip()
  const real = performance.now.bind(performance)
  let ahead = 0
  t.mock.method(performance, 'now', () => real() + ahead)
  const ping = pingFrame('pingpong', true)
  const send = async (bytes: Buffer): Promise<void> => {
    const before = link.socket.bytesRead
    client.send(bytes)
    await eventually(() => link.socket.bytesRead >= before + bytes.length, 'the bytes')
    ahead += 6_000
    pass(server, 0)
    await eventually(() => clock.now >= real() + ahead - 1_000, 'the clock')
  }
  const within = Buffer.concat([ping.subarray(5), ping.subarray(0, 5)])

  await send(ping.subarray(0, 5))
  for (let turn = 0; turn < 3; turn++) await send(within)
  assert.ok(!link.closing)
  await send(Buffer.from(ping.subarray(5, 6)))

  assert.equal(await client.connectionOutcome(), 'goaway protocol')
})

test('a stream whose window stays closed is reset, others go on', async (t) => {
  const { client, server, link } = await startLinkedClient(
    t,
    {
      serve: (stream) => {
        stream.sendResponse(200, -1, '', false)
        stream.sendData(stream.path === '/large' ? 'x'.repeat(100_000) : 'y', true)
      },
    },
    { settings: [[4, 1_000]], opensWindows: false },
  )
  const stalled = client.request({ path: '/large' })
  await eventually(() => client.streams.get(stalled)?.body.length === 1_000, 'a window of data')

  pass(server, 29_000)
  assert.equal(link.streamCount, 1)
  pass(server, 31_000)

  assert.equal(await client.outcome(stalled), 'reset cancel')
  assert.match(link.all[0]?.outcome ?? '', /^reset 8: the peer does not read/)
  assert.equal((await client.ask()).body, 'y')
})

test('streams that wait for the window of the connection are reset', async (t) => {
  const { client, server, link } = await startLinkedClient(
    t,
    { serve: servesLarge },
    { settings: [[4, 1_000_000]], opensWindows: false },
  )
  const [first, second] = [client.request(), client.request()]
  await eventually(
    () =>
      [first, second].reduce((sum, id) => sum + (client.streams.get(id)?.body.length ?? 0), 0) ===
      65_535,
    'the window of the connection',
  )

  pass(server, 31_000)

  assert.deepEqual(await Promise.all([client.outcome(first), client.outcome(second)]), [
    'reset cancel',
    'reset cancel',
  ])
  assert.equal(link.streamCount, 0)
})

test('a peer that lets many streams stall is cut off', async (t) => {
  const { client, server, link } = await startLinkedClient(
    t,
    { serve: servesLarge },
    { settings: [[4, 0]], opensWindows: false },
  )
  const ids = Array.from({ length: 20 }, () => client.request())
  await eventually(() => client.streams.get(ids.at(-1) ?? 0)?.head.length, 'the heads')

  pass(server, 31_000)

  assert.equal(await client.connectionOutcome(), 'goaway enhanceYourCalm')
  assert.match(
    link.log.filter((line) => line.startsWith('abused')).join(),
    /responses that are not taken/,
  )
  assert.equal(link.streamCount, 0)
})

for (const [streams, why] of [
  [4, 'the peer does not read what is sent'],
  [20, 'too many responses that are not taken'],
] as const) {
  test(`a peer that does not read ${streams} responses is cut off (CVE-2019-9517), and holds a bounded amount`, async (t) => {
    const { client, server, link } = await startLinkedClient(t, {
      serve: (stream) => {
        stream.sendResponse(200, -1, '', false)
        const chunk = 'x'.repeat(64 * 1024)
        stream.onWritable = () => {
          while (stream.sendData(chunk, false));
        }
        stream.onWritable()
      },
    })
    await client.roundTrip()
    client.send(windowUpdateFrame(0, 1_000_000_000))
    client.stopReading()
    for (let index = 0; index < streams; index++) {
      const id = client.request()
      client.send(windowUpdateFrame(id, 1_000_000_000))
    }
    await eventually(() => link.blocked && link.streamCount === streams, 'back-pressure')

    assert.ok(link.socket.writableLength < 1_000_000, String(link.socket.writableLength))
    pass(server, 31_000)

    await eventually(() => link.isLost, 'the end')
    assert.deepEqual(new Set(link.all.map((stream) => stream.outcome)), new Set([`lost: ${why}`]))
  })
}
