// facts/wire.md 4: a slow reader stops the reading of its source, at every hop; memory for one exchange is bounded.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get, request, sentinel, settled } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const MIB = 1 << 20
const SIZE = 96 * MIB
/** What the kernel's own buffers on both hops may take, and our MiB. */
const BOUND = 48 * MIB

test('a client that does not read stops the server, and gets everything when it reads', async (t) => {
  const body = Buffer.alloc(SIZE, 'back-pressure! ')
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/large') return connection.write(OK)
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
    for (let at = 0; at < SIZE; at += MIB) connection.write(body.subarray(at, at + MIB))
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  client.stopReading()
  client.send(get('/large', 'Connection: close'))
  const { socket } = (await origin.request(1)).connection
  const before = process.memoryUsage().arrayBuffers

  const pushed = await settled(t, gateway, () => socket.bytesWritten - socket.writableLength)
  const held = process.memoryUsage().arrayBuffers - before
  assert.ok(pushed < BOUND, `the server could push ${pushed} bytes`)
  assert.ok(held < 16 * MIB, `${held} bytes more are held in memory`)

  // By hash: the reader of the client would keep all of it.
  const hash = createHash('sha256')
  let head = ''
  client.socket.removeAllListeners('data')
  client.socket.on('data', (bytes: Buffer) => {
    const end = head === '' ? bytes.indexOf('\r\n\r\n') + 4 : 0
    if (head === '') head = bytes.toString('latin1', 0, end)
    hash.update(bytes.subarray(end))
  })
  client.startReading()
  await eventually(() => client.ending(), 'the end', 30_000)
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'))
})

test('a client that does not read stops interim responses, too, and gets everything when it reads', async (t) => {
  const hints = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(500_000)}\r\n\r\n`
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/large') return connection.write(OK)
    for (let i = 0; i < 96; i++) connection.write(hints)
    connection.write(OK)
  })
  const gateway = await startGateway(t, {
    origin: origin.port,
    backend: { limits: { head: '512KiB' }, timeouts: { firstByte: '3s' } },
  })
  const client = await openClient(t, gateway.port)
  client.stopReading()
  client.send(get('/large'))
  const { socket } = (await origin.request(1)).connection

  const pushed = await settled(t, gateway, () => socket.bytesWritten - socket.writableLength)
  client.startReading()
  const response = await client.readResponse()

  assert.ok(pushed < 32 * MIB, `the server could push ${pushed} bytes`)
  assert.equal(response.status, 200)
  assert.equal(response.interim.length, 96)
  assert.equal((await client.ask(get('/'))).body.toString(), 'ok')
})

test('a server that does not read stops the client, and gets everything when it reads', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    if (request.target === '/large') {
      connection.stopReading()
      return
    }
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const piece = Buffer.alloc(MIB, 'x')
  client.send(request('POST', '/large', `Content-Length: ${SIZE}`))
  const { connection } = await origin.request(1)
  for (let at = 0; at < SIZE; at += MIB) client.send(piece)

  const { socket } = client
  const pushed = await settled(t, gateway, () => socket.bytesWritten - socket.writableLength)
  assert.ok(pushed < BOUND, `the client could push ${pushed} bytes`)

  connection.socket.removeAllListeners('data')
  let received = 0
  connection.socket.on('data', (bytes: Buffer) => {
    received += bytes.length
  })
  connection.startReading()
  await eventually(() => received >= SIZE, 'the whole body', 30_000)
  connection.write(OK)
  assert.equal((await client.readResponse()).status, 200)
})

test('a chunked upload to a server that does not read stops the client', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target === '/large') connection.stopReading()
    else connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  const piece = Buffer.concat([
    Buffer.from('100000\r\n'),
    Buffer.alloc(MIB, 'x'),
    Buffer.from('\r\n'),
  ])
  client.send(request('POST', '/large', 'Transfer-Encoding: chunked'))
  await origin.request(1)
  for (let at = 0; at < SIZE; at += MIB) client.send(piece)

  const { socket } = client
  const pushed = await settled(t, gateway, () => socket.bytesWritten - socket.writableLength)

  assert.ok(pushed < BOUND, `the client could push ${pushed} bytes`)
  client.reset()
})

test('a slow reader of many small responses stops our reading of its requests', async (t) => {
  const filler = 'y'.repeat(60_000)
  const large = `HTTP/1.1 200 OK\r\nContent-Length: ${filler.length}\r\n\r\n${filler}`
  const origin = await startOrigin(t, (request, connection) => {
    connection.write(request.target === '/sentinel' ? OK : large)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)
  client.stopReading()
  for (let i = 0; i < 3_000; i++) client.send(get('/small'))

  const count = (): number => origin.requests.filter(({ target }) => target === '/small').length
  const answered = await settled(t, gateway, count)

  assert.ok(
    answered * filler.length < BOUND,
    `${answered} responses were made for a client that reads none`,
  )
  client.reset()
})

test('slow readers do not slow others', async (t) => {
  const chunk = `100000\r\n${'x'.repeat(MIB)}\r\n`
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target === '/sentinel') return connection.write(OK)
    connection.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(4)}`)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  for (let i = 0; i < 20; i++) {
    const client = await openClient(t, gateway.port)
    client.stopReading()
    client.send(get('/slow'))
  }
  await origin.request(20)

  const began = performance.now()
  for (let i = 0; i < 20; i++) await sentinel(t, gateway)

  assert.ok(performance.now() - began < 2_000)
})
