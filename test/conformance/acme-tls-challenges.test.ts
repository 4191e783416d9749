// RFC 8737: a listener that ends TLS answers tls-alpn-01 for the names of open orders, and for nothing else.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { alpnCertificate } from '../../src/acme/protocol/alpn-certificate.ts'
import type { Challenge } from '../../src/model/snapshot.ts'
import { createAuthority } from '../support/certificates.ts'
import { type Client, openClient, openTlsClient } from '../support/client.ts'
import { clientHello } from '../support/client-hello.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'

const ACME_IDENTIFIER = Buffer.from('06082b0601050507011f', 'hex')

function challengeFor(name: string): Challenge {
  const certificate = alpnCertificate(name, `token.${name}`, Date.now())
  return { kind: 'tls-alpn-01', name, certificate }
}

/** As a certificate authority: it closes nothing by itself. */
async function ask(
  t: TestContext,
  port: number,
  servername: string,
  more: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername, rejectUnauthorized: false },
    ...{ ALPNProtocols: ['acme-tls/1'], ...more },
  })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

test('an https and a tcp listener show the certificate of the challenge, and close', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('a.test')
  const origin = await startOrigin(t)
  origin.follow(OK)
  const tls = { certificates: [{ cert, key }] }
  const gateway = await startGateway(t, {
    listeners: {
      secure: { address: '127.0.0.1:0', protocol: 'https', tls },
      stream: { address: '127.0.0.1:0', protocol: 'tcp', backend: 'b', tls },
    },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const { secure = 0, stream = 0 } = gateway.ports
  await gateway.challenge([challengeFor('a.test'), challengeFor('new.test')])

  for (const port of [secure, stream]) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const name of ['a.test', 'NEW.test']) {
        const socket = await ask(t, port, name, { maxVersion })
        const shown = socket.getPeerX509Certificate()
        assert.equal(socket.alpnProtocol, 'acme-tls/1')
        assert.equal(shown?.subjectAltName, `DNS:${name.toLowerCase()}`)
        assert.ok(shown?.raw.includes(ACME_IDENTIFIER))
        socket.resume()
        await once(socket, 'close')
      }
    }
  }
  await assert.rejects(ask(t, secure, 'other.test'), /no application protocol/i)
  assert.equal(origin.requests.length, 0)
})

test('other clients of a name with an open order are served, before, during and after it', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('a.test')
  const origin = await startOrigin(t)
  origin.follow(OK)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { protocol: 'https', tls: { certificates: [{ cert, key }] } },
  })
  const request = async (): Promise<number> => {
    const options = { servername: 'a.test', ca: authority.cert }
    const client = await openTlsClient(t, gateway.port, options)
    const { status } = await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    return status
  }

  assert.equal(await request(), 200)
  await assert.rejects(ask(t, gateway.port, 'a.test'), /no application protocol/i)
  await gateway.challenge([challengeFor('a.test')])
  assert.equal(await request(), 200)
  await gateway.challenge([])
  assert.equal(await request(), 200)
  await assert.rejects(ask(t, gateway.port, 'a.test'), /no application protocol/i)
})

test('a listener whose first certificate is on order listens for the challenge', async (t) => {
  const origin = await startOrigin(t)
  const port = await choosePort()
  const gateway = await startGateway(t, { origin: origin.port })
  await gateway.challenge([challengeFor('a.test')])

  await gateway.apply({
    listeners: { secure: { address: `127.0.0.1:${port}`, protocol: 'https' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  const socket = await ask(t, port, 'a.test')
  assert.equal(socket.alpnProtocol, 'acme-tls/1')
})

test('handshakes for a challenge are among the 1,000 that may be under way: one more closes the first', async (t) => {
  const origin = await startOrigin(t)
  const { cert, key } = createAuthority(t).issue('a.test')
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: {
      ...{ protocol: 'https', tls: { certificates: [{ cert, key }] } },
      timeouts: { head: '10m' },
    },
  })
  await gateway.challenge([challengeFor('a.test')])
  const hello = clientHello({ servername: 'a.test', ALPNProtocols: ['acme-tls/1'] })
  const begin = async (): Promise<Client> => {
    const client = await openClient(t, gateway.port)
    client.send(hello)
    await client.bytes(1)
    return client
  }

  const first = await begin()
  const second = await begin()
  for (let batch = 0; batch < 20; batch++)
    await Promise.all(Array.from({ length: batch === 0 ? 48 : 50 }, begin))

  await ask(t, gateway.port, 'a.test')

  assert.ok(await first.closed())
  assert.equal(second.ending(), null)
})
