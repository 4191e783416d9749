import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { TlsEnd } from '../../src/downstream/tls-end.ts'
import { parseListener } from '../../src/schema/objects.ts'
import { createAuthority } from '../support/certificates.ts'
import { readFile, valueOf } from '../support/parsed.ts'
import { eventually } from '../support/until.ts'

interface Site {
  readonly port: number
  readonly failures: readonly string[]
  /** A connection without a byte. */
  silent(): Promise<Socket>
  /** The first bytes behind a handshake, or the error. */
  shake(): Promise<string>
}

/** A TLS end that serves `hello` and takes so many handshakes at a time. */
async function startEnd(t: TestContext, most: number): Promise<Site> {
  const authority = createAuthority(t)
  const { certPath: cert, keyPath: key } = authority.issue('localhost')
  const declared = { address: ':1', protocol: 'https', tls: { certificates: [{ cert, key }] } }
  const listener = valueOf(parseListener('web', declared, readFile))
  const failures: string[] = []
  const owner = {
    secured: (socket: Socket) => void socket.on('error', () => {}).write('hello'),
    failed: (_socket: Socket, error: NodeJS.ErrnoException) => void failures.push(`${error.code}`),
    unrecognized: () => {},
    onFault: (error: unknown) => assert.fail(String(error)),
  }
  const end = new TlsEnd(listener, [], randomBytes(48), owner, most)
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    t.after(() => socket.destroy())
    end.shakeHands(
      socket.on('error', () => {}),
      null,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port } = address
  return {
    port,
    failures,
    async silent() {
      const client = connect(port, '127.0.0.1').on('error', () => {})
      t.after(() => client.destroy())
      await Promise.all([once(client, 'connect'), once(server, 'connection')])
      return client
    },
    shake: () =>
      new Promise((resolve) => {
        const client = connectTls({
          ...{ port, host: '127.0.0.1', servername: 'localhost' },
          ca: authority.cert,
        })
        t.after(() => client.destroy())
        client.on('error', (error) => resolve(error.message))
        client.on('data', (data) => resolve(data.toString()))
      }),
  }
}

test('silent connections keep no client from its handshake: those that wait longest are closed', async (t) => {
  const { silent, shake } = await startEnd(t, 2)
  const first = await silent()
  const second = await silent()

  assert.equal(await shake(), 'hello')

  await eventually(() => first.destroyed, 'the first one is closed')
  assert.equal(second.destroyed, false)
})

test('a complete handshake does not count', async (t) => {
  const { silent, shake, failures } = await startEnd(t, 2)
  const waiting = await silent()

  for (let times = 0; times < 4; times++) assert.equal(await shake(), 'hello')

  assert.equal(waiting.destroyed, false)
  assert.deepEqual(failures, [])
})
