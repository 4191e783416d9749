// PROXY headers of streams: read from trusted peers, refused from others before a byte reaches a server, and written to servers.
import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { writeProxyHeader } from '../../src/http/proxy-protocol/write-header.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listen } from '../support/origin.ts'
import { startProxyReader } from '../support/proxy-reader.ts'
import { eventually } from '../support/until.ts'

const source = { host: '198.51.100.7', port: 4711 }
const destination = { host: '203.0.113.1', port: 5432 }
const HEADERS = [1, 2].map((version) =>
  writeProxyHeader(version === 1 ? 1 : 2, { source, destination }),
)

/** Greets first, then returns what it gets. */
async function startEcho(t: TestContext): Promise<{ port: number; received(): string }> {
  let received = ''
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write('hello ')
    socket.on('data', (data) => {
      received += data.toString('latin1')
      socket.write(data)
    })
  })
  const port = await listen(server)
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port, received: () => received }
}

function start(
  t: TestContext,
  port: number,
  trusted: readonly string[],
  backend = {},
): Promise<TestGateway> {
  return startGateway(t, {
    listeners: {
      db: { address: '127.0.0.1:0', protocol: 'tcp', backend: 'db', proxyProtocol: { trusted } },
    },
    backends: { db: { servers: { one: `tcp://127.0.0.1:${port}` }, ...backend } },
  })
}

interface Dialed {
  readonly socket: Socket
  text(): string
  isClosed(): boolean
}

function dial(t: TestContext, { port }: TestGateway): Dialed {
  let text = ''
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  socket.on('data', (data) => (text += data.toString('latin1')))
  t.after(() => socket.destroy())
  return { socket, text: () => text, isClosed: () => socket.closed }
}

for (const [at, header] of HEADERS.entries()) {
  const version = `v${at + 1}`

  test(`a stream behind a header goes on with the claimed address (${version})`, async (t) => {
    const echo = await startEcho(t)
    const reader = await startProxyReader(t, echo.port)
    const gateway = await start(t, reader.port, ['127.0.0.1'], { proxyProtocol: version })
    const joined = dial(t, gateway)
    const pieces = dial(t, gateway)

    joined.socket.write(Buffer.concat([header, Buffer.from('one')]))
    for (const byte of header) pieces.socket.write(Buffer.of(byte))
    await eventually(() => pieces.text() === 'hello ', 'the server speaks first')
    pieces.socket.write('two')

    await eventually(() => joined.text() === 'hello one', 'the first stream')
    await eventually(() => pieces.text() === 'hello two', 'the second stream')
    const ends = { version: at + 1, source, destination }
    assert.deepEqual(reader.headers, [ends, ends])
  })

  test(`a header of a peer that is not trusted reaches no server (${version})`, async (t) => {
    const echo = await startEcho(t)
    const gateway = await start(t, echo.port, ['10.0.0.1'])
    const healthy = dial(t, gateway)
    healthy.socket.write('x')
    const [whole, late] = [dial(t, gateway), dial(t, gateway)]
    await eventually(() => late.text() === 'hello ', 'the server speaks first')

    whole.socket.write(Buffer.concat([header, Buffer.from('secret')]))
    for (const byte of header) late.socket.write(Buffer.of(byte))

    await eventually(() => whole.isClosed() && late.isClosed(), 'both are closed')
    healthy.socket.write('y')
    await eventually(() => healthy.text() === 'hello xy', 'the other stream goes on')
    assert.equal(echo.received(), 'xy')
    assert.equal(gateway.notices().length, 1)
    assert.match(
      gateway.notices()[0] ?? '',
      /^listener "db" closed a stream of 127\.0\.0\.1: it begins as a PROXY header does.*trusted/,
    )
  })
}

test('a stream that begins almost as a header is passed on', async (t) => {
  const echo = await startEcho(t)
  const gateway = await start(t, echo.port, ['10.0.0.1'])

  for (const [text, rest] of [
    ['PRO', 'FILE'],
    ['\r\n\r\n', ''],
    ['P', 'ROXY'],
  ] as const) {
    const client = dial(t, gateway)
    await eventually(() => client.text() === 'hello ', 'the server speaks first')
    client.socket.write(text)
    client.socket.end(rest)
    await eventually(() => client.isClosed(), 'the stream ends')
    assert.equal(client.text(), `hello ${text}${rest}`)
  }
  assert.deepEqual(gateway.notices(), [])
})

test('a trusted peer without a header reaches no server', async (t) => {
  const echo = await startEcho(t)
  const gateway = await start(t, echo.port, ['127.0.0.1'])
  const client = dial(t, gateway)

  client.socket.write('SELECT 1')

  await eventually(() => client.isClosed(), 'it is closed')
  assert.equal(echo.received(), '')
  assert.equal(client.text(), '')
  assert.match(gateway.notices()[0] ?? '', /does not begin with a PROXY header/)
})
