// Issue 12: of many connections over three servers, only those of a killed server end, and no new one meets it twice.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { startGateway } from '../support/gateway.ts'
import { eventually } from '../support/until.ts'

const CONNECTIONS = 300

interface NamedServer {
  readonly port: number
  /** Resets its connections, and refuses new ones. */
  kill(): void
}

/** Sends its name to each client. */
async function startNamed(t: TestContext, name: string): Promise<NamedServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.write(name)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const kill = (): void => {
    server.close()
    for (const socket of sockets) socket.resetAndDestroy()
  }
  t.after(kill)
  return { port: (server.address() as AddressInfo).port, kill }
}

interface Client {
  readonly socket: Socket
  /** The first bytes; '' if it ended before. */
  readonly server: string
}

function openClient(t: TestContext, port: number): Promise<Client> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.once('data', (bytes) => resolve({ socket, server: bytes.toString() }))
    socket.once('close', () => resolve({ socket, server: '' }))
  })
}

test('only the connections of a killed server end, and a new one never meets it twice', async (t) => {
  const names = ['a', 'b', 'c']
  const servers = await Promise.all(names.map((name) => startNamed(t, name)))
  const urls = Object.fromEntries(
    servers.map(({ port }, i) => [names[i] ?? '', `tcp://127.0.0.1:${port}`]),
  )
  const gateway = await startGateway(t, {
    listeners: { db: { address: '127.0.0.1:0', protocol: 'tcp', backend: 'db' } },
    backends: { db: { servers: urls } },
  })
  const open = (count: number): Promise<Client[]> =>
    Promise.all(Array.from({ length: count }, () => openClient(t, gateway.port)))
  const clients = await open(CONNECTIONS)
  const of = (name: string): readonly Client[] => clients.filter(({ server }) => server === name)
  assert.deepEqual(
    names.map((name) => of(name).length),
    [100, 100, 100],
  )

  servers[0]?.kill()
  await eventually(() => of('a').every(({ socket }) => socket.closed), 'its connections end')
  const fresh = await open(CONNECTIONS / 3)

  assert.ok(
    fresh.every(({ server }) => server === 'b' || server === 'c'),
    'every new connection has another server',
  )
  for (const { socket } of fresh) socket.destroy()
  await eventually(
    () => gateway.streams().length === 100 + fresh.length,
    'the streams that have ended are recorded',
  )
  // The others of the first ones are open, so that none of the records is theirs.
  const attempts = gateway
    .records()
    .slice(100)
    .map((record) => record.attempts)
  assert.ok(
    attempts.every((count) => count === 1 || count === 2),
    attempts.join(' '),
  )
  assert.ok([...of('b'), ...of('c')].every(({ socket }) => !socket.closed && !socket.readableEnded))
})
