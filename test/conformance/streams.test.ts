// Streams: what a client sends goes to one server as it is, and back, until both sides have finished.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { choosePort } from '../support/ports.ts'
import { SHARED } from '../../src/scoreboard/layout.ts'
import { eventually, turn } from '../support/until.ts'

interface StreamServer {
  readonly port: number
  readonly sockets: readonly Socket[]
  close(): void
}

/** A server of streams, whose connections are half-open and closed at the end of the test. */
async function serve(t: TestContext, serveOne: (socket: Socket) => void): Promise<StreamServer> {
  const sockets: Socket[] = []
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    serveOne(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  t.after(close)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it does not listen')
  return { port: address.port, sockets, close }
}

const echo = (socket: Socket): unknown => socket.pipe(socket)

/** A listener `db` to servers on these ports. */
function toServers(
  ports: readonly number[],
  { backend = {}, listener = {} }: { backend?: object; listener?: object } = {},
): object {
  const servers = Object.fromEntries(ports.map((port, at) => [`s${at}`, `tcp://127.0.0.1:${port}`]))
  return {
    listeners: { db: { address: '127.0.0.1:0', protocol: 'tcp', backend: 'db', ...listener } },
    backends: { db: { servers, ...backend } },
  }
}

/** Not connected yet, and it may never be. */
function dial(t: TestContext, gateway: TestGateway, allowHalfOpen = true): Socket {
  const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen })
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  return socket
}

async function open(t: TestContext, gateway: TestGateway, allowHalfOpen = true): Promise<Socket> {
  const socket = dial(t, gateway, allowHalfOpen)
  await once(socket, 'connect')
  return socket
}

/** All that the socket receives up to its end. */
async function readAll(socket: Socket): Promise<string> {
  const parts: Buffer[] = []
  socket.on('data', (data: Buffer) => parts.push(data))
  await once(socket, 'end')
  return Buffer.concat(parts).toString()
}

async function readOnce(socket: Socket): Promise<string> {
  const [data] = (await once(socket, 'data')) as [Buffer]
  return data.toString()
}

async function turns(number: number): Promise<void> {
  for (; number > 0; number--) await turn()
}

/** `closed`, or the error that the connection ended with. */
async function fate(socket: Socket): Promise<string> {
  let how = 'closed'
  socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => (how = code))
  socket.resume()
  await new Promise((resolve) => socket.once('close', resolve))
  return how
}

/** Streams at the servers, and connections to them: of each server the sum. */
function held(gateway: TestGateway): readonly number[] {
  const { scoreboard } = gateway
  return [...gateway.placed().backends].flatMap(({ servers }) =>
    Array.from(
      servers,
      ({ slot }) =>
        scoreboard.shared(slot, SHARED.inFlight) + scoreboard.shared(slot, SHARED.connections),
    ),
  )
}

test('a server that speaks first is heard, and an answer goes back', async (t) => {
  const server = await serve(t, (socket) => {
    socket.write('hello')
    socket.once('data', (data) => socket.end(`you said ${data.toString()}`))
  })
  const gateway = await startGateway(t, toServers([server.port]))

  const client = await open(t, gateway)
  const greeting = await readOnce(client)
  client.write('hi')
  const answer = await readAll(client)
  client.end()

  assert.equal(greeting, 'hello')
  assert.equal(answer, 'you said hi')
  await eventually(() => gateway.streams().length === 1, 'the record')
  const [record] = gateway.streams()
  assert.equal(record?.reason, null)
  assert.equal(record?.status, 200)
  assert.equal(record?.bytesIn, 2)
  assert.equal(record?.bytesOut, 16)
})

test('a client that has finished still receives, and a server too', async (t) => {
  const server = await serve(t, (socket) => {
    if (server.sockets.length === 1) {
      // Answers after the end of the question.
      socket.on('end', () => socket.end('the whole answer'))
      socket.resume()
    } else {
      socket.end('no more from here')
      socket.on('data', (data) => heard.push(data.toString()))
    }
  })
  const heard: string[] = []
  const gateway = await startGateway(t, toServers([server.port]))

  const first = await open(t, gateway)
  first.end('question')
  const answer = await readAll(first)
  const second = await open(t, gateway)
  const farewell = await readAll(second)
  second.end('but from here')
  await eventually(() => gateway.streams().length === 2, 'the records')

  assert.equal(answer, 'the whole answer')
  assert.equal(farewell, 'no more from here')
  assert.deepEqual(heard, ['but from here'])
  assert.deepEqual(
    gateway.streams().map(({ reason }) => reason),
    [null, null],
  )
})

test('64 MiB pass in both directions at once, whole and in order', async (t) => {
  const server = await serve(t, echo)
  const gateway = await startGateway(t, toServers([server.port]))
  const size = 64 * 1024 * 1024
  const block = randomBytes(1024 * 1024 + 7)
  const sent = createHash('sha256')
  const received = createHash('sha256')
  let length = 0

  const client = await open(t, gateway)
  client.on('data', (data: Buffer) => {
    received.update(data)
    length += data.length
  })
  for (let left = size; left > 0; left -= block.length) {
    const piece = block.subarray(0, Math.min(left, block.length))
    sent.update(piece)
    if (!client.write(piece)) await once(client, 'drain')
  }
  client.end()
  await once(client, 'end')

  assert.equal(length, size)
  assert.equal(received.digest('hex'), sent.digest('hex'))
})

test('a reader that stops holds up its source, and gets the rest when it reads on', async (t) => {
  const size = 64 * 1024 * 1024
  let sent = 0
  const server = await serve(t, (socket) => {
    const block = Buffer.alloc(64 * 1024, 'x')
    const more = (): void => {
      while (sent < size) {
        sent += block.length
        if (!socket.write(block)) return void socket.once('drain', more)
      }
      socket.end()
    }
    more()
  })
  const gateway = await startGateway(t, toServers([server.port]))

  const client = await open(t, gateway)
  // The source waits once all buffers on the way are full.
  let before = -1
  while (sent !== before || sent === 0) {
    before = sent
    await turns(50)
  }
  assert.ok(sent < size)
  const text = await readAll(client)

  assert.equal(text.length, size)
})

test('a connection that is refused goes to another server, and the next ones too', async (t) => {
  const server = await serve(t, echo)
  const dead = await choosePort()
  const gateway = await startGateway(t, toServers([dead, server.port]))

  for (let number = 0; number < 4; number++) {
    const client = await open(t, gateway)
    client.write('hi')
    assert.equal(await readOnce(client), 'hi')
    client.destroy()
  }

  await eventually(() => gateway.streams().length === 4, 'the records')
  const attempts = gateway.streams().reduce((sum, record) => sum + record.attempts, 0)
  assert.equal(attempts, 5)
  assert.deepEqual(held(gateway), [0, 0])
})

test('a server that accepts and closes at once is replaced before the client has sent anything', async (t) => {
  const server = await serve(t, (socket) => socket.write('hello'))
  const mute = await serve(t, (socket) => socket.destroy())
  const gateway = await startGateway(t, toServers([mute.port, server.port]))

  for (let number = 0; number < 2; number++)
    assert.equal(await readOnce(await open(t, gateway)), 'hello')

  assert.equal(mute.sockets.length, 1)
})

test('what a client sends behind its PROXY header while a server is being connected is kept', async (t) => {
  const held = Promise.withResolvers<Socket>()
  const holds = await serve(t, (socket) => held.resolve(socket))
  const answers = await serve(t, echo)
  const servers = {
    // Its handshake is under way until it closes the connection.
    first: `tls://127.0.0.1:${holds.port}`,
    second: { url: `tcp://127.0.0.1:${answers.port}`, backup: true },
  }
  const listener = { proxyProtocol: { trusted: ['127.0.0.1'] } }
  const gateway = await startGateway(t, toServers([], { listener, backend: { servers } }))
  const client = await open(t, gateway)
  client.write('PROXY UNKNOWN\r\nbefore ')
  const first = await held.promise
  client.end('while')
  await turn()
  first.destroy()
  assert.equal(await readAll(client), 'before while')
})

test('without any server the connection is reset', async (t) => {
  const gateway = await startGateway(t, toServers([await choosePort()]))

  const how = await fate(dial(t, gateway))

  assert.equal(how, 'ECONNRESET')
  const [record] = gateway.streams()
  assert.equal(record?.reason, 'CONNECT_REFUSED')
  assert.equal(record?.status, 502)
  assert.deepEqual(held(gateway), [0])
})

test('a reset is passed on as a reset, from either side', async (t) => {
  const fates: Promise<string>[] = []
  const server = await serve(t, (socket) => {
    fates.push(fate(socket))
    socket.write('hello')
  })
  const gateway = await startGateway(t, toServers([server.port]))

  const first = await open(t, gateway)
  await readOnce(first)
  first.resetAndDestroy()
  assert.equal(await eventually(() => fates[0], 'the first connection'), 'ECONNRESET')
  const second = await open(t, gateway)
  await readOnce(second)
  server.sockets[1]?.resetAndDestroy()
  assert.equal(await fate(second), 'ECONNRESET')

  await eventually(() => gateway.streams().length === 2, 'the records')
  assert.deepEqual(
    gateway.streams().map(({ reason }) => reason),
    ['CLIENT_GONE', 'ANSWER_CUT'],
  )
})

test('a killed server ends its own connections and no others', async (t) => {
  const [first, second] = [await serve(t, echo), await serve(t, echo)]
  const gateway = await startGateway(t, toServers([first.port, second.port]))
  const clients = await Promise.all(Array.from({ length: 10 }, () => open(t, gateway, false)))
  for (const client of clients) {
    client.write('hi')
    await readOnce(client)
  }

  first.close()

  await eventually(() => gateway.streams().length === 5, 'the ends of five')
  assert.deepEqual(new Set(gateway.streams().map(({ server }) => server)).size, 1)
  const others = clients.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded)
  assert.equal(others.length, 5)
  for (const client of others) {
    client.write('again')
    assert.equal(await readOnce(client), 'again')
  }
})

test('a stream without a byte for timeouts.tunnel ends, one with bytes does not', async (t) => {
  const server = await serve(t, echo)
  const backend = { timeouts: { tunnel: '1s' } }
  const gateway = await startGateway(t, toServers([server.port], { backend }))
  const [silent, busy] = [await open(t, gateway), await open(t, gateway)]
  let isOver = false
  const silence = fate(silent).finally(() => (isOver = true))
  busy.write('x')
  busy.on('data', () => isOver || busy.write('x'))

  assert.equal(await silence, 'ECONNRESET')

  assert.equal(busy.destroyed, false)
  assert.deepEqual(
    gateway.streams().map(({ reason }) => reason),
    ['STALL_TIMEOUT'],
  )
})

test('a server with all the connections it may have is passed over', async (t) => {
  const [first, second] = [await serve(t, echo), await serve(t, echo)]
  const backend = { limits: { connections: 1 } }
  const gateway = await startGateway(t, toServers([first.port, second.port], { backend }))

  const clients = [await open(t, gateway), await open(t, gateway)]
  for (const client of clients) client.write('hi')
  await Promise.all(clients.map(readOnce))
  const third = await fate(dial(t, gateway))

  assert.equal(third, 'ECONNRESET')
  assert.equal(first.sockets.length, 1)
  assert.equal(second.sockets.length, 1)
  assert.equal(gateway.streams()[0]?.reason, 'SERVER_LIMIT')
})

test('a listener with all the connections it may have refuses more', async (t) => {
  const server = await serve(t, echo)
  const listener = { limits: { connectionsPerClient: 1 } }
  const gateway = await startGateway(t, toServers([server.port], { listener }))
  const first = await open(t, gateway)
  first.write('hi')
  await readOnce(first)

  const second = await fate(dial(t, gateway))
  first.destroy()
  await eventually(() => gateway.streams().length === 2, 'the records')
  const third = await open(t, gateway)
  third.write('hi')

  assert.equal(second, 'ECONNRESET')
  assert.equal(await readOnce(third), 'hi')
  assert.equal(gateway.streams()[0]?.reason, 'TOO_MANY_CONNECTIONS')
})

test('streams of a removed listener and a removed server go on, until a drain ends', async (t) => {
  const server = await serve(t, echo)
  const gateway = await startGateway(t, toServers([server.port]))
  const client = await open(t, gateway)
  client.write('one')
  assert.equal(await readOnce(client), 'one')

  await gateway.apply({ backends: { db: { servers: {} } } })
  client.write('two')
  assert.equal(await readOnce(client), 'two')
  await gateway.close()

  assert.equal(await fate(client), 'ECONNRESET')
  assert.equal(gateway.streams()[0]?.reason, 'DRAINED')
})

// A handle that is reset while it is being shut down is not closed by Node, also if it is closed then.
test('a connection that is reset while it is shut down leaves no descriptor open', async (t) => {
  const open = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
  const before = open()
  const server = await serve(t, (socket) => void socket.end('bye'))
  const gateway = await startGateway(t, toServers([server.port]))
  const client = dial(t, gateway, false)

  await once(client, 'data')
  await gateway.close()
  client.destroy()
  server.close()

  await eventually(() => open() <= before, 'no connection is left', 5_000)
})

test('TLS ends at a tcp listener, and servers are spoken to through TLS', async (t) => {
  const authority = createAuthority(t)
  const { cert, key, certPath, keyPath } = authority.issue('127.0.0.1')
  const server = createTlsServer({ cert, key, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => socket.write(`${data.toString()}!`))
    socket.on('end', () => socket.end('the end'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const gateway = await startGateway(t, {
    listeners: {
      db: {
        address: '127.0.0.1:0',
        protocol: 'tcp',
        backend: 'db',
        tls: { certificates: [{ cert: certPath, key: keyPath }] },
      },
    },
    backends: {
      db: { servers: { s: `tls://127.0.0.1:${port}` }, tls: { ca: authority.certPath } },
    },
  })

  const client = connectTls({ port: gateway.port, host: '127.0.0.1', ca: authority.cert })
  client.allowHalfOpen = true
  t.after(() => client.destroy())
  await once(client, 'secureConnect')
  client.write('hi')
  assert.equal(await readOnce(client), 'hi!')
  client.end()

  assert.equal(await readAll(client), 'the end')
  await eventually(() => gateway.streams().length === 1, 'the record')
  assert.equal(gateway.streams()[0]?.reason, null)
  assert.deepEqual(held(gateway), [0])
})
