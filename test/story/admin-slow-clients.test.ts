// Issue 14: "1,000 slow connections ... and traffic does not notice".
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createClient } from '../../src/client/client.ts'
import { openClient } from '../support/client.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'

const SLOW = 1000
const TRAFFIC = 300

/** Of each, a head that never ends, a body that never comes, or nothing. */
const BEGINNINGS = [
  'GET /api/table HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
  'PUT /api/objects/backend/b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
  'GET /api/events HTTP/1.1\r\nHost: localhost\r\n',
  '',
]

interface SlowClients {
  /** How many were ended by the admin. */
  ended(): number
  readonly settled: Promise<unknown>
}

/** `settled`: each is connected, or was refused. */
function openSlow(t: TestContext, port: number): SlowClients {
  let ended = 0
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const settled = Array.from({ length: SLOW }, (_, at) => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    const beginning = BEGINNINGS[at % BEGINNINGS.length] ?? ''
    return new Promise<void>((resolve) => {
      socket.once('connect', () => {
        if (beginning !== '') socket.write(beginning)
        resolve()
      })
      socket.on('error', () => resolve())
      socket.on('close', () => {
        ended += 1
        resolve()
      })
      socket.resume()
    })
  })
  return { ended: () => ended, settled: Promise.all(settled) }
}

test('traffic does not notice a thousand slow clients of the admin, and its socket still answers', async (t) => {
  const folder = makeFolder(t)
  const socket = join(folder, 'admin.sock')
  const origin = await startNamed(t, 'a')
  const program = await startProgram(
    t,
    {
      workers: 1,
      admin: { address: '127.0.0.1:0', socket },
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: { b: { servers: { s: origin.url } } },
      frontends: { f: { route: 'Host("a.test")', backend: 'b' } },
    },
    { folder },
  )
  const slow = openSlow(t, program.admin)
  await slow.settled
  const local = createClient({ baseUrl: `unix:${socket}` })
  t.after(() => local.close())
  const clients = [await openClient(t, program.port), await openClient(t, program.port)]

  const statuses = new Set<number>()
  await Promise.all(
    clients.map(async (client) => {
      for (let sent = 0; sent < TRAFFIC; sent++) {
        statuses.add((await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).status)
      }
    }),
  )
  const written = await local.objects.put('backend', 'c', {}, { wait: '10s' })

  assert.deepEqual([...statuses], [200])
  assert.equal(written.status?.state, 'in-force')
  // It keeps 256, and ends those that do not get on.
  await eventually(() => slow.ended() >= SLOW - 256, 'the admin refuses those above its limit')
  await eventually(
    async () => (await program.ask('/healthz').catch(() => null))?.status === 200,
    'the admin answers again',
  )
})
