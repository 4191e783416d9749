// Connections that are routed by their ClientHello, through real sockets: servers of TLS behind one port, alone and beside HTTPS.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { type CertificateAuthority, createAuthority } from '../support/certificates.ts'
import { clientHello, inPieces, inRecords } from '../support/client-hello.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { eventually } from '../support/until.ts'

/** A server of TLS with its own certificate, which says its name, then what the client sent. */
async function serveTls(
  t: TestContext,
  authority: CertificateAuthority,
  name: string,
): Promise<number> {
  const { cert, key } = authority.issue(name)
  const server = createTlsServer(
    { cert, key, ALPNProtocols: ['x'], allowHalfOpen: true },
    (socket) => {
      socket.on('error', () => {})
      socket.write(`${name} `)
      socket.pipe(socket)
    },
  )
  return listen(t, server)
}

/** A server of plain streams, which says its name and what it got. */
function servePlain(t: TestContext, name: string): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.write(`${name} `)
    socket.pipe(socket)
  })
  return listen(t, server)
}

async function listen(t: TestContext, server: ReturnType<typeof createServer>): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

interface Asked {
  readonly servername?: string
  readonly alpn?: string[]
  readonly sent?: string
  readonly port?: number
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** All that a client of TLS receives until the end, if the certificate is one of the authority for its name; else the error. */
function askTls(
  gateway: TestGateway,
  authority: CertificateAuthority,
  asked: Asked,
): Promise<string> {
  const { servername = '', alpn, sent = 'ping', port = gateway.port, ...rest } = asked
  return new Promise((resolve) => {
    const socket = connectTls({
      ...{ port, host: '127.0.0.1', servername, ca: authority.cert, ...rest },
      ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
      ...(servername === '' ? { checkServerIdentity: () => undefined } : {}),
    })
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (data: string) => (text += data))
    socket.on('secureConnect', () => socket.end(sent))
    socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(code))
    socket.on('close', () => resolve(text))
  })
}

/** All that a client receives for these bytes, without TLS. */
function askPlain(port: number, ...pieces: readonly Buffer[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (data: string) => (text += data))
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
    const send = (at: number): void => {
      const piece = pieces[at]
      if (piece === undefined) socket.end()
      else socket.write(piece, () => setImmediate(send, at + 1))
    }
    socket.on('connect', () => send(0))
  })
}

interface Site {
  readonly gateway: TestGateway
  readonly authority: CertificateAuthority
  readonly config: { readonly frontends: Record<string, object> }
}

function tcp(route: string, backend: string, more: object = {}): object {
  return { protocol: 'tcp', route, backend, ...more }
}

/** Two servers of TLS, a.test and b.test, and a plain one, behind the listener `web` of this protocol. */
async function startSite(
  t: TestContext,
  frontends: Record<string, object>,
  listener: (authority: CertificateAuthority) => object = () => ({ protocol: 'tcp' }),
): Promise<Site> {
  const authority = createAuthority(t)
  const servers = {
    a: await serveTls(t, authority, 'a.test'),
    b: await serveTls(t, authority, 'b.test'),
    plain: await servePlain(t, 'plain'),
  }
  const backends = Object.fromEntries(
    Object.entries(servers).map(([id, port]) => [
      id,
      { servers: { s: `tcp://127.0.0.1:${port}` } },
    ]),
  )
  const listeners = { web: { address: '127.0.0.1:0', ...listener(authority) } }
  const config = { listeners, backends, frontends }
  return { gateway: await startGateway(t, config), authority, config }
}

const BY_NAME = { a: tcp('HostSNI("A.test")', 'a'), b: tcp('HostSNI("b.test")', 'b') }

test('two servers of TLS share a port, and their clients see their own certificates', async (t) => {
  const { gateway, authority } = await startSite(t, BY_NAME)

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const a = { servername: 'a.test', maxVersion }
    assert.equal(await askTls(gateway, authority, a), 'a.test ping')
    assert.equal(await askTls(gateway, authority, { ...a, servername: 'b.test' }), 'b.test ping')
  }
  await eventually(() => gateway.streams().length === 4, 'the records')
  assert.deepEqual(
    gateway.streams().map(({ frontend, serverName, reason }) => [frontend, serverName, reason]),
    [
      ['a', 'a.test', null],
      ['b', 'b.test', null],
      ['a', 'a.test', null],
      ['b', 'b.test', null],
    ],
  )
})

test('a wrong name, no name and no TLS are closed, with one line in the log', async (t) => {
  const { gateway, authority } = await startSite(t, BY_NAME)

  assert.equal(await askTls(gateway, authority, { servername: 'c.test' }), 'ECONNRESET')
  assert.equal(await askTls(gateway, authority, {}), 'ECONNRESET')
  assert.equal(await askPlain(gateway.port, Buffer.from('GET / HTTP/1.1\r\n\r\n')), '')

  await eventually(() => gateway.streams().length === 3, 'the records')
  assert.deepEqual(
    gateway.streams().map(({ reason, detail }) => `${reason}: ${detail}`),
    [
      'NO_ROUTE: no tcp frontend matches the server name "c.test"',
      'NO_ROUTE: no tcp frontend takes TLS without a server name, as HostSNI("*") does',
      'NO_ROUTE: it does not speak TLS, and no tcp frontend takes such connections',
    ],
  )
  assert.deepEqual(gateway.notices(), [
    'listener "web" closed a connection from 127.0.0.1: no tcp frontend matches the server name "c.test"',
  ])
})

test('what no name takes goes to HostSNI("*"), by protocol or not, with TLS or without', async (t) => {
  const { gateway, authority } = await startSite(t, {
    ...BY_NAME,
    alpn: tcp('ALPN("x")', 'b'),
    any: tcp('HostSNI("*")', 'plain'),
  })

  assert.equal(
    await askTls(gateway, authority, { servername: 'a.test', alpn: ['x'] }),
    'a.test ping',
  )
  assert.equal(await askTls(gateway, authority, { alpn: ['y', 'x'] }), 'b.test ping')
  assert.equal(await askPlain(gateway.port, Buffer.from('hello')), 'plain hello')
  // 8 bytes: Postgres asks for TLS without a ClientHello.
  const request = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
  assert.equal(await askPlain(gateway.port, request), `plain ${request.toString('latin1')}`)
})

test('a server speaks first if nothing depends on the ClientHello', async (t) => {
  const { gateway } = await startSite(t, { any: tcp('HostSNI("*")', 'plain') })
  const socket = connect({ port: gateway.port, host: '127.0.0.1' })
  t.after(() => socket.destroy())

  const [greeting] = (await once(socket, 'data')) as [Buffer]

  assert.equal(greeting.toString(), 'plain ')
})

test('a ClientHello in one-byte pieces, and in several records, reaches its server as it was sent', async (t) => {
  const { gateway } = await startSite(t, { a: tcp('HostSNI("a.test")', 'plain') })
  const hello = clientHello()
  const early = Buffer.from('and more')
  const records = inRecords(hello, [1, 3, 500])

  for (const bytes of [hello, Buffer.concat([hello, early]), Buffer.concat([records, early])]) {
    const sent = bytes.toString('latin1')
    assert.equal(await askPlain(gateway.port, bytes), `plain ${sent}`)
    assert.equal(await askPlain(gateway.port, ...inPieces(bytes, [1])), `plain ${sent}`)
    // The first record's header alone, and the name split.
    assert.equal(await askPlain(gateway.port, ...inPieces(bytes, [5, 140])), `plain ${sent}`)
  }
})

test('a client that does not finish its ClientHello is closed, and others are served', async (t) => {
  const { gateway, authority } = await startSite(t, BY_NAME, () => ({
    protocol: 'tcp',
    timeouts: { head: '150ms' },
  }))
  const socket = connect({ port: gateway.port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'connect')
  socket.write(clientHello().subarray(0, 100))
  const closed = new Promise((resolve) => socket.once('close', resolve))

  assert.equal(await askTls(gateway, authority, { servername: 'a.test' }), 'a.test ping')
  await closed
  await eventually(
    () => gateway.streams().some(({ reason }) => reason === 'HEAD_TIMEOUT'),
    'the record of the slow one',
  )
})

test('another route applies to the next connection, and an open one stays where it is', async (t) => {
  const { gateway, authority, config } = await startSite(t, BY_NAME)
  const open = connectTls({
    ...{ port: gateway.port, host: '127.0.0.1', servername: 'a.test', ca: authority.cert },
  })
  open.setEncoding('latin1')
  let text = ''
  open.on('data', (data: string) => (text += data))
  await eventually(() => text === 'a.test ', 'the greeting')

  await gateway.apply({ ...config, frontends: { b: tcp('HostSNI("a.test", "b.test")', 'plain') } })

  const hello = clientHello()
  assert.equal(await askPlain(gateway.port, hello), `plain ${hello.toString('latin1')}`)
  open.end('still here')
  await once(open, 'close')
  assert.equal(text, 'a.test still here')
})

// ---- beside HTTPS

/** The certificate of the listener is for web.test and *.web.test. */
const https = (authority: CertificateAuthority): object => {
  const { cert, key } = authority.issue('web.test', '*.web.test')
  return { protocol: 'https', tls: { certificates: [{ cert, key }] } }
}
const GET = 'GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n'
const WEB = { web: { route: 'Path("/")', respond: { status: 200, body: 'by https' } } }

test('names are passed through beside HTTPS on one port', async (t) => {
  const { gateway, authority, config } = await startSite(t, { ...WEB, ...BY_NAME }, https)
  const web = { servername: 'web.test', sent: GET }

  assert.equal(await askTls(gateway, authority, { servername: 'a.test' }), 'a.test ping')
  assert.equal(await askTls(gateway, authority, { servername: 'b.test' }), 'b.test ping')
  assert.match(await askTls(gateway, authority, web), /by https$/)
  // As ever: the certificate is not for this name, and the client refuses it.
  assert.equal(
    await askTls(gateway, authority, { servername: 'c.test' }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  )
  assert.match(await askPlain(gateway.port, Buffer.from(GET)), /^HTTP\/1.1 400 /)

  await gateway.apply({ ...config, frontends: { ...WEB, b: BY_NAME.b } })
  assert.equal(
    await askTls(gateway, authority, { servername: 'a.test' }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  )
  assert.match(await askTls(gateway, authority, web), /by https$/)
})

test('a catch-all beside HTTPS gets what there is no certificate for, if it names the listener', async (t) => {
  const any = tcp('HostSNI("*") && Listener("web")', 'b')
  const { gateway, authority, config } = await startSite(t, { ...WEB, any }, https)

  for (const servername of ['web.test', 'x.web.test']) {
    const text = await askTls(gateway, authority, { servername, sent: GET })
    assert.match(text, /by https$/, servername)
  }
  assert.equal(await askTls(gateway, authority, { servername: 'b.test' }), 'b.test ping')
  assert.equal(await askTls(gateway, authority, {}), 'b.test ping')

  // Domains of customers, which are known to the server alone.
  const others = tcp('!HostSNI("web.test") && Listener("web")', 'b')
  await gateway.apply({ ...config, frontends: { ...WEB, any: others } })
  assert.equal(await askTls(gateway, authority, { servername: 'b.test' }), 'b.test ping')

  await gateway.apply({ ...config, frontends: { ...WEB, any: tcp('HostSNI("*")', 'b') } })
  assert.equal(
    await askTls(gateway, authority, { servername: 'b.test' }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  )
})

test('the limit of connections counts those that are passed through, and resets what is above it', async (t) => {
  const { gateway, authority } = await startSite(t, { ...WEB, ...BY_NAME }, (ca) => ({
    ...https(ca),
    limits: { connections: 1 },
  }))
  const open = connectTls({
    ...{ port: gateway.port, host: '127.0.0.1', servername: 'a.test', ca: authority.cert },
  })
  await once(open, 'secureConnect')

  assert.equal(await askTls(gateway, authority, { servername: 'b.test' }), 'ECONNRESET')

  open.end()
  open.resume()
  await once(open, 'close')
  await eventually(() => gateway.streams().length === 2, 'the records')
  assert.equal(await askTls(gateway, authority, { servername: 'b.test' }), 'b.test ping')
})
