import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { openHttp2Client } from '../support/http2/client.ts'
import { ERROR, frame, headersFrame, TYPE } from '../support/http2/frames.ts'
import { block, HpackReader, indexed, literal, tableSize } from '../support/http2/hpack.ts'
import { huffmanDecode, huffmanEncode } from '../support/http2/huffman.ts'
import { startHttp2Server } from '../support/http2/server.ts'

test('the Huffman code is that of RFC 7541 C.4', () => {
  assert.equal(huffmanEncode('www.example.com').toString('hex'), 'f1e3c2e5f23a6ba0ab90f4ff')
  assert.equal(huffmanEncode('no-cache').toString('hex'), 'a8eb10649cbf')
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
  assert.equal(huffmanDecode(huffmanEncode(every)), every)
  // Of what python3-hpack makes of it: a whole table in one figure.
  assert.equal(
    createHash('sha256').update(huffmanEncode(every)).digest('hex').slice(0, 16),
    '612dcf67552ffb6a',
  )
})

test('a dynamic table is read as RFC 7541 C.3 writes it', () => {
  const reader = new HpackReader()

  assert.deepEqual(
    reader.read(
      Buffer.concat([
        indexed(2),
        indexed(6),
        indexed(4),
        literal(1, 'www.example.com', { indexing: 'incremental' }),
      ]),
    ),
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ],
  )
  assert.deepEqual(reader.read(indexed(62)), [[':authority', 'www.example.com']])
  assert.throws(() => reader.read(Buffer.concat([tableSize(0), indexed(62)])))
})

test('a raw client and the HTTP/2 of Node understand each other', async (t) => {
  const port = await startNode(t)
  const client = await openHttp2Client(t, port)

  const response = await client.ask({ method: 'POST', fields: [['x-a', 'b']], body: 'hello' })
  const large = client.request({ method: 'POST', body: '', end: false })
  await client.sendBody(large, 'x'.repeat(200_000))

  assert.equal(response.status, 200)
  assert.equal(response.body, 'POST b hello')
  assert.deepEqual(response.trailers, [['x-sum', '5']])
  assert.equal((await client.response(large)).body.length, 'POST undefined '.length + 200_000)
  assert.equal(await client.roundTrip(), true)
})

test('a raw client names what came of a stream and of its connection', async (t) => {
  const client = await openHttp2Client(t, await startNode(t))
  const bad = client.nextId()

  client.send(headersFrame(bad, block([':method', 'GET'], ['x-a', 'b']), { end: true }))
  assert.equal(await client.outcome(bad), 'reset protocol')
  client.send(frame(TYPE.ping, 0, 0, 'short'))

  assert.equal(await client.connectionOutcome(), 'goaway frameSize')
})

test('a raw server and the HTTP/2 of Node understand each other', async (t) => {
  const server = await startHttp2Server(t, async (request) => {
    await request.whole()
    request.respond({ end: false })
    const { connection, streamId, stream } = request
    await connection.sendBody(streamId, stream.body, { trailers: [['x-end', 'yes']] })
  })
  const session = connect(`http://127.0.0.1:${server.port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':path': '/up', 'x-a': 'b' })
  const trailers = new Promise<IncomingHttpHeaders>((resolve) => stream.on('trailers', resolve))
  stream.end('y'.repeat(100_000))

  let body = ''
  for await (const chunk of stream.setEncoding('latin1')) body += chunk

  assert.equal(body.length, 100_000)
  assert.equal((await trailers)['x-end'], 'yes')
  assert.equal(server.requests[0]?.value(':path'), '/up')
  assert.equal(server.requests[0]?.value('x-a'), 'b')
})

test('a raw server resets a stream and ends a connection as its script says', async (t) => {
  const server = await startHttp2Server(t, ({ connection, streamId }) => {
    connection.send(frame(TYPE.reset, 0, streamId, Buffer.from([0, 0, 0, ERROR.refusedStream])))
  })
  const session = connect(`http://127.0.0.1:${server.port}`)
  t.after(() => session.destroy())

  const error = await new Promise<Error>((resolve) => {
    session.request({ ':path': '/' }).on('error', resolve)
  })

  assert.match(error.message, /NGHTTP2_REFUSED_STREAM/)
})

/** Responds with the method, `x-a` and the request's body, and its length as a trailer. */
async function startNode(t: TestContext): Promise<number> {
  const server: Http2Server = createServer()
  server.on('stream', (stream: ServerHttp2Stream, fields) => {
    let body = ''
    stream.setEncoding('latin1')
    stream.on('data', (chunk: string) => (body += chunk))
    stream.on('error', () => {})
    stream.on('end', () => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(body.length) }))
      stream.end(`${fields[':method']} ${String(fields['x-a'])} ${body}`)
    })
  })
  server.on('session', (session) => t.after(() => session.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}
