// What users of other proxies reported about names, sessions and challenges over TLS.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { alpnCertificate } from '../../src/acme/protocol/alpn-certificate.ts'
import { createAuthority } from '../support/certificates.ts'
import { openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { sessionOf } from '../support/tls-session.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

test('a name that is requested with a final dot, or in capitals, has its certificate', async (t) => {
  const authority = createAuthority(t)
  const [first, second] = [authority.issue('a.test'), authority.issue('B.test')]
  for (const more of [{}, { tls: { profile: 'modern' } }]) {
    const gateway = await startGateway(t, {
      listeners: { secure: { address: '127.0.0.1:0', protocol: 'https', strictSni: true } },
      hosts: {
        a: { cert: first.cert, key: first.key },
        b: { cert: second.cert, key: second.key, ...more },
      },
      frontends: { all: { route: 'PathPrefix("/")', respond: { status: 204 } } },
    })

    for (const servername of ['b.test', 'b.test.', 'B.TEST']) {
      const client = await openTlsClient(t, gateway.port, { servername, rejectUnauthorized: false })
      assert.equal(client.socket.getPeerCertificate().subject.CN, 'B.test', servername)
      assert.equal((await client.ask('GET / HTTP/1.1\r\nHost: b.test\r\n\r\n')).status, 204)
    }
  }
})

test('a resumed session has the verified certificate of its client', async (t) => {
  const [authority, clients] = [createAuthority(t), createAuthority(t)]
  const origin = await startOrigin(t)
  origin.follow(OK)
  const [{ cert, key }, client] = [authority.issue('a.test'), clients.issue('jo')]
  const gateway = await startGateway(t, {
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: {
          certificates: [{ cert, key }],
          clientAuth: { mode: 'verify-if-given', ca: clients.cert },
        },
      },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', clientcert: { required: true } } },
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = {
      ...{ servername: 'a.test', ca: authority.cert, cert: client.cert, key: client.key },
      ...{ minVersion: version, maxVersion: version },
    }
    const one = await openTlsClient(t, gateway.port, options)
    const session = await sessionOf(one.socket, version)
    const next = await openTlsClient(t, gateway.port, { ...options, session })

    assert.equal(next.socket.isSessionReused(), true)
    assert.equal((await next.ask(REQUEST)).status, 200)
  }
})

test('an authority proves a name of a host that requires certificates of clients', async (t) => {
  const [authority, clients] = [createAuthority(t), createAuthority(t)]
  const { cert, key } = authority.issue('a.test')
  const gateway = await startGateway(t, {
    listeners: { secure: { address: '127.0.0.1:0', protocol: 'https', strictSni: true } },
    hosts: {
      'a.test': { cert, key, tls: { profile: 'modern', clientAuth: { ca: clients.cert } } },
    },
  })
  const certificate = alpnCertificate('a.test', 'token.thumbprint', Date.now())
  await gateway.challenge([{ kind: 'tls-alpn-01', name: 'a.test', certificate }])

  const socket = connect({
    ...{ host: '127.0.0.1', port: gateway.port, servername: 'a.test', maxVersion: 'TLSv1.2' },
    ...{ ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false },
  })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')

  assert.equal(socket.alpnProtocol, 'acme-tls/1')
  assert.match(socket.getPeerX509Certificate()?.toString() ?? '', /BEGIN CERTIFICATE/)
  assert.equal(socket.getPeerX509Certificate()?.toString().trim(), certificate.cert.trim())
})
