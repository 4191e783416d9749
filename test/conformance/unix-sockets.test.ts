// Servers on unix sockets: `unix:/run/app.sock`.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createProbe } from '../../src/health/probe.ts'
import { exchange, openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { parseBackend } from '../../src/schema/objects.ts'
import { systemLookup } from '../support/names.ts'
import { makeFolder } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { startNamed } from '../support/servers.ts'

interface SocketServer {
  readonly path: string
  readonly seen: readonly IncomingHttpHeaders[]
  connections(): number
  close(): Promise<void>
}

async function startAt(t: TestContext, path: string, name = 'socket'): Promise<SocketServer> {
  const seen: IncomingHttpHeaders[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    seen.push(request.headers)
    request.resume().on('end', () => response.end(name))
  })
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(path)
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    if (!server.listening) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  t.after(close)
  return { path, seen, connections: () => sockets.size, close }
}

function towards(
  t: TestContext,
  servers: Readonly<Record<string, unknown>>,
  rest: { readonly backend?: object; readonly frontend?: object } = {},
): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers, ...rest.backend } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', ...rest.frontend } },
  })
}

test('requests go to a unix socket, bodies and kept connections included', async (t) => {
  const server = await startAt(t, join(makeFolder(t), 'app.sock'))
  const gateway = await towards(t, { s: `unix:${server.path}` })
  const client = await openClient(t, gateway.port)
  const body = 'x'.repeat(100_000)
  const post = `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  for (const request of [get('/'), post, get('/')]) {
    const response = await client.ask(request)
    assert.equal(response.status, 200)
    assert.equal(response.body.toString(), 'socket')
  }

  assert.equal(server.connections(), 1)
  assert.equal(server.seen[1]?.host, 'a.test')
})

test("the server's own host is localhost", async (t) => {
  const server = await startAt(t, join(makeFolder(t), 'app.sock'))
  const gateway = await towards(t, { s: `unix:${server.path}` }, { frontend: { passHost: false } })

  await exchange(t, gateway.port, get('/'))

  assert.equal(server.seen[0]?.host, 'localhost')
})

test('a request goes to another server if there is no socket, or nothing listens at it', async (t) => {
  const folder = makeFolder(t)
  const left = await startAt(t, join(folder, 'left.sock'))
  await left.close()
  const other = await startNamed(t, 'other')
  for (const path of [join(folder, 'none.sock'), left.path]) {
    const gateway = await towards(t, { a: `unix:${path}`, b: other.url })
    for (let times = 0; times < 4; times++) {
      const response = await exchange(t, gateway.port, get('/'))
      assert.equal(response.body.toString(), 'other')
    }
  }
})

test('a socket that is missing is 502 with its path, and is used once it is there', async (t) => {
  const path = join(makeFolder(t), 'app.sock')
  const gateway = await towards(t, { s: `unix:${path}` })
  const refused = await exchange(t, gateway.port, get('/'))
  assert.equal(refused.status, 502)
  assert.match(value(refused, 'proxy-status') ?? '', /error=connection_refused/)
  assert.match(
    gateway.records()[0]?.detail ?? '',
    new RegExp(`cannot connect to ${path}: .*ENOENT`),
  )

  const server = await startAt(t, path)

  assert.equal((await exchange(t, gateway.port, get('/'))).status, 200)
  await server.close()
  rmSync(path, { force: true })
  await startAt(t, path, 'successor')
  assert.equal((await exchange(t, gateway.port, get('/'))).body.toString(), 'successor')
})

test('a client comes back to its socket by its cookie', async (t) => {
  const folder = makeFolder(t)
  const names = ['one', 'two']
  for (const name of names) await startAt(t, join(folder, `${name}.sock`), name)
  const servers = Object.fromEntries(
    names.map((name) => [name, `unix:${join(folder, `${name}.sock`)}`]),
  )
  const gateway = await towards(t, servers, { backend: { sticky: { cookie: 'at' } } })
  const first = await exchange(t, gateway.port, get('/'))
  const cookie = (value(first, 'set-cookie') ?? '').split(';')[0]
  assert.match(cookie ?? '', /^at=./)

  for (let times = 0; times < 4; times++) {
    const again = await exchange(t, gateway.port, get('/', `Cookie: ${cookie}`))
    assert.equal(again.body.toString(), first.body.toString())
  }
})

test('a socket is asked whether it is well, and what is wrong is said with its path', async (t) => {
  const path = join(makeFolder(t), 'app.sock')
  const server = await startAt(t, path)
  const { signal } = new AbortController()
  const probe = createProbe('1', systemLookup)
  const beside = await startNamed(t, 'beside')
  const targets = [{ path: '/well' }, { kind: 'tcp' }].map((health) => {
    const parsed = parseBackend('b', { servers: { s: `unix:${path}` }, health }, () => '')
    assert.ok(parsed.ok)
    const { servers, health: check, tls, proxyProtocol } = parsed.value
    const [declared] = servers
    assert.ok(declared !== undefined && check !== null)
    return { server: declared, check, tls, proxyProtocol, wire: 'http/1.1' as const }
  })
  for (const target of targets) assert.equal((await probe(target, signal)).ok, true)
  const [first] = targets
  assert.ok(first)
  const elsewhere = { ...first, check: { ...first.check, port: beside.port } }
  assert.equal((await probe(elsewhere, signal)).ok, true)
  assert.equal(beside.requests(), 1)
  assert.equal(server.seen[0]?.host, 'localhost')

  await server.close()

  for (const target of targets) {
    const result = await probe(target, signal)
    assert.match(result.ok ? '' : result.reason, new RegExp(`cannot connect to ${path}`))
  }
})
