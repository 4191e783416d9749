// A handshake for a name without a certificate waits until it is ordered, is refused, or has been there all along.
import assert from 'node:assert/strict'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { test, type TestContext } from 'node:test'
import { type CertificateAuthority, createAuthority } from '../support/certificates.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { eventually } from '../support/until.ts'

interface Setup {
  readonly ca: CertificateAuthority
  readonly gateway: TestGateway
  /** Brings certificates of these names into force, beside the first. */
  issue(...names: readonly string[]): Promise<void>
  /** The common name of the certificate that the client gets, or the error. */
  shakeHands(name: string): Promise<string>
}

async function start(t: TestContext): Promise<Setup> {
  const ca = createAuthority(t)
  const first = ca.issue('first.example')
  const config = (...names: readonly string[]): object => ({
    listeners: {
      web: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert: first.cert, key: first.key }] },
      },
    },
    hosts: Object.fromEntries(
      names.map((name) => {
        const { cert, key } = ca.issue(name)
        return [name, { cert, key }]
      }),
    ),
    frontends: { all: { route: 'PathPrefix("/")', respond: { status: 200 } } },
  })
  const gateway = await startGateway(t, { ...config(), onDemand: true })
  return {
    ca,
    gateway,
    issue: (...names) => gateway.apply(config(...names)),
    shakeHands: (name) => subjectFor(t, gateway.port, name),
  }
}

function subjectFor(t: TestContext, port: number, servername: string): Promise<string> {
  const named = servername === '' ? {} : { servername }
  const socket: TLSSocket = connect({
    ...{ port, host: '127.0.0.1', rejectUnauthorized: false },
    ...named,
  })
  t.after(() => socket.destroy())
  return new Promise((resolve) => {
    socket.once('error', (error) => resolve(error.message))
    socket.once('secureConnect', () => {
      const { subject } = socket.getPeerCertificate() as PeerCertificate
      resolve(String(subject.CN))
    })
  })
}

test('all clients of a name wait for its certificate, which is ordered once', async (t) => {
  const { gateway, issue, shakeHands } = await start(t)

  const waiting = [1, 2, 3].map(() => shakeHands('New.example'))
  await eventually(() => gateway.wanted().length > 0, 'a certificate is wanted')
  assert.equal(await shakeHands('first.example'), 'first.example')
  await issue('new.example')

  assert.deepEqual(await Promise.all(waiting), ['new.example', 'new.example', 'new.example'])
  assert.equal(await shakeHands('new.example'), 'new.example')
  assert.deepEqual(gateway.wanted(), ['new.example'])
})

test('a name that is refused goes on without its certificate, and is not requested again at once', async (t) => {
  const { gateway, shakeHands } = await start(t)

  const waiting = shakeHands('new.example')
  await eventually(() => gateway.wanted().length > 0, 'a certificate is wanted')
  gateway.refuseCertificate('new.example')

  assert.equal(await waiting, 'first.example')
  assert.equal(await shakeHands('new.example'), 'first.example')
  assert.deepEqual(gateway.wanted(), ['new.example'])
})

test('a certificate for another name lets no one else go on', async (t) => {
  const { gateway, issue, shakeHands } = await start(t)
  let isOver = false
  const waiting = shakeHands('new.example').finally(() => (isOver = true))
  await eventually(() => gateway.wanted().length > 0, 'a certificate is wanted')

  await issue('other.example')
  assert.equal(await shakeHands('other.example'), 'other.example')
  assert.equal(isOver, false)
  gateway.refuseCertificate('new.example')

  assert.equal(await waiting, 'first.example')
})

test('a client without a name waits for nothing', async (t) => {
  const { gateway, shakeHands } = await start(t)

  assert.equal(await shakeHands(''), 'first.example')
  assert.deepEqual(gateway.wanted(), [])
})

test('clients that leave, and the end of the gateway, end the wait', async (t) => {
  const { gateway, shakeHands } = await start(t)
  const waiting = shakeHands('new.example')
  await eventually(() => gateway.wanted().length > 0, 'a certificate is wanted')

  await gateway.close()

  assert.match(await waiting, /disconnected|ECONNRESET|hang up/)
})
