// Mutual TLS by listener and by host (facts/edge.md 4), and what is passed on of a certificate: RFC 9440, Traefik's headers.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { createAuthority, type CertificateAuthority } from '../support/certificates.ts'
import { openClient, openTlsClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

interface Edge {
  readonly clients: CertificateAuthority
  readonly strangers: CertificateAuthority
  readonly gateway: TestGateway
  readonly origin: Origin
  configure(form: Form): Promise<void>
  /** The status, or '' if there is none. */
  ask(name: string, client?: object, more?: ConnectionOptions, host?: string): Promise<number | ''>
}

interface Form {
  readonly tls?: object
  readonly hosts?: object
  readonly frontend?: object
}

async function startEdge(
  t: TestContext,
  form: (clients: CertificateAuthority) => Form,
): Promise<Edge> {
  const [authority, clients, strangers] = [
    createAuthority(t),
    createAuthority(t),
    createAuthority(t),
  ]
  const origin = await startOrigin(t)
  origin.follow(OK)
  const certificates = ['a.test', 'b.test']
    .map((name) => authority.issue(name))
    .map(({ cert, key }) => ({ cert, key }))
  const configOf = ({ tls = {}, hosts = {}, frontend = {} }: Form): object => ({
    listeners: {
      secure: { address: '127.0.0.1:0', protocol: 'https', tls: { certificates, ...tls } },
      web: { address: '127.0.0.1:0' },
    },
    hosts,
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', ...frontend } },
  })
  const gateway = await startGateway(t, configOf(form(clients)))
  return {
    clients,
    strangers,
    gateway,
    origin,
    configure: (next) => gateway.apply(configOf(next)),
    async ask(name, client = {}, more = {}, host = name) {
      const options = { servername: name, ca: authority.cert, ...client, ...more }
      try {
        const one = await openTlsClient(t, gateway.ports['secure'] ?? 0, options)
        one.socket.on('error', () => {})
        const { status } = await one.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        one.socket.destroy()
        return status
      } catch {
        return ''
      }
    },
  }
}

const MODES = [
  // mode, without one, of a stranger, of a client
  ['none', 200, 200, 200],
  ['request', 200, 200, 200],
  ['require', '', 200, 200],
  ['verify-if-given', 200, '', 200],
  ['require-and-verify', '', '', 200],
] as const

test('each mode takes the clients that it says, in TLS 1.2 and 1.3, by listener and by host', async (t) => {
  const edge = await startEdge(t, () => ({}))
  const known = edge.clients.issue('client.test')
  const stranger = edge.strangers.issue('stranger.test')
  const pair = ({ cert, key }: typeof known): object => ({ cert, key })

  for (const [mode, none, foreign, own] of MODES) {
    const verifies = mode.includes('verif')
    const clientAuth = { mode, ...(verifies ? { ca: edge.clients.cert } : {}) }
    for (const form of [
      { tls: { clientAuth } },
      { hosts: { 'a.test': { tls: { clientAuth } } } },
    ]) {
      await edge.configure(form)
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const where = `${mode} ${Object.keys(form)[0]} ${maxVersion}`
        assert.equal(await edge.ask('a.test', {}, { maxVersion }), none, `${where} none`)
        assert.equal(await edge.ask('a.test', pair(stranger), { maxVersion }), foreign, where)
        assert.equal(await edge.ask('a.test', pair(known), { maxVersion }), own, where)
        if ('hosts' in form) assert.equal(await edge.ask('b.test', {}, { maxVersion }), 200, where)
      }
    }
  }
})

test('a host with certificates of clients is not reached through the connection of another', async (t) => {
  const edge = await startEdge(t, (clients) => ({
    hosts: { 'a.test': { tls: { clientAuth: { ca: clients.cert } } } },
  }))
  const { cert, key } = edge.clients.issue('client.test')

  assert.equal(await edge.ask('b.test', { cert, key }, {}, 'a.test'), 421)
  assert.equal(await edge.ask('', { cert, key }, { rejectUnauthorized: false }, 'a.test'), 421)
  assert.equal(await edge.ask('a.test', { cert, key }, {}, 'b.test'), 421)
  assert.equal(await edge.ask('a.test', { cert, key }), 200)
})

test('a connection from before its host had certificates of clients gets 421', async (t) => {
  const edge = await startEdge(t, () => ({}))
  const clientAuth = { mode: 'require-and-verify', ca: edge.clients.cert }

  for (const form of [{ tls: { clientAuth } }, { hosts: { 'a.test': { tls: { clientAuth } } } }]) {
    await edge.configure({})
    const early = await openTlsClient(t, edge.gateway.ports['secure'] ?? 0, {
      servername: 'a.test',
      rejectUnauthorized: false,
    })
    const request = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
    assert.equal((await early.ask(request)).status, 200)
    await edge.configure(form)
    assert.equal((await early.ask(request)).status, 421)
  }
})

test('a session with a certificate resumes under the same authorities, and under no others', async (t) => {
  const edge = await startEdge(t, (clients) => ({ tls: { clientAuth: { ca: clients.cert } } }))
  const { cert, key } = edge.clients.issue('client.test')
  const connect = (session?: Buffer): ReturnType<typeof openTlsClient> =>
    openTlsClient(t, edge.gateway.ports['secure'] ?? 0, {
      ...{ servername: 'a.test', rejectUnauthorized: false, cert, key },
      ...(session === undefined ? {} : { session }),
    })
  const request = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
  const first = await connect()
  await first.ask(request)
  const session = first.socket.getSession()

  const second = await connect(session)
  assert.equal(second.socket.isSessionReused(), true)
  assert.equal((await second.ask(request)).status, 200)
  await eventually(() => edge.gateway.records().length === 2, 'both are logged')
  for (const record of edge.gateway.records())
    assert.equal(record.clientCertificate, 'CN=client.test')

  const ca = [edge.clients.cert, edge.strangers.cert]
  await edge.configure({ tls: { clientAuth: { ca } } })
  const third = await connect(session)
  assert.equal(third.socket.isSessionReused(), false)
  assert.equal((await third.ask(request)).status, 200)
})

test('what a client is refused for is in the log', async (t) => {
  const edge = await startEdge(t, (clients) => ({ tls: { clientAuth: { ca: clients.cert } } }))
  const { cert, key } = edge.strangers.issue('stranger.test')

  assert.equal(await edge.ask('a.test', { cert, key }), '')

  await eventually(() => edge.gateway.notices().length > 0, 'it is logged')
  assert.match(
    edge.gateway.notices()[0] ?? '',
    /^listener "secure" ended a TLS handshake with 127\.0\.0\.1: its certificate does not verify against clientAuth\.ca: [A-Z_]+$/,
  )
})

test('the certificate is passed on, and headers of clients that look like it are not', async (t) => {
  const forward = ['Client-Cert', 'X-Forwarded-Tls-Client-Cert', 'X-Forwarded-Tls-Client-Cert-Info']
  const edge = await startEdge(t, (clients) => ({
    tls: { clientAuth: { mode: 'verify-if-given', ca: clients.cert } },
    frontend: { clientcert: { forward } },
  }))
  const { cert, key } = edge.clients.issue('client.test')
  const forged = [...forward, 'Client-Cert-Chain', 'client_cert', 'X_Forwarded_Tls_Client_Cert']
    .map((name) => `${name}: forged\r\n`)
    .join('')
  const request = `GET / HTTP/1.1\r\nHost: a.test\r\n${forged}\r\n`

  const options = { servername: 'a.test', rejectUnauthorized: false }
  const port = edge.gateway.ports['secure'] ?? 0
  const plain = await openClient(t, edge.gateway.ports['web'] ?? 0)
  await plain.ask(request)
  const without = await openTlsClient(t, port, options)
  await without.ask(request)
  const shown = await openTlsClient(t, port, { ...options, cert, key })
  await shown.ask(request)

  const [one, two, three] = edge.origin.requests
  for (const seen of [one, two, three]) assert.doesNotMatch(String(seen?.head), /forged/)
  for (const seen of [one, two])
    for (const name of forward) assert.equal(value(seen ?? assert.fail(), name), null)
  const leaf = new X509Certificate(cert)
  const seen = three ?? assert.fail()
  assert.equal(value(seen, 'client-cert'), `:${leaf.raw.toString('base64')}:`)
  assert.equal(value(seen, 'x-forwarded-tls-client-cert'), leaf.raw.toString('base64'))
  const info = decodeURIComponent((value(seen, forward[2] ?? '') ?? '').replaceAll('+', ' '))
  assert.match(
    info,
    /^Subject="CN=client\.test";Issuer="CN=Test CA";SerialNumber="\d+";NB="\d{10}";NA="\d{10}";SAN="client\.test"$/,
  )
})

test('a route requires a certificate that verifies, also where TLS does not end', async (t) => {
  const edge = await startEdge(t, (clients) => ({
    tls: { clientAuth: { mode: 'verify-if-given', ca: clients.cert } },
    frontend: { clientcert: { required: true } },
  }))
  const { cert, key } = edge.clients.issue('client.test')

  const plain = await openClient(t, edge.gateway.ports['web'] ?? 0)
  assert.equal((await plain.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).status, 403)
  assert.equal(await edge.ask('a.test'), 403)
  assert.equal(await edge.ask('a.test', { cert, key }), 200)
  await edge.configure({
    tls: { clientAuth: { mode: 'request' } },
    frontend: { clientcert: { required: true } },
  })
  assert.equal(await edge.ask('a.test', { cert, key }), 403)
})
