/** Node 24 ends the process if a handle gets no request: there, no handle is written to. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { endOf, HandleEnd, handleOf } from '../../src/http/connection/handle-end.ts'
import { HANDLES_TAKE_NO_REQUEST, takesNoRequest } from '../../src/http/connection/handle-writes.ts'

interface Written {
  writeLatin1String(request: unknown, text: string): number
}

/** A socket of a Node that gives its handles such requests. */
function giving(request: unknown): (handle: object) => Socket {
  return (handle) =>
    Object.assign(new Socket(), {
      write: (text: string) => (handle as Written).writeLatin1String(request, text) === 0,
    })
}

async function connected(t: TestContext): Promise<{ socket: Socket; peer: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[peer]] = await Promise.all([accepted, once(socket, 'connect')])
  peer.on('error', () => {})
  t.after(() => {
    socket.destroy()
    peer.destroy()
    server.close()
  })
  return { socket: socket.pause(), peer }
}

test('a handle is written to only if sockets give it no request', () => {
  assert.equal(takesNoRequest(giving(null)), true)
  assert.equal(takesNoRequest(giving({})), false)
  assert.equal(
    takesNoRequest(() => Object.assign(new Socket(), { write: () => true })),
    false,
    'a socket that does not use its handle',
  )
  assert.equal(HANDLES_TAKE_NO_REQUEST, !process.version.startsWith('v24.'))
})

test('an end writes by its handle or by its socket, as this Node permits', async (t) => {
  const { socket, peer } = await connected(t)
  assert.equal(handleOf(socket) !== null, HANDLES_TAKE_NO_REQUEST)

  const end = endOf(socket)
  end.write(Buffer.from('hello'), 5)
  const [data] = (await once(peer, 'data')) as [Buffer]

  assert.equal(end instanceof HandleEnd, HANDLES_TAKE_NO_REQUEST)
  assert.equal(data.toString(), 'hello')
  end.reset()
})
