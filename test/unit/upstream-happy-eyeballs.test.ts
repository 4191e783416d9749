import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { clock } from '../../src/http/connection/clock.ts'
import { SocketReads } from '../../src/http/connection/socket-reads.ts'
import { HappyEyeballs } from '../../src/upstream/connecting/happy-eyeballs.ts'
import { makeBackend, openBoard } from '../support/endpoints.ts'
import { startSilent } from '../support/silent.ts'

test('an address that was overtaken comes last for the next connection', async (t) => {
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  await startSilent(t, '127.0.0.2', port)
  const board = openBoard(t)
  const addresses = ['127.0.0.2', '127.0.0.1']
  board.names.apply([{ name: 'app.test', addresses, failure: null }])
  const [endpoint] = board.endpoints(makeBackend({ s: { host: 'app.test', port } }))
  assert.ok(endpoint)

  const found = await new Promise<Socket | Error>((resolve) => {
    const owner = {
      dialed: resolve,
      caught: (error: unknown) => resolve(error as Error),
    }
    new HappyEyeballs(endpoint, new SocketReads(), owner, null)
  })

  assert.ok(!(found instanceof Error), String(found))
  found.destroy()
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(endpoint.addresses.order(clock.now), ['127.0.0.1', '127.0.0.2'])
  }
})
