// facts/wire.md 4 and issue point 1: TLS towards servers, verification on, authority and server name configurable.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { exchange, openClient } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

function towards(t: TestContext, url: string, tls: object): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: url }, tls } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
}

test('asks a server over TLS and verifies it with the authority that is configured', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const origin = await startOrigin(t, OK, { cert, key })
  const gateway = await towards(t, origin.url, { ca: authority.certPath })
  const client = await openClient(t, gateway.port)

  for (let i = 0; i < 3; i++) assert.equal((await client.ask(get('/'))).body.toString(), 'ok')

  assert.equal(origin.connections.length, 1)
})

test('asks for the server name that is configured and verifies it', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('inner.test')
  const origin = await startOrigin(t, OK, { cert, key })
  const gateway = await towards(t, origin.url, {
    ca: authority.certPath,
    serverName: 'inner.test',
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 200)
  assert.equal((origin.connections[0]?.socket as TLSSocket).servername, 'inner.test')
})

test('a name that ends in a dot is resolved as it is, and has no dot in SNI and Host', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('app.test')
  const origin = await startOrigin(t, OK, { cert, key })
  const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.1'] } })
  const gateway = await startGateway(t, {
    resolver: { servers: [dns.address], search: ['one.test', 'two.test'], ndots: 5 },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: { servers: { s: `https://app.test.:${origin.port}` }, tls: { ca: authority.certPath } },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', passHost: false } },
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 200)
  assert.equal((origin.connections[0]?.socket as TLSSocket).servername, 'app.test')
  assert.match(
    origin.requests[0]?.head ?? '',
    new RegExp(`^Host: app\\.test:${origin.port}\r$`, 'm'),
  )
  assert.deepEqual([...dns.questions].sort(), ['a app.test', 'aaaa app.test'])
})

for (const [what, server, name] of [
  ['each address of a name with resolve: all', { host: 'app.test', resolve: 'all' }, 'app.test'],
  ['an address with a hostname', { host: '127.0.0.1', hostname: 'app.test' }, 'app.test'],
  ['a hostname before the name in the url', { host: 'app.test', hostname: 'own.test' }, 'own.test'],
] as const) {
  test(`${what} has that name in SNI, in its certificate and in Host`, async (t) => {
    const authority = createAuthority(t)
    const { cert, key } = authority.issue(name)
    const origin = await startOrigin(t, OK, { cert, key })
    const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.1'] } })
    const { host, ...rest } = server
    const s = { url: `https://${host}:${origin.port}`, ...rest }
    const gateway = await startGateway(t, {
      resolver: { servers: [dns.address], search: [] },
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: { b: { servers: { s }, tls: { ca: authority.certPath } } },
      frontends: { f: { route: 'PathPrefix("/")', backend: 'b', passHost: false } },
    })

    const responses = [
      await exchange(t, gateway.port, get('/')),
      await exchange(t, gateway.port, get('/')),
    ]

    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200],
    )
    assert.equal((origin.connections[0]?.socket as TLSSocket).servername, name)
    const line = `Host: ${name}:${origin.port}`
    assert.ok(
      origin.requests.every(({ head }) => head.includes(`\r\n${line}\r\n`)),
      line,
    )
  })
}

const DISTRUSTED: readonly (readonly [name: string, names: readonly string[], own: boolean])[] = [
  ['of an authority that is not trusted', ['127.0.0.1'], false],
  ['for another name', ['other.test'], true],
]

for (const [name, names, own] of DISTRUSTED) {
  test(`a certificate ${name} is 502 and nothing is sent`, async (t) => {
    const authority = createAuthority(t)
    const { cert, key } = authority.issue(...names)
    const origin = await startOrigin(t, OK, { cert, key })
    const gateway = await towards(t, origin.url, own ? { ca: authority.certPath } : {})

    const response = await exchange(t, gateway.port, get('/', 'Cookie: secret'))

    assert.equal(response.status, 502)
    assert.match(value(response, 'proxy-status') ?? '', /^sluice; error=tls_certificate_error/)
    assert.equal(origin.requests.length, 0)
  })
}

test('verify: false takes any certificate', async (t) => {
  const { cert, key } = createAuthority(t).issue('other.test')
  const origin = await startOrigin(t, OK, { cert, key })
  const gateway = await towards(t, origin.url, { verify: false })

  assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
})

test('a server that speaks no TLS is 502', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => connection.write(OK))
  origin.follow(OK)
  const gateway = await towards(t, `https://127.0.0.1:${origin.port}`, { verify: false })
  // A plain server that answers whatever it is sent with an error of its own.
  const answering = exchange(t, gateway.port, get('/'))
  const connection = await origin.until(() => origin.connections[0], 'the connection')
  connection.tunnel()
  connection.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
  const response = await answering

  assert.equal(response.status, 502)
  assert.match(value(response, 'proxy-status') ?? '', /^sluice; error=tls_protocol_error/)
})

test('a body streams through TLS to the server and back', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const origin = await startOrigin(
    t,
    async (seen, connection) => {
      await seen.whole()
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${seen.body().length}\r\n\r\n`)
      connection.write(seen.body())
    },
    { cert, key },
  )
  const gateway = await towards(t, origin.url, { ca: authority.certPath })
  const body = 'y'.repeat(2_000_000)

  const head = get('/', `Content-Length: ${body.length}`)
  const response = await exchange(t, gateway.port, head + body)

  assert.ok(response.body.equals(Buffer.from(body)))
})

test('a response that a TLS server cuts short is cut for the client', async (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const origin = await startOrigin(
    t,
    (_seen, connection) => connection.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
    { cert, key },
  )
  const gateway = await towards(t, origin.url, { ca: authority.certPath })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))

  assert.equal(await client.closed(), 'reset')
})
