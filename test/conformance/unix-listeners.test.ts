// Listeners on unix sockets: `address: unix:/run/app.sock`.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  existsSync,
  linkSync,
  lstatSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer as createHttpServer, request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createAuthority } from '../support/certificates.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { makeFolder } from '../support/program.ts'
import { get } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

interface Site {
  readonly origin: Origin
  readonly path: string
  readonly gateway: TestGateway
  apply(listener: object | null): Promise<void>
}

async function startAt(t: TestContext, listener: object = {}): Promise<Site> {
  const origin = await startOrigin(t, OK)
  const path = join(makeFolder(t), 'web.sock')
  const configOf = (members: object | null): object => ({
    listeners: {
      tcp: { address: '127.0.0.1:0' },
      ...(members === null ? {} : { web: { address: `unix:${path}`, ...members } }),
    },
    backends: { b: { servers: { s: `http://127.0.0.1:${origin.port}` } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const gateway = await startGateway(t, configOf(listener))
  return { origin, path, gateway, apply: (members) => gateway.apply(configOf(members)) }
}

/** Status and body of a response on a connection of its own, or the code of the error. */
function ask(socketPath: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, path: '/', agent: false, headers }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
    })
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    sent.end()
  })
}

/** All that comes after `sent` until the connection ends. */
async function exchangeOn(socket: Socket, sent: string | Buffer): Promise<string> {
  let received = ''
  socket.on('error', () => {})
  socket.on('data', (data: Buffer) => (received += data.toString('latin1')))
  if (sent.length > 0) socket.write(sent)
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return received
}

const CLOSING = get('/', 'Connection: close')

test('requests come by a unix socket, and their client counts as one on loopback', async (t) => {
  const { origin, path, gateway } = await startAt(t)

  assert.equal(await ask(path, { Host: 'a.test', 'X-Forwarded-For': '9.9.9.9' }), '200 ok')

  const [seen] = origin.requests
  assert.ok(seen)
  assert.equal(value(seen, 'x-forwarded-for'), '127.0.0.1')
  assert.equal(value(seen, 'x-forwarded-proto'), 'http')
  assert.equal(gateway.records()[0]?.clientIp, '127.0.0.1')
  assert.equal(statSync(path).mode & 0o777, 0o660)
})

test('a trusted proxy on this machine passes on its client by a unix socket', async (t) => {
  const origin = await startOrigin(t, OK)
  const path = join(makeFolder(t), 'web.sock')
  await startGateway(t, {
    trusted: ['127.0.0.1/32'],
    listeners: { web: { address: `unix:${path}` } },
    backends: { b: { servers: { s: `http://127.0.0.1:${origin.port}` } } },
    frontends: {
      f: { route: 'ClientIP("9.9.9.9")', backend: 'b' },
      g: { route: 'ClientIP("127.0.0.1")', respond: { status: 403 } },
    },
  })

  assert.equal(await ask(path, { 'X-Forwarded-For': '9.9.9.9' }), '200 ok')
  assert.match(await ask(path), /^403 /)
})

test('the file goes with its listener, after what is in flight', async (t) => {
  const { path, apply } = await startAt(t)
  const kept = connect(path)
  kept.on('error', () => {})
  await once(kept, 'connect')
  kept.write(get('/'))
  await once(kept, 'data')

  await apply(null)

  assert.equal(existsSync(path), false)
  assert.equal(await ask(path), 'ENOENT')
  // Its connection serves until the drain ends it.
  assert.match(await exchangeOn(kept, CLOSING), /^HTTP\/1\.1 200 /)
})

test('what a killed program has left over is replaced', async (t) => {
  const folder = makeFolder(t)
  const [served, path] = [join(folder, 'served.sock'), join(folder, 'web.sock')]
  const dead = createServer()
  dead.listen(served)
  await once(dead, 'listening')
  linkSync(served, path)
  dead.close()
  await once(dead, 'close')
  assert.ok(lstatSync(path).isSocket())
  const origin = await startOrigin(t, OK)

  await startGateway(t, { origin: origin.port, listener: { address: `unix:${path}` } })

  assert.equal(await ask(path), '200 ok')
})

test('a file that is no socket stays, and the listener says so until it is gone', async (t) => {
  const { path, gateway, apply } = await startAt(t, null as unknown as object)
  writeFileSync(path, 'precious')

  await apply({})

  const refused = `cannot listen on unix:${path} (listener "web"): there is a file that is no socket; remove it, or choose another path`
  assert.deepEqual(gateway.problems(), [refused])
  assert.equal(readFileSync(path, 'utf8'), 'precious')
  rmSync(path)
  symlinkSync('/nowhere', path)
  await eventually(() => gateway.problems()[0] === refused, 'a link is no socket either')
  rmSync(path)
  await eventually(() => gateway.problems().length === 0, 'the listener listens')
  assert.equal(await ask(path), '200 ok')
})

test('a socket that another program serves stays with it', async (t) => {
  const { path, gateway, apply } = await startAt(t, null as unknown as object)
  const other = createServer((socket) => socket.on('error', () => {}).end('mine'))
  other.listen(path)
  await once(other, 'listening')
  t.after(() => other.close())

  await apply({})

  assert.match(gateway.problems()[0] ?? '', /another program serves it; stop that program/)
  assert.equal(await exchangeOn(connect(path), ''), 'mine')
})

test('a folder that is missing, and owners that are not there, are named', async (t) => {
  const { path, gateway, apply } = await startAt(t)
  for (const [members, reason] of [
    [{ address: `unix:${path}.d/web.sock` }, /its folder does not exist; make it/],
    [{ socket: { user: 'nobody-of-here' } }, /there is no user "nobody-of-here" in \/etc\/passwd/],
    [{ socket: { group: 'none-of-here' } }, /there is no group "none-of-here" in \/etc\/group/],
  ] as const) {
    await apply(members)

    assert.match(gateway.problems()[0] ?? '', reason)
    assert.equal(await ask(path), '200 ok', 'it stays where it was')
  }
})

test('another mode, owner or protocol is another socket at the same path', async (t) => {
  const authority = createAuthority(t)
  const { certPath: cert, keyPath: key } = authority.issue('localhost')
  const { path, gateway, apply } = await startAt(t)
  const { uid, gid } = statSync(path)

  await apply({ socket: { mode: '0600', user: uid, group: `${gid}` } })

  assert.deepEqual(gateway.problems(), [])
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(await ask(path), '200 ok')

  await apply({ protocol: 'https', tls: { certificates: [{ cert, key }] } })

  assert.deepEqual(gateway.problems(), [])
  const socket = connectTls({ socket: connect(path), ca: authority.cert, servername: 'localhost' })
  assert.match(await exchangeOn(socket, CLOSING), /^HTTP\/1\.1 200 /)
  await apply({})
  assert.equal(await ask(path), '200 ok')
})

test('a listener moves between a port and a socket, and two of them change places', async (t) => {
  const origin = await startOrigin(t, OK)
  const folder = makeFolder(t)
  const [one, two] = [join(folder, 'one.sock'), join(folder, 'two.sock')]
  const configOf = (a: string, b: string): object => ({
    listeners: { a: { address: a, paths: 'reject' }, b: { address: b } },
    backends: { o: { servers: { s: `http://127.0.0.1:${origin.port}` } } },
    frontends: {
      a: { route: 'Listener("a")', respond: { status: 200, body: 'a' } },
      b: { route: 'Listener("b")', backend: 'o' },
    },
  })
  const gateway = await startGateway(t, {
    ...configOf('127.0.0.1:0', `unix:${two}`),
    reusePort: true,
  })

  await gateway.apply(configOf(`unix:${one}`, `unix:${two}`))
  assert.deepEqual([await ask(one), await ask(two)], ['200 a', '200 ok'])

  await gateway.apply(configOf(`unix:${two}`, `unix:${one}`))
  assert.deepEqual([await ask(one), await ask(two)], ['200 ok', '200 a'])

  await gateway.apply(configOf('127.0.0.1:0', `unix:${one}`))
  assert.deepEqual([await ask(one), existsSync(two)], ['200 ok', false])
})

test('a PROXY header names the client of a unix socket, and one is required of it', async (t) => {
  const { origin, path, gateway, apply } = await startAt(t, {
    proxyProtocol: { trusted: ['127.0.0.1'] },
  })
  const header = 'PROXY TCP4 203.0.113.9 192.0.2.1 5000 80\r\n'

  assert.match(await exchangeOn(connect(path), header + CLOSING), /^HTTP\/1\.1 200 /)
  assert.match(await exchangeOn(connect(path), `PROXY UNKNOWN\r\n${CLOSING}`), /^HTTP\/1\.1 200 /)
  assert.equal(await exchangeOn(connect(path), CLOSING), '')

  const clients = origin.requests.map((seen) => value(seen, 'x-forwarded-for'))
  assert.deepEqual(clients, ['203.0.113.9', '127.0.0.1'])
  assert.match(gateway.notices()[0] ?? '', /closed a connection from its unix socket: it does not/)

  await apply({ proxyProtocol: { trusted: ['127.0.0.1'], required: false } })
  assert.match(await exchangeOn(connect(path), CLOSING), /^HTTP\/1\.1 200 /)
  assert.match(await exchangeOn(connect(path), header + CLOSING), /^HTTP\/1\.1 200 /)
})

test('streams come by a unix socket, and limits hold for it', async (t) => {
  const echo = createServer((socket) => socket.pipe(socket).on('error', () => {}))
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  t.after(() => echo.close())
  const address = echo.address()
  assert.ok(address !== null && typeof address === 'object')
  const path = join(makeFolder(t), 'tcp.sock')
  await startGateway(t, {
    listeners: {
      web: {
        ...{ address: `unix:${path}`, protocol: 'tcp', backend: 'b' },
        limits: { connectionsPerClient: 1 },
      },
    },
    backends: { b: { servers: { s: `tcp://127.0.0.1:${address.port}` } } },
  })
  const first = connect(path)
  first.on('error', () => {})
  first.write('hello')
  const [data] = (await once(first, 'data')) as [Buffer]
  assert.equal(data.toString(), 'hello')

  assert.equal(await exchangeOn(connect(path), 'too many'), '')
  first.destroy()
  await eventually(async () => {
    const next = connect(path)
    next.on('error', () => {})
    next.end('again')
    const got = await exchangeOn(next, '')
    return got === 'again'
  }, 'the next client is served')
})

test('a response that breaks off, and a client that leaves, end their connections at once', async (t) => {
  const held = Promise.withResolvers<void>()
  const path = join(makeFolder(t), 'app.sock')
  const server = createHttpServer((request, response) => {
    response.on('close', () => held.resolve())
    response.writeHead(200, { 'Content-Length': '10' })
    response.write('half', () => {
      if (request.url === '/breaks') request.socket.destroy()
    })
  })
  server.listen(path)
  await once(server, 'listening')
  t.after(() => server.close())
  const own = join(makeFolder(t), 'web.sock')
  await startGateway(t, {
    listeners: { web: { address: `unix:${own}` } },
    backends: { b: { servers: { s: `unix:${path}` } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  const received = await exchangeOn(connect(own), get('/breaks'))
  assert.match(received, /^HTTP\/1\.1 200 [^]*half$/)

  const leaving = connect(own)
  leaving.on('error', () => {})
  leaving.write(get('/stays'))
  await once(leaving, 'data')
  leaving.destroy()
  await held.promise
})
