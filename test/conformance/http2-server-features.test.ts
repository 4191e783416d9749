// What works with servers in general, with servers that speak HTTP/2: hedging, sticky sessions, logins, WebSockets, real servers.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import type { Duplex } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { COUNT } from '../../src/scoreboard/layout.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient } from '../support/client.ts'
import { startDaemon } from '../support/daemon.ts'
import { askTogether, towardsHttp2 } from '../support/http2-servers.ts'
import { ERROR, resetFrame } from '../support/http2/frames.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { value } from '../support/message.ts'
import { listen } from '../support/origin.ts'
import { accepts, choosePort } from '../support/ports.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

test('a hedge that is faster resets the stream of the other server, and not its connection', async (t) => {
  const slow = await startHttp2Server(t, () => {})
  const fast = await startHttp2Server(t)
  const backend = {
    retry: { attempts: 2, hedge: { after: '20ms' }, budget: { perSecond: 1000 } },
  }
  const gateway = await towardsHttp2(t, { servers: { a: slow.port, b: fast.port }, backend })
  const client = await openClient(t, gateway.port)

  for (let turn = 0; turn < 4; turn++) assert.equal((await client.ask(get('/'))).status, 200)

  await slow.until(
    () =>
      slow.requests.length > 0 && slow.requests.every(({ stream }) => stream.resetCode !== null),
    'its streams are reset',
  )
  assert.equal(slow.requests[0]?.stream.resetCode, ERROR.cancel)
  assert.equal(slow.connections.length, 1)
  assert.equal(slow.open(), 1)
})

test('a request that its server resets on a used connection is a failure, and is not sent again by itself', async (t) => {
  const server = await startHttp2Server(t, (request) => {
    if (request.value(':path') === '/good') request.respond()
    else request.connection.send(resetFrame(request.streamId, ERROR.internal))
  })
  const gateway = await towardsHttp2(t, {
    servers: server.port,
    backend: { retry: { attempts: 1 } },
  })
  const client = await openClient(t, gateway.port)

  const statuses: number[] = []
  for (const path of ['/good', '/bad', '/good', '/bad'])
    statuses.push((await client.ask(get(path))).status)

  assert.deepEqual(statuses, [200, 502, 200, 502])
  assert.equal(server.requests.length, 4)
  assert.equal(server.connections.length, 1)
  const [placed] = [...gateway.placed().backends].flatMap((backend) => [...backend.servers])
  assert.equal(placed === undefined ? -1 : gateway.scoreboard.sum(placed.slot, COUNT.failed), 2)
})

test('a client with a cookie stays with its server, among others on shared connections', async (t) => {
  const servers = [await startHttp2Server(t), await startHttp2Server(t)] as const
  const gateway = await towardsHttp2(t, {
    servers: { a: servers[0].port, b: servers[1].port },
    backend: { sticky: { cookie: 'route' } },
  })
  const client = await openClient(t, gateway.port)
  const first = await client.ask(get('/first'))
  const cookie = value(first, 'set-cookie')?.split(';')[0] ?? ''

  for (let turn = 0; turn < 4; turn++) {
    await client.ask(get('/other'))
    await client.ask(get('/mine', `Cookie: ${cookie}`))
  }

  const counts = servers.map(
    ({ requests }) => requests.filter((one) => one.value(':path') === '/mine').length,
  )
  assert.deepEqual(
    counts.toSorted((one, other) => one - other),
    [0, 4],
  )
  assert.deepEqual(
    servers.map(({ connections }) => connections.length),
    [1, 1],
  )
})

/** A server that takes both protocols and says which one a request came by, on which connection. */
async function startEither(
  t: TestContext,
): Promise<{ readonly port: number; readonly ca: string }> {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    const { remotePort } = request.socket
    response.setHeader('x-seen', `${request.httpVersion} ${remotePort}`)
    response.end()
  })
  server.on('upgrade', (request: { readonly httpVersion: string }, socket: Duplex) => {
    socket.on('error', () => {})
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n${request.httpVersion}`,
    )
  })
  const sockets = new Set<Duplex>()
  server.on('connection', (socket: Duplex) => sockets.add(socket))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: await listen(server), ca: authority.certPath }
}

test('with auto a login has a connection of HTTP/1.1 for its client alone', async (t) => {
  const { port, ca } = await startEither(t)
  const backend = { protocol: 'auto', tls: { ca } }
  const gateway = await towardsHttp2(t, { servers: port, scheme: 'https', backend })
  const [one, other] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]
  const seen = async (client: typeof one, ...fields: string[]): Promise<string> =>
    value(await client.ask(get('/', ...fields)), 'x-seen') ?? ''

  const plain = await seen(one)
  const login = await seen(one, 'Authorization: NTLM TlRMTVNTUAAB')
  const after = [await seen(one), await seen(one, 'Authorization: Negotiate TlRMTVNTUAAD')]
  const stranger = [await seen(other), await seen(other, 'Authorization: NTLM TlRMTVNTUAAB')]

  assert.match(plain, /^2\.0 /)
  assert.match(login, /^1\.1 /)
  assert.deepEqual(after, [login, login])
  assert.equal(stranger[0], plain)
  assert.match(stranger[1] ?? '', /^1\.1 /)
  assert.notEqual(stranger[1], login)
})

test('with auto a WebSocket goes by HTTP/1.1 to a server without RFC 8441', async (t) => {
  const { port, ca } = await startEither(t)
  const backend = { protocol: 'auto', tls: { ca } }
  const gateway = await towardsHttp2(t, { servers: port, scheme: 'https', backend })
  const client = await openClient(t, gateway.port)

  assert.match(value(await client.ask(get('/')), 'x-seen') ?? '', /^2\.0 /)
  client.send(get('/', 'Connection: Upgrade', 'Upgrade: websocket'))
  const switched = await client.readResponse()

  assert.equal(switched.status, 101)
  assert.equal(await client.bytes(3), '1.1')
})

for (const scheme of ['h2c', 'https'] as const) {
  test(`nghttpd serves small and large files at once (${scheme})`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-nghttpd-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const large = Buffer.alloc(700_000, 'large file ')
    writeFileSync(join(folder, 'small'), 'small')
    writeFileSync(join(folder, 'large'), large)
    const authority = createAuthority(t)
    const { certPath, keyPath } = authority.issue('127.0.0.1')
    const port = await choosePort()
    await startDaemon(t, {
      command: 'nghttpd',
      debianPackage: 'nghttp2-server',
      args: () => [
        ...['-a', '127.0.0.1', '-d', folder, '-m', '10'],
        ...(scheme === 'h2c' ? ['--no-tls', String(port)] : [String(port), keyPath, certPath]),
      ],
      isReady: () => accepts(port),
    })
    const backend = scheme === 'h2c' ? {} : { protocol: 'h2', tls: { ca: authority.certPath } }
    const gateway = await towardsHttp2(t, { servers: port, scheme, backend })

    const responses = await askTogether(t, gateway, 40, (at) =>
      at % 4 === 0 ? '/large' : '/small',
    )

    for (const [at, { status, body }] of responses.entries()) {
      assert.equal(status, 200)
      assert.ok(body.equals(at % 4 === 0 ? large : Buffer.from('small')), `response ${at}`)
    }
    await eventually(() => gateway.records().length === 40, 'all are logged')
    assert.ok(gateway.records().every(({ reason }) => reason === null))
  })
}
