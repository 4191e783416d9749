// TLS options of hosts and the PROXY protocol where the client speaks HTTP/2: RFC 9113 section 9.1.1, RFC 9110 section 7.4.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'

async function openSession(
  t: TestContext,
  port: number,
  servername: string,
  options: { readonly header?: string; readonly cert?: string; readonly key?: string } = {},
): Promise<ClientHttp2Session> {
  const { header = '', ...pair } = options
  const raw = connectPlain(port, '127.0.0.1')
  await once(raw, 'connect')
  if (header !== '') raw.write(header)
  const socket = connect({
    ...{ socket: raw, servername, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
    ...pair,
  })
  await once(socket, 'secureConnect')
  const session = connectHttp2(`https://${servername}`, { createConnection: () => socket })
  session.on('error', () => {})
  t.after(() => session.destroy())
  return session
}

async function statusOf(session: ClientHttp2Session, authority: string): Promise<number> {
  const request = session.request({ ':path': '/', ':authority': authority })
  request.resume()
  const [headers] = (await once(request, 'response')) as [{ ':status'?: number }]
  return headers[':status'] ?? 0
}

test('a host with certificates of clients is not reached through the HTTP/2 connection of another', async (t) => {
  const [authority, clients] = [createAuthority(t), createAuthority(t)]
  const origin = await startOrigin(t)
  origin.follow(OK)
  const { cert, key } = authority.issue('a.test', 'b.test')
  const gateway = await startGateway(t, {
    listeners: {
      secure: {
        address: '127.0.0.1:0',
        protocol: 'https',
        tls: { certificates: [{ cert, key }] },
      },
    },
    hosts: { 'a.test': { tls: { clientAuth: { ca: clients.cert } } } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const port = gateway.ports['secure'] ?? 0
  const client = clients.issue('client.test')

  const onB = await openSession(t, port, 'b.test')
  assert.equal(await statusOf(onB, 'b.test'), 200)
  assert.equal(await statusOf(onB, 'a.test'), 421)
  const onA = await openSession(t, port, 'a.test', { cert: client.cert, key: client.key })
  assert.equal(await statusOf(onA, 'a.test'), 200)
  assert.equal(await statusOf(onA, 'b.test'), 421)
  assert.equal(origin.requests.length, 2)
})

test('a PROXY header goes before TLS and HTTP/2, also where the ClientHello is read first', async (t) => {
  const authority = createAuthority(t)
  const origin = await startOrigin(t)
  origin.follow(OK)
  const { cert, key } = authority.issue('a.test', 'b.test')
  const listener = {
    address: '127.0.0.1:0',
    protocol: 'https',
    proxyProtocol: { trusted: ['127.0.0.1'] },
    tls: { certificates: [{ cert, key }] },
  }
  const rest = {
    listeners: { secure: listener },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  }
  const header = 'PROXY TCP4 192.0.2.7 192.0.2.8 4000 443\r\n'

  for (const hosts of [{}, { 'a.test': { tls: { profile: 'modern' } } }]) {
    const gateway = await startGateway(t, { ...rest, hosts })
    const session = await openSession(t, gateway.ports['secure'] ?? 0, 'a.test', { header })
    assert.equal(await statusOf(session, 'a.test'), 200)
    const seen = origin.requests.at(-1) ?? assert.fail()
    assert.equal(value(seen, 'x-forwarded-for'), '192.0.2.7')
  }
})
