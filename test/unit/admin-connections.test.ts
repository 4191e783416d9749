/** Connections that are held, in clear and with TLS, do not keep new ones out of the admin. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, request, type RequestListener } from 'node:http'
import { createServer as createTlsServer, request as tlsRequest } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { test, type TestContext } from 'node:test'
import { keepRoom } from '../../src/admin/connection-room.ts'
import { createAuthority } from '../support/certificates.ts'
import { eventually } from '../support/until.ts'

const MOST = 3

interface Site {
  hold(): Promise<Socket>
  /** The status of a GET on a connection of its own. */
  ask(path: string): Promise<number>
}

async function startSite(t: TestContext, isTls: boolean, handler: RequestListener): Promise<Site> {
  const leaf = isTls ? createAuthority(t).issueWith({}, 'localhost') : null
  const server = leaf === null ? createServer(handler) : createTlsServer(leaf, handler)
  keepRoom(server, MOST)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const to = { host: '127.0.0.1', port, agent: false, rejectUnauthorized: false } as const
  return {
    async hold() {
      const socket = isTls ? connectTls(to) : connect(to)
      t.after(() => socket.destroy())
      socket.on('error', () => {})
      await once(socket, isTls ? 'secureConnect' : 'connect')
      return socket
    },
    ask: (path) =>
      new Promise((resolve, reject) => {
        const outgoing = (isTls ? tlsRequest : request)({ ...to, path })
        outgoing.once('error', reject)
        outgoing.once('response', (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
        outgoing.end()
      }),
  }
}

const answers: RequestListener = (_request, response) => void response.end('ok\n')

for (const isTls of [false, true]) {
  const by = isTls ? 'TLS' : 'TCP'

  test(`of connections by ${by} that are only held, the oldest makes room`, async (t) => {
    const site = await startSite(t, isTls, answers)
    const held = [await site.hold(), await site.hold(), await site.hold()] as const
    held[1].write('GET / HTTP/1.1\r\nHost: localhost\r\n')
    const closed = once(held[0], 'close')

    const status = await site.ask('/healthz')
    const last = await site.hold()
    await closed

    assert.equal(status, 200)
    assert.deepEqual([held[1].destroyed, held[2].destroyed], [false, false])
    assert.equal(last.destroyed, false)
  })

  test(`a connection by ${by} with a request under way is kept, and waits anew afterwards`, async (t) => {
    const pending: (() => void)[] = []
    const site = await startSite(t, isTls, (incoming, response) => {
      if (incoming.url === '/slow') pending.push(() => response.end('at last'))
      else response.end('ok\n')
    })
    const busy = await site.hold()
    busy.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const idle = await site.hold()
    await site.hold()
    const closed = once(idle, 'close')

    const status = await site.ask('/healthz')
    await site.hold()
    await closed

    assert.equal(status, 200)
    assert.equal(busy.destroyed, false)
    pending.forEach((end) => end())
    const [bytes] = (await once(busy, 'data')) as [Buffer]
    assert.match(bytes.toString(), /at last/)
  })
}

test('with requests under way on all connections, a further one is refused', async (t) => {
  const pending: (() => void)[] = []
  const site = await startSite(t, false, (_incoming, response) => {
    pending.push(() => response.end())
    arrived()
  })
  let arrived = (): void => {}
  for (let count = 0; count < MOST; count++) {
    const here = new Promise<void>((resolve) => (arrived = resolve))
    const socket = await site.hold()
    socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await here
  }

  await assert.rejects(site.ask('/healthz'), /ECONNRESET|socket hang up/)

  pending.forEach((end) => end())
})

test('of many connections that come at once, those that send a request are kept', async () => {
  const server = new EventEmitter()
  keepRoom(server, MOST)
  const arrive = (port: number): Socket & { destroyed: boolean } => {
    const socket = Object.assign(new EventEmitter(), {
      ...{ remoteAddress: '127.0.0.1', remotePort: port, destroyed: false },
      destroy: () => void (socket.destroyed = true),
    })
    server.emit('connection', socket)
    return socket as unknown as Socket
  }
  const sockets = Array.from({ length: 20 }, (_, at) => arrive(at))
  const [first] = sockets

  server.emit('request', { socket: first }, new EventEmitter())
  await eventually(() => sockets.some(({ destroyed }) => destroyed), 'there is room again')

  assert.equal(first?.destroyed, false)
  assert.equal(sockets.filter(({ destroyed }) => !destroyed).length, MOST)
  const many = Array.from({ length: 1_000 }, (_, at) => arrive(100 + at))
  assert.ok(many.filter(({ destroyed }) => !destroyed).length <= 8 * MOST)
})
