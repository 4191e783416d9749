// facts/edge.md 4: options of listeners and of hosts. RFC 8446, RFC 6066 section 3, RFC 9110 7.4 (421).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { createAuthority, type CertificateAuthority } from '../support/certificates.ts'
import { openTlsClient, type TlsClient } from '../support/client.ts'
import { clientHello } from '../support/client-hello.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

interface Edge {
  readonly authority: CertificateAuthority
  readonly gateway: TestGateway
  readonly origin: Origin
  configure(tls: object, hosts?: object, listener?: object): Promise<void>
  connect(servername: string, more?: ConnectionOptions): Promise<TlsClient>
  /** The protocol version, or the failure. */
  versionOf(servername: string, more?: ConnectionOptions): Promise<string>
}

const NAMES = ['a.test', 'b.test', '*.wild.test'] as const

async function startEdge(
  t: TestContext,
  tls: object,
  hosts: object = {},
  listener: object = {},
): Promise<Edge> {
  const authority = createAuthority(t)
  const origin = await startOrigin(t)
  origin.follow(OK)
  const certificates = NAMES.map((name) => authority.issue(name)).map(({ cert, key }) => ({
    cert,
    key,
  }))
  const configOf = (options: object, declared: object, own: object): object => ({
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        ...own,
        tls: { certificates, ...options },
      },
    },
    hosts: declared,
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const gateway = await startGateway(t, configOf(tls, hosts, listener))
  const connect = (servername: string, more: ConnectionOptions = {}): Promise<TlsClient> =>
    openTlsClient(t, gateway.ports['secure'] ?? 0, { servername, ca: authority.cert, ...more })
  return {
    authority,
    gateway,
    origin,
    configure: (options, declared = {}, own = {}) =>
      gateway.apply(configOf(options, declared, own)),
    connect,
    async versionOf(servername, more) {
      try {
        const client = await connect(servername, more)
        return client.socket.getProtocol() ?? ''
      } catch (error) {
        return String(error)
      }
    },
  }
}

const TLS_12 = { maxVersion: 'TLSv1.2' } as const
const hostRequest = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`

test('the modern profile speaks TLS 1.3 only, the intermediate one 1.2, too', async (t) => {
  const edge = await startEdge(t, { profile: 'modern' })

  assert.equal(await edge.versionOf('a.test'), 'TLSv1.3')
  assert.match(await edge.versionOf('a.test', TLS_12), /protocol version/i)
  await edge.configure({ profile: 'intermediate' })
  assert.equal(await edge.versionOf('a.test', TLS_12), 'TLSv1.2')
})

test('by default CBC, DHE and suites without forward secrecy are not spoken', async (t) => {
  const edge = await startEdge(t, {})

  for (const ciphers of [
    'ECDHE-ECDSA-AES128-SHA256',
    'AES128-GCM-SHA256',
    'DHE-RSA-AES128-GCM-SHA256',
  ])
    assert.match(
      await edge.versionOf('a.test', { ...TLS_12, ciphers }),
      /handshake failure/i,
      ciphers,
    )
  for (const ciphers of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'])
    assert.equal(await edge.versionOf('a.test', { ...TLS_12, ciphers }), 'TLSv1.2', ciphers)
})

test('suites and curves are chosen by hand, in the order of the server', async (t) => {
  const edge = await startEdge(t, {
    ciphers: ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    curves: ['CurveP384'],
  })

  const client = await edge.connect('a.test', TLS_12)

  assert.equal(client.socket.getCipher().name, 'ECDHE-ECDSA-CHACHA20-POLY1305')
  assert.equal((client.socket.getEphemeralKeyInfo() as { name?: string }).name, 'secp384r1')
  assert.match(await edge.versionOf('a.test', { ecdhCurve: 'X25519' }), /handshake failure/i)
  assert.equal(await edge.versionOf('a.test'), 'TLSv1.3')
})

test('a host has its own versions, exact or by a wildcard, and the others those of the listener', async (t) => {
  const edge = await startEdge(
    t,
    {},
    {
      'a.test': { tls: { profile: 'modern' } },
      wild: { names: ['*.Wild.test'], tls: { minVersion: 'TLSv1.3' } },
      'x.wild.test': { tls: { minVersion: 'TLSv1.2' } },
    },
  )

  for (const [name, version] of [
    ['a.test', /protocol version/i],
    ['A.TEST', /protocol version/i],
    ['b.test', /^TLSv1.2$/],
    ['y.wild.test', /protocol version/i],
    ['x.wild.test', /^TLSv1.2$/],
  ] as const)
    assert.match(await edge.versionOf(name, TLS_12), version, name)
  assert.equal(await edge.versionOf('a.test'), 'TLSv1.3')
})

test('a request for a host with other options than those of its connection is 421', async (t) => {
  const edge = await startEdge(t, {}, { 'a.test': { tls: { profile: 'modern' } } })
  const onA = await edge.connect('a.test')
  assert.equal((await onA.ask(hostRequest('a.test'))).status, 200)
  assert.equal((await onA.ask(hostRequest('b.test'))).status, 421)

  const onB = await edge.connect('b.test')
  assert.equal((await onB.ask(hostRequest('x.wild.test'))).status, 200)
  assert.equal((await onB.ask(hostRequest('A.test.:443'))).status, 421)
  assert.equal(edge.gateway.records().at(-1)?.reason, 'MISDIRECTED')
})

test('a connection goes on when options that do not concern certificates of clients change', async (t) => {
  const edge = await startEdge(t, {}, { 'a.test': { tls: { minVersion: 'TLSv1.2' } } })
  const onA = await edge.connect('a.test')
  const onB = await edge.connect('b.test')
  await onA.ask(hostRequest('a.test'))

  await edge.configure({}, { 'a.test': { tls: { profile: 'modern' } } })

  assert.equal((await onA.ask(hostRequest('a.test'))).status, 200)
  assert.equal((await onB.ask(hostRequest('b.test'))).status, 200)
  await edge.configure({})
  assert.equal((await onA.ask(hostRequest('a.test'))).status, 200)
})

test('without tickets no session is resumed, and the other hosts go on to resume theirs', async (t) => {
  const edge = await startEdge(t, {}, { 'a.test': { tls: { tickets: false } } })
  const isResumed = async (name: string, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<boolean> => {
    const first = await edge.connect(name, { maxVersion })
    await first.ask(hostRequest(name))
    const session = first.socket.getSession() ?? Buffer.alloc(0)
    const second = await edge.connect(name, { maxVersion, session })
    return second.socket.isSessionReused()
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    assert.equal(await isResumed('a.test', version), false, version)
    assert.equal(await isResumed('b.test', version), true, version)
  }
})

test('what a client is refused for is one line in the log', async (t) => {
  const edge = await startEdge(t, { profile: 'modern' })

  await edge.versionOf('a.test', TLS_12)
  await edge.versionOf('a.test', TLS_12)

  assert.deepEqual(edge.gateway.notices(), [
    'listener "secure" ended a TLS handshake with 127.0.0.1: it speaks only versions of TLS that are older than minVersion',
  ])
})

test('strictSni holds for hosts with options of their own, and its refusal is one line in the log', async (t) => {
  const edge = await startEdge(
    t,
    {},
    { 'a.test': { tls: { profile: 'modern' } } },
    { strictSni: true },
  )

  assert.match(await edge.versionOf('other.test'), /unrecognized name/i)
  assert.match(await edge.versionOf(''), /unrecognized name/i)
  assert.equal(await edge.versionOf('a.test'), 'TLSv1.3')
  assert.deepEqual(edge.gateway.notices(), [
    'listener "secure" ended a TLS handshake with 127.0.0.1: it requested the name "other.test", and strictSni refuses what no certificate covers',
  ])
})

test('a client that stays after its name was refused does not keep its connection', async (t) => {
  const edge = await startEdge(
    t,
    {},
    { 'a.test': { tls: { profile: 'modern' } } },
    { strictSni: true },
  )
  const port = edge.gateway.ports['secure'] ?? 0
  const client = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => client.destroy())
  client.on('error', () => {})

  client.write(clientHello({ servername: 'other.test' }))
  client.resume()
  await once(client, 'end')
  assert.equal(client.destroyed, false)

  // The client's side is still open: what it sends is refused only when the gateway has closed the connection.
  await eventually(() => {
    if (!client.destroyed) client.write('more')
    return client.destroyed
  }, 'the gateway has closed the connection')
})

test('new ticket keys are a whole handshake for old sessions, and resume new ones', async (t) => {
  const edge = await startEdge(t, {}, { 'b.test': { tls: { profile: 'modern' } } })
  const sessions = new Map<string, Buffer | undefined>()
  const isResumed = async (name: string): Promise<boolean> => {
    const known = sessions.get(name)
    const client = await edge.connect(name, known === undefined ? {} : { session: known })
    await client.ask(hostRequest(name))
    sessions.set(name, client.socket.getSession())
    return client.socket.isSessionReused()
  }

  for (const name of ['a.test', 'b.test']) {
    assert.equal(await isResumed(name), false)
    assert.equal(await isResumed(name), true)
  }
  edge.gateway.setTicketKeys(Buffer.alloc(48, 7))

  for (const name of ['a.test', 'b.test']) {
    assert.equal(await isResumed(name), false)
    assert.equal(await isResumed(name), true)
  }
})
