// facts/wire.md 4, TLS towards clients; RFC 8446, RFC 6066 (SNI), RFC 7301 (ALPN), RFC 9110 7.4 (421).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import {
  createAuthority,
  type CertificateAuthority,
  type IssuedCertificate,
} from '../support/certificates.ts'
import { openClient, openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

interface Secure {
  readonly authority: CertificateAuthority
  readonly port: number
  readonly origin: Origin
  /** Other certificates from now on. */
  serve(leaves: readonly IssuedCertificate[]): Promise<void>
  options(servername: string, more?: ConnectionOptions): ConnectionOptions
}

async function startSecure(
  t: TestContext,
  listener: object = {},
  authority: CertificateAuthority = createAuthority(t),
  leaves: readonly IssuedCertificate[] = [
    authority.issue('a.test', 'www.a.test'),
    authority.issue('b.test'),
    authority.issue('*.wild.test'),
  ],
): Promise<Secure> {
  const origin = await startOrigin(t)
  const configOf = (served: readonly IssuedCertificate[]): object => ({
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        ...listener,
        tls: {
          certificates: served.map(({ certPath, keyPath }) => ({ cert: certPath, key: keyPath })),
        },
      },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const gateway = await startGateway(t, configOf(leaves))
  return {
    authority,
    origin,
    port: gateway.ports.secure ?? 0,
    serve: (served) => gateway.apply(configOf(served)),
    options: (servername, more = {}) => ({ servername, ca: authority.cert, ...more }),
  }
}

const hostRequest = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`

test('the name that the client asks for picks the certificate', async (t) => {
  const secure = await startSecure(t)

  for (const [name, common] of [
    ['a.test', 'a.test'],
    ['www.a.test', 'a.test'],
    ['b.test', 'b.test'],
    ['B.Test', 'b.test'],
    ['x.wild.test', '*.wild.test'],
  ] as const) {
    const client = await openTlsClient(t, secure.port, secure.options(name))
    assert.equal(client.socket.getPeerCertificate().subject['CN'], common, name)
    assert.equal((await client.ask(hostRequest(name))).status, 200)
  }
})

test('a name that no certificate has, or no name, gets the first certificate', async (t) => {
  const secure = await startSecure(t)

  for (const servername of ['other.test', 'x.y.wild.test', '']) {
    const options = { ...secure.options(servername), rejectUnauthorized: false }
    const client = await openTlsClient(t, secure.port, options)
    assert.equal(client.socket.getPeerCertificate().subject['CN'], 'a.test')
    assert.equal((await client.ask(hostRequest('a.test'))).status, 200)
  }
})

test('a client is routed by its Host, whichever name it asked for, or none', async (t) => {
  const secure = await startSecure(t)

  for (const servername of ['a.test', 'b.test', 'other.test', '']) {
    const options = { ...secure.options(servername), rejectUnauthorized: false }
    const client = await openTlsClient(t, secure.port, options)
    for (const host of ['a.test', 'b.test:443', 'x.wild.test', 'elsewhere.test', '127.0.0.1']) {
      const { status } = await client.ask(hostRequest(host))
      assert.equal(status, 200, `${servername || 'no name'} asks for ${host}`)
    }
  }
})

test('with strictSni a host that the certificate of the connection does not cover is 421', async (t) => {
  const secure = await startSecure(t, { strictSni: true })
  const client = await openTlsClient(t, secure.port, secure.options('a.test'))

  assert.equal((await client.ask(hostRequest('a.test'))).status, 200)
  assert.equal((await client.ask(hostRequest('www.a.test:443'))).status, 200)
  for (const [name, host] of [
    ['a.test', 'b.test'],
    ['b.test', 'x.wild.test'],
    ['x.wild.test', 'elsewhere.test'],
  ] as const) {
    const other = await openTlsClient(t, secure.port, secure.options(name))
    assert.equal((await other.ask(hostRequest(host))).status, 421, `${name} asks for ${host}`)
  }
  assert.equal(secure.origin.requests.length, 2)
})

test('with strictSni no name, or one that no certificate has, is refused in the handshake', async (t) => {
  const secure = await startSecure(t, { strictSni: true })

  for (const servername of ['other.test', 'x.y.wild.test', '']) {
    // RFC 6066 section 3; OpenSSL itself has no certificate for a client without a name.
    const alert = servername === '' ? /handshake failure/i : /unrecognized name/i
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ...secure.options(servername), rejectUnauthorized: false, maxVersion }
      await assert.rejects(openTlsClient(t, secure.port, options), alert)
    }
  }
  const client = await openTlsClient(t, secure.port, secure.options('b.test'))
  assert.equal((await client.ask(hostRequest('b.test'))).status, 200)
})

const RSA_ONLY = [
  { sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256' },
  { sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256', maxVersion: 'TLSv1.2' },
  { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
] as const

const ECDSA_ONLY = [
  { sigalgs: 'ecdsa_secp256r1_sha256' },
  { sigalgs: 'ecdsa_secp256r1_sha256', maxVersion: 'TLSv1.2' },
  { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
] as const

test('an RSA and an ECDSA certificate of one name both serve, by what the client can', async (t) => {
  const authority = createAuthority(t)
  const secure = await startSecure(t, {}, authority, [
    authority.issueWith({ key: 'rsa' }, 'default.test'),
    authority.issueWith({ key: 'rsa' }, 'a.test'),
    authority.issue('a.test'),
    authority.issue('default.test'),
    authority.issueWith({ key: 'rsa' }, '*.wild.test'),
    authority.issue('*.wild.test'),
  ])
  const kindFor = async (servername: string, options: ConnectionOptions): Promise<string> => {
    const client = await openTlsClient(t, secure.port, secure.options(servername, options))
    const certificate = client.socket.getPeerX509Certificate()
    assert.equal((await client.ask(hostRequest(servername || 'a.test'))).status, 200)
    return certificate?.publicKey.asymmetricKeyType ?? 'none'
  }

  for (const servername of ['a.test', 'x.wild.test', 'default.test', '']) {
    const unnamed = servername === '' ? { rejectUnauthorized: false } : {}
    for (const options of RSA_ONLY) {
      assert.equal(await kindFor(servername, { ...options, ...unnamed }), 'rsa', servername)
    }
    for (const options of ECDSA_ONLY) {
      assert.equal(await kindFor(servername, { ...options, ...unnamed }), 'ec', servername)
    }
  }
  assert.equal(await kindFor('a.test', {}), 'ec')
})

test('a first message in pieces is waited for, and one that never comes is ended', async (t) => {
  const authority = createAuthority(t)
  const leaves = [authority.issueWith({ key: 'rsa' }, 'a.test'), authority.issue('a.test')]
  const secure = await startSecure(t, { timeouts: { head: '300ms' } }, authority, leaves)
  const silent = await openClient(t, secure.port)
  const half = await openClient(t, secure.port)
  half.send('\x16\x03\x01\x02\x00\x01\x00')
  const plain = await openClient(t, secure.port)
  assert.equal((await plain.ask(get('/'))).status, 400)
  const slow = connectPlain(secure.port, '127.0.0.1')
  const dripping = connect({ socket: dripped(slow), ...secure.options('a.test') })
  t.after(() => dripping.destroy())
  await once(dripping, 'secureConnect')

  await silent.closed(3_000)
  await half.closed(3_000)
  await plain.closed(3_000)
  assert.equal(secure.origin.connections.length, 0)
})

/** What is written leaves in pieces of a few bytes. */
function dripped(socket: Socket): Duplex {
  const through = new Duplex({
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      for (let at = 0; at < chunk.length; at += 400) socket.write(chunk.subarray(at, at + 400))
      done()
    },
    destroy: (_error, done) => void (socket.destroy(), done(null)),
  })
  socket.setNoDelay(true)
  socket.on('data', (chunk) => void through.push(chunk))
  socket.on('end', () => void through.push(null))
  return through
}

test('one of two certificates of a name is renewed, and the other goes on', async (t) => {
  const authority = createAuthority(t)
  const [rsa, ecdsa] = [authority.issueWith({ key: 'rsa' }, 'a.test'), authority.issue('a.test')]
  const secure = await startSecure(t, {}, authority, [rsa, ecdsa])
  const serialFor = async (options: ConnectionOptions): Promise<string> => {
    const client = await openTlsClient(t, secure.port, secure.options('a.test', options))
    return client.socket.getPeerX509Certificate()?.serialNumber ?? ''
  }
  const before = [await serialFor(RSA_ONLY[0]), await serialFor(ECDSA_ONLY[0])]

  await secure.serve([rsa, authority.issue('a.test')])

  const after = [await serialFor(RSA_ONLY[0]), await serialFor(ECDSA_ONLY[0])]
  assert.equal(after[0], before[0])
  assert.notEqual(after[1], before[1])
  await secure.serve([rsa])
  assert.equal(await serialFor({}), before[0])
})

test('speaks http/1.1 to a client that offers it, and prefers h2 unless it is off', async (t) => {
  const secure = await startSecure(t)
  const old = await startSecure(t, { http2: { enabled: false } })
  const chosen = async ({ port, options }: Secure, ...offer: string[]): Promise<unknown> => {
    const client = await openTlsClient(t, port, options('a.test', { ALPNProtocols: offer }))
    return client.socket.alpnProtocol
  }

  assert.equal(await chosen(secure, 'http/1.1', 'h2'), 'h2')
  assert.equal(await chosen(secure, 'http/1.1'), 'http/1.1')
  assert.equal(await chosen(old, 'h2', 'http/1.1'), 'http/1.1')
  const client = await openTlsClient(t, secure.port, secure.options('a.test'))
  assert.equal((await client.ask(hostRequest('a.test'))).status, 200)
})

test('TLS 1.2 and 1.3 are spoken, older versions are not', async (t) => {
  const secure = await startSecure(t)

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = secure.options('a.test', { minVersion: version, maxVersion: version })
    const client = await openTlsClient(t, secure.port, options)
    assert.equal(client.socket.getProtocol(), version)
    assert.equal((await client.ask(hostRequest('a.test'))).status, 200)
  }
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    await assert.rejects(
      openTlsClient(
        t,
        secure.port,
        secure.options('a.test', {
          minVersion: version,
          maxVersion: version,
          ciphers: 'DEFAULT:@SECLEVEL=0',
        }),
      ),
      /alert|version|ECONNRESET/i,
    )
  }
})

test('a session is resumed', async (t) => {
  const secure = await startSecure(t)

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = secure.options('a.test', { minVersion: version, maxVersion: version })
    const first = connect({ port: secure.port, host: '127.0.0.1', ...options })
    t.after(() => first.destroy())
    const session = once(first, 'session') as Promise<[Buffer]>
    await once(first, 'secureConnect')
    first.resume()
    first.write(hostRequest('a.test'))
    const [ticket] = await session
    assert.equal(first.isSessionReused(), false)
    first.destroy()
    const second = await openTlsClient(t, secure.port, { ...options, session: ticket })

    assert.equal(second.socket.isSessionReused(), true, version)
    assert.equal((await second.ask(hostRequest('a.test'))).status, 200)
  }
})

test('renegotiation is refused', async (t) => {
  const secure = await startSecure(t)
  const client = await openTlsClient(
    t,
    secure.port,
    secure.options('a.test', { maxVersion: 'TLSv1.2' }),
  )
  await client.ask(hostRequest('a.test'))

  const outcome = await new Promise<Error | null>((resolve) => {
    client.socket.once('error', resolve)
    client.socket.once('close', () => resolve(new Error('closed')))
    const socket: TLSSocket = client.socket
    socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error))
  })

  assert.notEqual(outcome, null)
})

test('plain HTTP on a TLS listener is ended and reaches no server', async (t) => {
  const secure = await startSecure(t)
  const client = await openClient(t, secure.port)

  client.send(get('/'))
  await client.closed()

  assert.equal(secure.origin.connections.length, 0)
})

test('a handshake that does not come to its end is ended', async (t) => {
  const secure = await startSecure(t, { timeouts: { head: '300ms' } })
  const silent = await openClient(t, secure.port)
  const half = await openClient(t, secure.port)
  half.send('\x16\x03\x01\x02\x00\x01\x00')

  await silent.closed(3_000)
  await half.closed(3_000)
})

// The limit is on handshakes under way, 1,000 in a thread: a client that has finished its own is not one of them.
test('more TLS connections may be open than handshakes may be under way', async (t) => {
  const secure = await startSecure(t)
  const open = async (): Promise<void> => {
    const socket = connect({ port: secure.port, host: '127.0.0.1', ...secure.options('a.test') })
    t.after(() => socket.destroy())
    await once(socket, 'secureConnect')
  }
  for (let batch = 0; batch < 21; batch++) await Promise.all(Array.from({ length: 50 }, open))

  const client = await openTlsClient(t, secure.port, secure.options('a.test'))
  const response = await client.ask(hostRequest('a.test'))

  assert.equal(response.status, 200)
})

test('a large upload, a large response and an abort work over TLS', async (t) => {
  const secure = await startSecure(t)
  const body = 'x'.repeat(2_000_000)
  secure.origin.follow(async (seen, connection) => {
    if (seen.target === '/never') return
    await seen.whole()
    connection.write(
      `HTTP/1.1 200 OK\r\nContent-Length: ${seen.body().length}\r\n\r\n${seen.body()}`,
    )
  })
  const client = await openTlsClient(t, secure.port, secure.options('a.test'))

  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const response = await client.readResponse()
  client.send('GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const { connection } = await secure.origin.request(2)
  client.socket.destroy()
  await connection.gone()

  assert.ok(response.body.equals(Buffer.from(body)))
})

test('a connection that is cut in the handshake disturbs no other', async (t) => {
  const secure = await startSecure(t)
  for (let i = 0; i < 20; i++) {
    const socket = connectPlain(secure.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(Buffer.from('16030100', 'hex'))
    socket.resetAndDestroy()
  }

  secure.origin.follow(OK)
  const client = await openTlsClient(t, secure.port, secure.options('a.test'))
  assert.equal((await client.ask(hostRequest('a.test'))).status, 200)
})

test('clients that leave in the middle of their handshake keep no place', async (t) => {
  const secure = await startSecure(t)
  const leave = async (): Promise<void> => {
    const socket = connect({ port: secure.port, host: '127.0.0.1', ...secure.options('a.test') })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    // Its last message of the handshake has not been sent yet.
    socket.destroy()
  }
  for (let batch = 0; batch < 21; batch++) await Promise.all(Array.from({ length: 50 }, leave))

  const client = await openTlsClient(t, secure.port, secure.options('a.test'))
  const response = await client.ask(hostRequest('a.test'))

  assert.equal(response.status, 200)
})
