/** A link of a client with a server of raw frames: what a response may be, and what a server may do to a connection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import {
  dataFrame,
  goAwayFrame,
  headersFrame,
  resetFrame,
  settingsFrame,
} from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import { type LinkShape, openLink, type TestLink, type TestStream } from '../support/http2/links.ts'
import { type Http2Request, startHttp2Server } from '../support/http2/server.ts'
import { eventually } from '../support/until.ts'

type Respond = (request: Http2Request) => void

async function open(t: TestContext, respond: Respond, shape: LinkShape = {}): Promise<TestLink> {
  const server = await startHttp2Server(t, respond)
  return (await openLink(t, server.port, shape)).link
}

async function over(stream: TestStream): Promise<string> {
  await eventually(() => stream.ended || stream.outcome !== null, 'the end of the stream')
  return stream.outcome ?? 'ended'
}

const status = (code: string, ...fields: (readonly [string, string])[]): Buffer =>
  block([':status', code], ...fields)

test('interim heads, the final one, data and trailers are passed on in order', async (t) => {
  const link = await open(t, ({ connection, streamId }) => {
    connection.send(
      headersFrame(streamId, status('103', ['link', '<a>'])),
      headersFrame(streamId, status('200', ['content-length', '4'])),
      dataFrame(streamId, 'ab', { padding: 7 }),
      dataFrame(streamId, 'cd'),
      headersFrame(streamId, block(['x-sum', '1']), { end: true }),
    )
  })

  const stream = await link.ask().whole()

  assert.deepEqual(
    [stream.statuses, String(stream.body), stream.trailers],
    [[103, 200], 'abcd', 'x-sum: 1\r\n'],
  )
  assert.ok(stream.reads >= 1)
})

test('a length without a body is in order for HEAD, 204 and 304', async (t) => {
  for (const [method, code] of [
    ['HEAD', '200'],
    ['GET', '304'],
    ['GET', '204'],
  ] as const) {
    const link = await open(t, ({ connection, streamId }) =>
      connection.send(headersFrame(streamId, status(code, ['content-length', '4']), { end: true })),
    )

    assert.equal(await over(link.ask({ method })), 'ended')
  }
})

const MALFORMED: readonly (readonly [what: string, outcome: RegExp, respond: Respond])[] = [
  [
    'a body that is shorter than announced',
    /^reset 1: the body is shorter than Content-Length$/,
    ({ connection, streamId }) =>
      connection.send(
        headersFrame(streamId, status('200', ['content-length', '4'])),
        dataFrame(streamId, 'abc', { end: true }),
      ),
  ],
  [
    'a body that is longer than announced',
    /^reset 1: the body is longer than Content-Length$/,
    ({ connection, streamId }) =>
      connection.send(
        headersFrame(streamId, status('200', ['content-length', '4'])),
        dataFrame(streamId, 'abcde'),
      ),
  ],
  [
    'a body behind HEAD',
    /^reset 1: the body is longer than Content-Length$/,
    ({ connection, streamId }) =>
      connection.send(headersFrame(streamId, status('304')), dataFrame(streamId, 'x')),
  ],
  [
    'no body where one is announced',
    /^reset 1: Content-Length announces a body, and there is none$/,
    ({ connection, streamId }) =>
      connection.send(
        headersFrame(streamId, status('200', ['content-length', '4']), { end: true }),
      ),
  ],
  [
    'data before the head',
    /^reset 1: DATA comes before the head$/,
    ({ connection, streamId }) => connection.send(dataFrame(streamId, 'x')),
  ],
  [
    'an interim head that ends the stream',
    /^reset 1: an interim response ends its stream$/,
    ({ connection, streamId }) =>
      connection.send(headersFrame(streamId, status('103'), { end: true })),
  ],
  [
    'a switch of protocols',
    /^reset 1: :status is not a status$/,
    ({ connection, streamId }) => connection.send(headersFrame(streamId, status('101'))),
  ],
  [
    'a second final head',
    /^reset 1: a second head does not end the stream$/,
    ({ connection, streamId }) =>
      connection.send(
        headersFrame(streamId, status('200')),
        headersFrame(streamId, block(['x', '1'])),
      ),
  ],
  [
    'a field of HTTP/1',
    /^reset 1: transfer-encoding is not part of HTTP\/2$/,
    ({ connection, streamId }) =>
      connection.send(headersFrame(streamId, status('200', ['transfer-encoding', 'chunked']))),
  ],
  [
    'a head that is too large',
    /^reset 11: the head is larger than the 10 fields/,
    ({ connection, streamId }) =>
      connection.send(
        headersFrame(streamId, status('200', ...Array<[string, string]>(20).fill(['x', '1']))),
      ),
  ],
]

for (const [what, outcome, respond] of MALFORMED) {
  test(`${what} resets the stream, and its neighbour goes on`, async (t) => {
    const link = await open(
      t,
      (request) => (request.value(':path') === '/good' ? request.respond() : respond(request)),
      { settings: { fields: 10 } },
    )

    const [bad, good] = [link.ask(), link.ask({ path: '/good' })]

    assert.match(await over(bad), outcome)
    assert.equal(await over(good), 'ended')
  })
}

test('streams above the last id of GOAWAY were not processed, others end well', async (t) => {
  const link = await open(t, (request) => {
    if (request.streamId === 3) {
      request.connection.send(goAwayFrame(1, 0, 'bye'))
      request.connection.respond(1)
    }
  })

  const [first, second] = [link.ask(), link.ask()]

  assert.deepEqual([await over(first), await over(second)], ['ended', 'reset 7'])
  assert.equal(link.canOpen, false)
  assert.ok(link.log.includes('goaway 1 0 bye'))
})

test('a reset behind a whole response ends the request, not the response', async (t) => {
  const link = await open(t, (request) => {
    request.respond({ status: 413, body: 'no' })
    request.connection.send(resetFrame(request.streamId, 0))
  })

  const stream = link.ask({ method: 'POST', ends: false })

  assert.equal(await over(stream), 'ended')
  assert.equal(stream.sendData('more', false), true)
  await eventually(() => link.streamCount === 0, 'the end of the stream')
})

test('a server that speaks HTTP/1 is named', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { link } = await openLink(t, (server.address() as AddressInfo).port)
  const stream = link.ask()

  assert.equal(await over(stream), 'lost: the peer speaks HTTP/1, not HTTP/2')
})

test('a server that says nothing, and one that does not answer a PING, are given up', async (t) => {
  const silent = createServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => silent.close())
  const { link, deadlines } = await openLink(t, (silent.address() as AddressInfo).port)
  for (let tick = 0; tick < 2; tick++) deadlines.tick(performance.now() + 6_000)
  await eventually(() => link.closing, 'the end')

  const mute = await startHttp2Server(t, () => {}, { answersPings: false })
  const other = await openLink(t, mute.port)
  await eventually(() => other.link.isReady, 'SETTINGS')
  const stream = other.link.ask()
  other.link.ping(1_000, () => {})
  for (let tick = 0; tick < 2; tick++) other.deadlines.tick(performance.now() + 2_000)

  assert.equal(await over(stream), 'lost: the peer did not answer a PING in time')
})

test('a PING is answered, and a smaller window of the server holds data back', async (t) => {
  const server = await startHttp2Server(t, () => {}, {
    settings: [[4, 10]],
    opensWindows: false,
  })
  const { link } = await openLink(t, server.port)
  await eventually(() => link.isReady, 'SETTINGS')
  const stream = link.ask({ method: 'POST', ends: false })

  assert.equal(stream.sendData('x'.repeat(25), true), false)
  const request = await server.request(1)
  await eventually(() => request.stream.body.length === 10, 'a window of data')
  let isAnswered = false
  link.ping(10_000, () => (isAnswered = true))
  await eventually(() => isAnswered, 'the answer')
  request.connection.send(settingsFrame([4, 25]))
  await request.whole()

  assert.equal(request.stream.body.length, 25)
})
