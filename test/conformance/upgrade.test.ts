// facts/wire.md 4, Upgrade; RFC 9110 section 7.8, RFC 6455 section 4.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { get, sentinel, settled } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\n'
const ASK = get(
  '/up',
  'Connection: keep-alive, Upgrade',
  'Upgrade: echo',
  'Sec-WebSocket-Key: k',
  'Sec-WebSocket-Protocol: a, b',
)

function startSwitching(t: TestContext, greeting = ''): Promise<Origin> {
  return startOrigin(t, (seen, connection) => {
    if (value(seen, 'upgrade') === null) return connection.write(OK)
    connection.tunnel()
    connection.write(SWITCH + greeting)
  })
}

test('after a 101 both directions are a tunnel', async (t) => {
  const origin = await startSwitching(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(ASK)
  client.send('ping \0\xff GET / HTTP/1.1\r\n\r\n')
  const { connection, fields } = await origin.request(1)
  await origin.until(() => connection.tunnelled().endsWith('\r\n\r\n'), 'the ping')
  connection.write('HTTP/1.1 400 pong\r\n\r\n')

  assert.equal(response.status, 101)
  assert.match(value(response, 'connection') ?? '', /^upgrade$/i)
  assert.equal(value(response, 'upgrade'), 'echo')
  assert.equal(value(response, 'x-a'), 'b')
  assert.deepEqual(values({ fields }, 'upgrade'), ['echo'])
  assert.match(value({ fields }, 'connection') ?? '', /^upgrade$/i)
  assert.deepEqual(values({ fields }, 'sec-websocket-key'), ['k'])
  assert.deepEqual(values({ fields }, 'sec-websocket-protocol'), ['a, b'])
  assert.equal(connection.tunnelled(), 'ping \0\xff GET / HTTP/1.1\r\n\r\n')
  assert.equal(await client.bytes(21), 'HTTP/1.1 400 pong\r\n\r\n')
})

test('early bytes of both sides keep their order', async (t) => {
  const origin = await startSwitching(t, 'hello from the server ')
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${ASK}early `)
  client.send('bytes')
  const response = await client.readResponse()
  const { connection } = await origin.request(1)
  await origin.until(() => connection.tunnelled() === 'early bytes', 'the early bytes')
  connection.write('and more')

  assert.equal(response.status, 101)
  assert.equal(await client.bytes(30), 'hello from the server and more')
})

test('bytes behind an Upgrade wait for the 101', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(ASK + get('/smuggled'))
  const { connection } = await origin.request(1)
  origin.follow(OK)
  await sentinel(t, gateway)

  assert.doesNotMatch(connection.raw(), /smuggled/)
  connection.tunnel()
  connection.write(SWITCH)
  await origin.until(() => connection.tunnelled() === get('/smuggled'), 'the bytes in the tunnel')
})

test('a refused Upgrade is an ordinary response, and bytes behind it are the next request', async (t) => {
  const refusal = 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno'
  const origin = await startOrigin(t, (seen, connection) => {
    connection.write(seen.target === '/up' ? refusal : OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(ASK + get('/next'))
  const refused = await client.readResponse()

  assert.equal(refused.status, 426)
  assert.equal(refused.body.toString(), 'no')
  assert.deepEqual(values(refused, 'upgrade'), [])
  if (value(refused, 'connection') === 'close') await client.closed()
  else assert.equal((await client.readResponse()).body.toString(), 'ok')
})

test('either side may end its half of a tunnel first', async (t) => {
  const origin = await startSwitching(t)
  const gateway = await startGateway(t, { origin: origin.port })

  const first = await openClient(t, gateway.port)
  await first.ask(ASK)
  first.send('last words')
  first.end()
  const one = (await origin.request(1)).connection
  await one.gone()
  assert.equal(one.tunnelled(), 'last words')
  one.end('a response to them')
  assert.equal(await first.bytes(18), 'a response to them')
  assert.equal(await first.closed(), 'fin')

  // The client's socket ends its own half with the other's, so the response is sent before.
  const second = await openClient(t, gateway.port)
  await second.ask(ASK)
  const two = (await origin.request(2)).connection
  second.socket.removeAllListeners('end')
  second.socket.once('end', () => second.send('still here'))
  two.end('bye')
  await origin.until(() => two.tunnelled() === 'still here', 'what the client says after the FIN')
  second.end()
  await eventually(() => two.socket.destroyed, 'the end of both halves')
})

test('a side of a tunnel that is reset takes the other with it', async (t) => {
  const origin = await startSwitching(t)
  const gateway = await startGateway(t, { origin: origin.port })

  const first = await openClient(t, gateway.port)
  await first.ask(ASK)
  const left = performance.now()
  first.reset()
  assert.ok((await (await origin.request(1)).connection.gone()) - left < 250)

  const second = await openClient(t, gateway.port)
  await second.ask(ASK)
  ;(await origin.request(2)).connection.reset()
  assert.equal(await second.closed(), 'reset')
})

test('a tunnel has back-pressure in both directions', async (t) => {
  const origin = await startSwitching(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const piece = Buffer.alloc(1 << 20)
  const bound = 48 << 20

  const reader = await openClient(t, gateway.port)
  await reader.ask(ASK)
  reader.stopReading()
  const { socket } = (await origin.request(1)).connection
  for (let i = 0; i < 96; i++) socket.write(piece)
  const down = await settled(t, gateway, () => socket.bytesWritten - socket.writableLength)
  reader.reset()

  const writer = await openClient(t, gateway.port)
  await writer.ask(ASK)
  const upgraded = origin.requests.filter(({ target }) => target === '/up')
  upgraded[1]?.connection.stopReading()
  for (let i = 0; i < 96; i++) writer.socket.write(piece)
  const up = await settled(
    t,
    gateway,
    () => writer.socket.bytesWritten - writer.socket.writableLength,
  )
  writer.reset()

  assert.ok(down < bound, `the server could push ${down} bytes`)
  assert.ok(up < bound, `the client could push ${up} bytes`)
})

const NO_UPGRADE: readonly (readonly [name: string, bytes: string])[] = [
  ['Upgrade without Connection', get('/up', 'Upgrade: echo')],
  ['Connection without Upgrade', get('/up', 'Connection: Upgrade')],
  ['Connection that names something else', get('/up', 'Connection: x-upgrade', 'Upgrade: echo')],
  ['HTTP/1.0', 'GET /up HTTP/1.0\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'],
  ['h2c with a version', get('/up', 'Connection: Upgrade', 'Upgrade: h2c/1')],
  ['h2c in quotes', get('/up', 'Connection: Upgrade', 'Upgrade: "h2c"')],
  ['h2c with a parameter', get('/up', 'Connection: Upgrade', 'Upgrade: websocket, H2C;q=1')],
  ['HTTP/2.0', get('/up', 'Connection: Upgrade', 'Upgrade: HTTP/2.0')],
  ['h2c', get('/up', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA')],
  ['H2C', get('/up', 'Connection: Upgrade', 'Upgrade: H2C')],
]

test('other requests with Upgrade or Connection are sent on without them', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [name, bytes] of NO_UPGRADE) {
    await t.test(name, async (t) => {
      const client = await openClient(t, gateway.port)
      const response = await client.ask(bytes)
      const seen = origin.requests.at(-1) ?? { fields: [] }

      assert.equal(response.status, 200)
      for (const field of ['upgrade', 'http2-settings']) assert.deepEqual(values(seen, field), [])
      assert.doesNotMatch(values(seen, 'connection').join(), /upgrade/i)
    })
  }
})

test('a 101 to a request that asked for no upgrade is 502', async (t) => {
  const origin = await startOrigin(t, SWITCH)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/up', 'Upgrade: echo'))

  assert.equal(response.status, 502)
  await origin.connections[0]?.gone()
})

test('a WebSocket carries text, binary, large messages, ping and close', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const gateway = await startGateway(t, { origin: address.port })
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/chat?x=y`, ['a'])
  t.after(() => socket.terminate())
  await once(socket, 'open')

  for (const data of ['hello', Buffer.alloc(1_000_000, 7), '']) {
    socket.send(data)
    const [echoed] = (await once(socket, 'message')) as [Buffer]
    assert.deepEqual(echoed, Buffer.from(data))
  }
  socket.ping('p')
  assert.equal(String((await once(socket, 'pong'))[0]), 'p')
  socket.close(4_001, 'done')
  const [code] = (await once(socket, 'close')) as [number]
  assert.equal(code, 4_001)
})
