/** Links of both roles with each other, and with node:http2 in each role. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { openLink, startLinkServer, type TestStream } from '../support/http2/links.ts'
import { eventually } from '../support/until.ts'

/** Sends the request's body back, at the speed of its reader. */
function echo(stream: TestStream): void {
  stream.sendResponse(200, -1, `X-Path: ${stream.path}\r\n`, stream.ended)
  stream.onData = (_, ended) => {
    const chunk = stream.chunks.shift() ?? Buffer.alloc(0)
    const trailers = stream.trailers
    if (trailers === null) stream.takes = stream.sendData(chunk, ended)
    else stream.sendTrailers(trailers)
  }
  stream.onWritable = () => {
    stream.takes = true
    stream.resumeReceiving()
  }
}

test('a request without a body gets its response, and the next ones on the same connection', async (t) => {
  const server = await startLinkServer(t, {
    serve: (stream) => {
      stream.sendResponse(200, 5, 'Server: x\r\n', false)
      stream.sendData('hello', true)
    },
  })
  const { link } = await openLink(t, server.port)

  for (let round = 0; round < 5; round++) {
    const asked = await link.ask({ path: `/${round}`, fields: 'X-A: 1\r\n' }).whole()
    assert.deepEqual(
      [asked.statuses, asked.fields, String(asked.body)],
      [[200], 'server: x\r\n', 'hello'],
    )
  }

  const { all } = await server.link()
  assert.deepEqual(
    all.map((stream) => [stream.method, stream.path, stream.authority, stream.fields]),
    [0, 1, 2, 3, 4].map((round) => ['GET', `/${round}`, 'test.example', 'x-a: 1\r\n']),
  )
  assert.equal(link.streamCount, 0)
})

test('a large body goes through both windows in both directions, and comes back unchanged', async (t) => {
  const server = await startLinkServer(t, { serve: echo })
  const { link } = await openLink(t, server.port, { settings: { streamWindow: 70_000 } })
  const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 251))

  const stream = link.ask({ method: 'POST', ends: false })
  let sent = 0
  const send = (): void => {
    for (let goes = true; goes && sent < body.length;) {
      const to = Math.min(sent + 100_000, body.length)
      goes = stream.sendData(body.subarray(sent, to), false)
      sent = to
    }
    if (sent === body.length && !stream.localEnded) stream.sendTrailers('X-Sum: 7\r\n')
  }
  stream.onWritable = send
  send()
  await stream.whole()

  assert.ok(stream.body.equals(body))
  assert.equal(stream.trailers, 'x-sum: 7\r\n')
  assert.equal(link.streamCount, 0)
})

test('many streams at once come back each with its own', async (t) => {
  const server = await startLinkServer(t, { serve: echo })
  const { link } = await openLink(t, server.port)
  const bodies = Array.from({ length: 90 }, (_, index) => String(index).repeat(index * 111))

  const streams = bodies.map((body) => {
    const stream = link.ask({ method: 'POST', ends: false })
    stream.sendData(body, true)
    return stream
  })
  await Promise.all(streams.map((stream) => stream.whole()))

  assert.deepEqual(
    streams.map((stream) => String(stream.body)),
    bodies,
  )
})

test('a stream whose taker waits holds one window, and no other stream', async (t) => {
  const server = await startLinkServer(t, {
    serve: (stream) => {
      stream.sendResponse(200, -1, '', false)
      stream.sendData('x'.repeat(1_000_000), true)
    },
  })
  const { link } = await openLink(t, server.port)
  const slow = link.ask()
  slow.pauseReceiving()
  const others = await Promise.all([link.ask().whole(), link.ask().whole()])

  assert.deepEqual(
    others.map((stream) => stream.body.length),
    [1_000_000, 1_000_000],
  )
  assert.deepEqual([slow.statuses, slow.body.length], [[200], 0])
  slow.resumeReceiving()
  await slow.whole()
  assert.equal(slow.body.length, 1_000_000)
})

test('a response that is here completely outlives its connection', async (t) => {
  const server = await startLinkServer(t, {
    serve: (stream) => {
      stream.sendResponse(200, 5, '', false)
      stream.sendData('hello', true)
    },
  })
  const { link } = await openLink(t, server.port)
  const slow = link.ask()
  slow.pauseReceiving()
  await eventually(() => slow.statuses.length > 0 && slow.incoming.isComplete, 'the response')
  ;(await server.link()).destroy(null)
  await eventually(() => link.isLost, 'the end of the connection')

  slow.resumeReceiving()

  assert.deepEqual([String(slow.body), slow.ended, slow.outcome], ['hello', true, null])
})

test('GOAWAY in two steps: what is open ends well, what comes later is refused', async (t) => {
  const open: TestStream[] = []
  const server = await startLinkServer(t, { serve: (stream) => open.push(stream) })
  const { link } = await openLink(t, server.port)
  const first = link.ask()
  const served = await server.link()
  await eventually(() => open.length === 1, 'the first request')

  served.goAway(0, 2 ** 31 - 1)
  const late = link.ask()
  await eventually(() => link.log.some((line) => line.startsWith('goaway')), 'GOAWAY')
  assert.equal(link.canOpen, false)
  await eventually(() => open.length === 2, 'the request that was under way')
  served.goAway(0, served.lastStreamId)
  for (const stream of open) stream.sendResponse(204, -1, '', true)
  await Promise.all([first.whole(), late.whole()])
  await eventually(() => link.isLost && served.isLost, 'the end')

  assert.deepEqual(
    link.log.filter((line) => line.startsWith('goaway')),
    [`goaway ${2 ** 31 - 1} 0 `, 'goaway 3 0 '],
  )
})

test('a head above 16 KiB goes out in CONTINUATION frames', async (t) => {
  const fields = Array.from(
    { length: 90 },
    (_, index) => `x-${index}: ${'v'.repeat(700)}\r\n`,
  ).join('')
  const limits = { settings: { headBytes: 128 * 1024 } }
  const server = await startLinkServer(t, {
    ...limits,
    serve: (stream) => stream.sendResponse(200, -1, stream.fields, true),
  })
  const { link } = await openLink(t, server.port, limits)

  const stream = await link.ask({ fields }).whole()

  assert.equal(stream.fields, fields)
})

test('node:http2 as the client: bodies, trailers, interim responses, any value', async (t) => {
  const server = await startLinkServer(t, {
    serve: (stream) => {
      stream.sendResponse(103, -1, 'link: </a.css>\r\n', false)
      echo(stream)
    },
  })
  const session = connect(`http://127.0.0.1:${server.port}`)
  t.after(() => session.destroy())
  const values = [...Array(94).keys()].map((code) => String.fromCharCode(code + 33) + '~')

  for (let round = 0; round < 3; round++) {
    const request = session.request(
      { ':method': 'POST', ':path': '/p', 'x-all': values.join(''), cookie: 'a=1; b=2' },
      { waitForTrailers: true },
    )
    request.on('wantTrailers', () => request.sendTrailers({ 'x-sum': String(round) }))
    const interim: number[] = []
    request.on('headers', (headers) => interim.push(Number(headers[':status'])))
    const body = Buffer.alloc(200_000, round)
    request.end(body)
    const [head] = (await once(request, 'response')) as [IncomingHttpHeaders]
    const chunks: Buffer[] = []
    let trailers: unknown = null
    request.on('trailers', (fields: { 'x-sum'?: string }) => (trailers = fields['x-sum']))
    for await (const chunk of request) chunks.push(chunk as Buffer)

    assert.deepEqual([head[':status'], head['x-path'], interim], [200, '/p', [103]])
    assert.ok(Buffer.concat(chunks).equals(body))
    assert.equal(trailers, String(round))
  }
  const { all } = await server.link()
  assert.deepEqual(
    all.map((stream) => stream.fields),
    [1, 2, 3].map(() => `x-all: ${values.join('')}\r\n`),
  )
})

async function startNode(t: TestContext, maxConcurrentStreams = 100): Promise<number> {
  const server = createServer({ settings: { maxConcurrentStreams } })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    const path = headers[':path']
    if (path === '/reset') return stream.close(constants.NGHTTP2_CANCEL)
    if (path === '/refuse') return stream.close(constants.NGHTTP2_REFUSED_STREAM)
    stream.respond({ ':status': 200, 'x-path': path }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }))
    stream.pipe(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

test('node:http2 as the server: bodies, trailers, resets', async (t) => {
  const port = await startNode(t)
  const { link } = await openLink(t, port)
  const body = Buffer.alloc(300_000, 'abc')

  const stream = link.ask({ method: 'POST', path: '/p', ends: false })
  const reset = link.ask({ path: '/reset' })
  const refused = link.ask({ path: '/refuse' })
  stream.sendData(body, true)
  await stream.whole()
  await eventually(() => reset.outcome !== null && refused.outcome !== null, 'the resets')

  assert.ok(stream.body.equals(body))
  assert.deepEqual([stream.fields.includes('x-path: /p'), stream.trailers], [true, 'x-sum: 1\r\n'])
  assert.deepEqual([reset.outcome, refused.outcome], ['reset 8', 'reset 7'])
  link.goAway(0, 0)
  await eventually(() => link.isLost, 'the end')
})

test("a server's limit of streams holds from its SETTINGS on", async (t) => {
  const port = await startNode(t, 2)
  const { link } = await openLink(t, port)
  await eventually(() => link.isReady, 'SETTINGS')

  const streams = [link.ask({ ends: false }), link.ask({ ends: false })]

  assert.equal(link.canOpen, false)
  for (const stream of streams) stream.sendData('', true)
  await Promise.all(streams.map((stream) => stream.whole()))
  await eventually(() => link.canOpen, 'room')
})
