// A connection to a server, below the gateway: what it does between two requests.
import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { ClientSide, ConnectedPeer, Exchange, ResponseSink } from '../../src/http/exchange.ts'
import type { Timeouts } from '../../src/model/snapshot.ts'
import { ServerConnection } from '../../src/upstream/endpoint/server-connection.ts'
import { makeBackend, makeServer, openBoard } from '../support/endpoints.ts'
import { backendOf } from '../support/objects.ts'
import { requestOf } from '../support/middleware-context.ts'
import { listen } from '../support/origin.ts'

const NO_ADDRESSES = { source: null, destination: null }
const TIMEOUTS: Timeouts = {
  ...backendOf('b', []).timeouts,
  connectMs: 5_000,
  firstByteMs: 5_000,
}
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a connection that waited for a client in an interim response reads the response to its next request', async (t) => {
  const server = createServer((socket) => socket.on('data', () => socket.write(HINTS + OK)))
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { host, url } = makeServer('a', { host: '127.0.0.1', url: `http://127.0.0.1:${port}` })
  const backend = makeBackend({ a: { host, url, port } })
  const [endpoint] = openBoard(t).endpoints(backend)
  assert.ok(endpoint)
  const connection = ServerConnection.open(endpoint, TIMEOUTS, null)
  t.after(() => connection.abandon())

  const first = await responseOf(connection)
  const second = await responseOf(connection)

  assert.deepEqual([first, second], ['200 ok', '200 ok'])

  function responseOf(asked: ServerConnection): Promise<string> {
    return new Promise((resolve, reject) => {
      const sink: ResponseSink = {
        holdsData: false,
        // The client takes no more.
        interim: () => false,
        responseHead: (head, data) => {
          resolve(`${head.status} ${data?.toString()}`)
          return true
        },
        responseData: () => true,
        responseEnd: () => {},
        pin: () => {},
        upgraded: () => {},
        failed: reject,
        resumeBody: () => {},
        fault: reject,
      }
      asked.send(requestOf(), true, sink, TIMEOUTS, false)
    })
  }
})

test('a connection that became a tunnel is closed by the tunnel, not with its client', async (t) => {
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
  const server = createServer((socket) => socket.on('data', () => socket.write(switched)))
  t.after(() => server.close())
  const port = await listen(server)
  const url = `http://127.0.0.1:${port}`
  const backend = makeBackend({ a: { host: '127.0.0.1', url, port } }, { proxyProtocol: 2 })
  const [endpoint] = openBoard(t).endpoints(backend)
  assert.ok(endpoint)
  const clientPeer: ConnectedPeer = { addresses: NO_ADDRESSES, pinned: null }
  const client = { clientPeer } as unknown as ClientSide
  const connection = endpoint.acquire({ client, grpc: null } as Exchange, false, TIMEOUTS)
  assert.ok(connection)
  t.after(() => connection.abandon())
  assert.deepEqual([...(clientPeer.pinned ?? [])], [connection])

  await new Promise<void>((resolve, reject) => {
    const sink = { upgraded: () => resolve(), failed: reject, fault: reject, resumeBody() {} }
    const request = requestOf()
    request.head.upgrade = 'x'
    connection.send(request, true, sink as unknown as ResponseSink, TIMEOUTS, false)
  })

  assert.equal(clientPeer.pinned?.size, 0)
})
