// Issue: "session resumption across workers".
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { SecureVersion } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { openTlsClient } from '../support/client.ts'
import { choosePort } from '../support/ports.ts'
import { type Program, startProgram } from '../support/program.ts'
import { sessionOf } from '../support/tls-session.ts'

/** The kernel spreads connections over two threads: that all of these are at one is as good as impossible. */
const TRIES = 24

interface Secure {
  readonly port: number
  readonly ca: string
  readonly program: Program
  /** Another program at the same port. */
  again(): Promise<Program>
}

async function startSecure(t: TestContext, settings: object = {}): Promise<Secure> {
  const authority = createAuthority(t)
  const port = await choosePort()
  const certificates = ['a.test', 'b.test'].map((name) => {
    const { certPath, keyPath } = authority.issue(name)
    return { cert: certPath, key: keyPath }
  })
  const config = {
    workers: 2,
    ...settings,
    listeners: {
      web: { address: `127.0.0.1:${port}`, protocol: 'https', tls: { certificates } },
    },
    frontends: { all: { route: 'PathPrefix("/")', respond: { status: 204 } } },
  }
  const again = (): Promise<Program> => startProgram(t, config)
  return { port, ca: authority.cert, program: await again(), again }
}

const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3']

for (const version of VERSIONS) {
  test(`a session of ${version} that began at one thread resumes at every other`, async (t) => {
    const { port, ca } = await startSecure(t)

    for (const servername of ['a.test', 'b.test']) {
      const options = { ca, servername, minVersion: version, maxVersion: version }
      const first = await openTlsClient(t, port, options)
      const ticket = await sessionOf(first.socket, version)
      assert.equal(first.socket.isSessionReused(), false)

      for (let turn = 0; turn < TRIES; turn++) {
        const next = await openTlsClient(t, port, { ...options, session: ticket })
        assert.equal(next.socket.isSessionReused(), true, `${servername}, try ${turn}`)
        const response = await next.ask(`GET / HTTP/1.1\r\nHost: ${servername}\r\n\r\n`)
        assert.equal(response.status, 204, `${servername}, try ${turn}`)
        next.socket.destroy()
      }
    }
  })
}

test('with a ticket secret a session resumes after a restart', async (t) => {
  const { port, ca, program, again } = await startSecure(t, {
    tls: { ticketSecret: 's'.repeat(32) },
  })
  const options = { ca, servername: 'a.test' }
  const first = await openTlsClient(t, port, options)
  const ticket = await sessionOf(first.socket, 'TLSv1.3')
  first.socket.destroy()
  program.signal('SIGTERM')
  await program.ended()

  await again()

  const next = await openTlsClient(t, port, { ...options, session: ticket })
  assert.equal(next.socket.isSessionReused(), true)
})
