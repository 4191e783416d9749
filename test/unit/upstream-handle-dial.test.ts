import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { endOf } from '../../src/http/connection/handle-end.ts'
import { HANDLES_TAKE_NO_REQUEST } from '../../src/http/connection/handle-writes.ts'
import type { StreamEnd } from '../../src/http/connection/stream-end.ts'
import { dialHandle } from '../../src/upstream/connecting/handle-dial.ts'
import type { ConnectableServer } from '../../src/upstream/connecting/happy-eyeballs.ts'
import { makeBackend, openBoard } from '../support/endpoints.ts'
import { choosePort } from '../support/ports.ts'

testDial('a server with one address is connected to on a handle', async (t) => {
  const { server, next } = await listen(t)
  const accepted = next()
  const found = await dial(server)
  assert.ok(!(found instanceof Error), String(found))
  const peer = await accepted

  found.write(Buffer.from('hello'), 5)
  const [data] = (await once(peer, 'data')) as [Buffer]
  assert.equal(data.toString(), 'hello')
  found.finish()
  await once(peer, 'end')
  found.reset()
})

testDial('a server that listens nowhere is refused with its address', async (t) => {
  await listen(t)
  const found = await dial(serverAt(t, await choosePort()))
  assert.ok(found instanceof Error)
  assert.match(found.message, /^connect ECONNREFUSED 127\.0\.0\.1:\d+$/)
  assert.equal('code' in found ? found.code : '', 'ECONNREFUSED')
})

testDial("a connection to one of the proxy's own addresses is closed", async (t) => {
  const { server, next } = await listen(t)
  server.own.replace([{ name: 'the admin', host: '0.0.0.0', port: server.target.port }])
  const accepted = next()
  const found = await dial(server)
  assert.ok(found instanceof Error)
  assert.match(found.message, /leads back to the proxy: it is the admin/)
  const peer = await accepted
  if (!peer.destroyed) await new Promise((resolve) => peer.once('close', resolve))
})

testDial('a dial that is cancelled does not call back', async (t) => {
  const { server } = await listen(t)
  const dialing = dialHandle(server, {
    connected: () => assert.fail('it was cancelled'),
    caught: (error) => assert.fail(String(error)),
  })
  assert.ok(dialing)
  dialing.cancel()
  // A later dial is connected after it.
  const found = await dial(server)
  assert.ok(!(found instanceof Error), String(found))
  found.reset()
})

/** On a Node whose handles are not written to (handle-writes.ts) no server is dialed on one. */
function testDial(name: string, run: (t: TestContext) => Promise<void>): void {
  if (HANDLES_TAKE_NO_REQUEST) test(name, run)
  else
    test(`not by this Node: ${name}`, async (t) => {
      const { server } = await listen(t)
      assert.equal(dialHandle(server, { connected: () => {}, caught: () => {} }), null)
    })
}

async function dial(server: ConnectableServer): Promise<StreamEnd | Error> {
  return new Promise((connected, caught) => {
    assert.ok(dialHandle(server, { connected, caught }), 'it is not dialed on a handle')
  })
}

function serverAt(t: TestContext, port: number): ConnectableServer {
  const [endpoint] = openBoard(t).endpoints(makeBackend({ s: { host: '127.0.0.1', port } }))
  assert.ok(endpoint)
  return endpoint
}

/** A server, and the keys of handles as a first client makes them known. */
async function listen(
  t: TestContext,
): Promise<{ server: ConnectableServer; next: () => Promise<Socket> }> {
  const sockets: Socket[] = []
  const listening = createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    listening.close()
  })
  const { port } = listening.address() as AddressInfo
  const next = async (): Promise<Socket> => {
    const [socket] = (await once(listening, 'connection')) as [Socket]
    return socket
  }
  const accepted = next()
  const first = connect({ port, host: '127.0.0.1' })
  await Promise.all([once(first, 'connect'), accepted])
  endOf(first.pause()).reset()
  // The first dial of all is made in another way.
  const ignored = { connected: () => {}, caught: () => {} }
  dialHandle(serverAt(t, await choosePort()), ignored)?.cancel()
  await setImmediate()
  return { server: serverAt(t, port), next }
}
