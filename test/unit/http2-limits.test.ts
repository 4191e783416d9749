/** What a peer may cost a link: each flood ends with GOAWAY and is named, and neighbours go on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestFields } from '../support/http2/client.ts'
import {
  continuationFrame,
  dataFrame,
  frame,
  headersFrame,
  pingFrame,
  priorityFrame,
  resetFrame,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from '../support/http2/frames.ts'
import { block, indexed, literal } from '../support/http2/hpack.ts'
import { startLinkedClient, type TestStream } from '../support/http2/links.ts'
import { eventually } from '../support/until.ts'

function head(...fields: readonly (readonly [string, string])[]): Buffer {
  return block(...requestFields({ fields: [...fields] }))
}

const get = (id: number): Buffer => headersFrame(id, head(), { end: true })
const repeat = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)))

const FLOODS: readonly (readonly [what: string, named: RegExp, flood: Buffer])[] = [
  [
    'streams that are opened and reset',
    /^abused: resets$/,
    repeat(100, (index) => Buffer.concat([get(2 * index + 1), resetFrame(2 * index + 1)])),
  ],
  ['PINGs', /PINGs/, repeat(100, () => pingFrame())],
  ['answers to no PING', /acknowledge no PING/, repeat(100, () => pingFrame('pingpong', true))],
  ['SETTINGS', /SETTINGS/, repeat(100, () => settingsFrame([4, 65_535]))],
  [
    'large SETTINGS',
    /SETTINGS/,
    repeat(10, () => settingsFrame(...Array<[number, number]>(100).fill([4, 65_535]))),
  ],
  [
    'SETTINGS that change the windows of many streams',
    /SETTINGS/,
    Buffer.concat([
      repeat(50, (index) => headersFrame(2 * index + 1, head())),
      repeat(20, (index) => settingsFrame([4, index])),
    ]),
  ],
  [
    'PRIORITY',
    /PRIORITY/,
    repeat(100, (index) => priorityFrame(2 * index + 1, { dependsOn: 0, weight: 1 })),
  ],
  ['frames of unknown types', /unknown/, repeat(100, () => frame(0x42, 0, 0, ''))],
  [
    'empty DATA',
    /empty DATA/,
    Buffer.concat([headersFrame(1, head()), repeat(100, () => dataFrame(1, ''))]),
  ],
  ['small credits', /WINDOW_UPDATE/, repeat(100, () => windowUpdateFrame(0, 1))],
  [
    'credits on a closed stream',
    /WINDOW_UPDATEs on closed streams/,
    Buffer.concat([get(1), resetFrame(1), repeat(100, () => windowUpdateFrame(1, 4_096))]),
  ],
  [
    'errors that it provokes (MadeYouReset)',
    /errors, of which the last is: WINDOW_UPDATE of 0/,
    repeat(20, (index) =>
      Buffer.concat([headersFrame(2 * index + 1, head()), windowUpdateFrame(2 * index + 1, 0)]),
    ),
  ],
  [
    'malformed heads',
    /errors, of which the last is: connection is not part of HTTP\/2/,
    repeat(20, (index) => headersFrame(2 * index + 1, head(['connection', 'close']))),
  ],
  [
    'heads that are too large',
    /heads that are larger than the 10 fields or 32768 bytes/,
    repeat(100, (index) =>
      headersFrame(2 * index + 1, head(...Array<[string, string]>(20).fill(['cookie', 'a']))),
    ),
  ],
  [
    'a head in many CONTINUATION frames',
    /CONTINUATION frames of one head, or bytes in them/,
    Buffer.concat([
      headersFrame(1, head(), { open: true }),
      repeat(20, () => continuationFrame(1, '', { open: true })),
    ]),
  ],
  [
    'a head of many bytes',
    /CONTINUATION frames of one head, or bytes in them/,
    Buffer.concat([
      headersFrame(1, head(), { open: true }),
      repeat(6, () => continuationFrame(1, Buffer.alloc(16_000), { open: true })),
    ]),
  ],
  [
    'frames on a stream that was reset',
    /frames on streams that were reset/,
    Buffer.concat([
      headersFrame(1, head(['te', 'gzip'])),
      repeat(100, () => headersFrame(1, literal('x', 'y'))),
    ]),
  ],
]

for (const [what, named, flood] of FLOODS) {
  test(`a flood of ${what} ends the connection, which is named`, async (t) => {
    const { client, link } = await startLinkedClient(t, { settings: { fields: 10 } })

    client.send(flood)
    const { code } = await client.goAway()
    await client.closed()

    assert.equal(code, 11)
    assert.match(link.log.filter((line) => line.startsWith('abused')).join(), named)
    assert.equal(link.streamCount, 0)
    assert.deepEqual(link.faults, [])
  })
}

test('GOAWAY reaches a peer that goes on sending', async (t) => {
  const { client, link } = await startLinkedClient(t)
  const flood = repeat(2_000, () => pingFrame())

  client.send(flood)
  const { code, debug } = await client.goAway()

  assert.deepEqual([code, debug], [11, 'too many PINGs'])
  assert.equal(await client.closed(), 'fin')
  await eventually(() => link.isLost, 'the end')
})

test('data pays for PINGs and small credits, as gRPC sends them', async (t) => {
  const { client, link } = await startLinkedClient(t, {
    serve: (stream) => {
      stream.sendResponse(200, -1, '', false)
      stream.onData = () => {
        stream.sendData('y', false)
        stream.chunks.length = 0
      }
    },
  })
  client.send(headersFrame(1, head()))

  const message = Buffer.concat([
    dataFrame(1, 'x'),
    pingFrame(),
    windowUpdateFrame(0, 1),
    windowUpdateFrame(1, 1),
  ])
  client.send(repeat(500, () => message))
  await eventually(() => client.streams.get(1)?.body.length === 500, 'the messages')

  assert.ok(await client.roundTrip())
  assert.ok(!link.log.some((line) => line.startsWith('abused')))
})

const servesLarge = (stream: TestStream): void => {
  stream.sendResponse(200, -1, '', false)
  stream.sendData('x'.repeat(100_000), true)
}

test('credits of a byte at a time end the connection, though data follows each (CVE-2019-9511)', async (t) => {
  const { client, link } = await startLinkedClient(
    t,
    { serve: servesLarge },
    { settings: [[4, 1]], opensWindows: false },
  )
  const id = client.request()
  await eventually(() => client.streams.get(id)?.body.length === 1, 'the first byte')

  for (let credit = 0; credit < 500 && client.ending() === null; credit += 10) {
    client.send(repeat(10, () => windowUpdateFrame(id, 1)))
    await client.roundTrip()
  }

  assert.equal(await client.connectionOutcome(), 'goaway enhanceYourCalm')
  assert.match(link.log.filter((line) => line.startsWith('abused')).join(), /small WINDOW_UPDATEs/)
})

test('a stream above the limit is refused, and the connection goes on', async (t) => {
  const open: TestStream[] = []
  const { client } = await startLinkedClient(t, {
    settings: { maxStreams: 2 },
    serve: (stream) => open.push(stream),
  })

  client.send(get(1), get(3), get(5))

  assert.equal(await client.outcome(5), 'reset refusedStream')
  assert.deepEqual(
    open.map((stream) => stream.id),
    [1, 3],
  )
  for (const stream of open) stream.sendResponse(200, 0, '', true)
  assert.equal(await client.outcome(3), '200')
  client.send(get(7))
  await eventually(() => open.length === 3, 'a further stream')
})

test('the rest of a request behind an early response is swallowed, and the window given back', async (t) => {
  const { client, link } = await startLinkedClient(t, {
    settings: { connectionWindow: 100_000 },
    serve: (stream) => stream.sendResponse(413, 0, '', true),
  })
  const id = client.request({ method: 'POST', end: false })
  assert.equal(await client.outcome(id), '413')
  const stream = await client.ended(id)
  await eventually(() => stream.resetCode === 0, 'RST_STREAM with NO_ERROR')

  client.send(repeat(6, () => dataFrame(id, Buffer.alloc(10_000))))
  client.send(
    headersFrame(id, literal('x-late', 'kept', { indexing: 'incremental' }), { end: true }),
  )

  assert.ok(await client.roundTrip())
  assert.ok(client.frames.some((one) => one.type === TYPE.windowUpdate && one.streamId === 0))
  // The table of the decoder has the field of the dropped trailers.
  client.send(headersFrame(3, Buffer.concat([head(), indexed(62)]), { end: true }))
  assert.equal(await client.outcome(3), '413')
  assert.equal(link.all[1]?.fields, 'x-late: kept\r\n')
})

test('an exception of a stream ends that stream alone', async (t) => {
  const { client, link } = await startLinkedClient(t, {
    serve: (stream) => {
      if (stream.path === '/fault') throw new Error('of this stream')
      stream.sendResponse(200, 0, '', true)
    },
  })
  const [bad, good] = [client.request({ path: '/fault' }), client.request()]

  assert.deepEqual(await Promise.all([client.outcome(bad), client.outcome(good)]), [
    'reset internal',
    '200',
  ])
  assert.equal(link.all[0]?.outcome, 'fault: Error: of this stream')
  assert.deepEqual(link.faults, [])
})
