// RFC 9112 section 9.3.1: a request that is not idempotent is not sent again. It must not be sent in vain either: where the
// event loop was late, the end of an idle connection may be in its socket already.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createServer } from 'node:tls'
import { readClock } from '../../src/http/connection/clock.ts'
import { createAuthority } from '../support/certificates.ts'
import { openClient, type Client } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listen, OK, startOrigin, type Origin, type Script } from '../support/origin.ts'
import { get, request, sentinel } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

/** The event loop of the gateway is blocked: it is this process's. */
function stall(ms = 30): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

/** It is behind, but never blocked: requests and responses read the clock. */
function toil(ms = 30): void {
  const until = performance.now() + ms
  while (readClock() < until);
}

interface Site {
  readonly origin: Origin
  readonly gateway: TestGateway
  readonly client: Client
}

/** A connection to the server is idle. */
async function start(t: TestContext, secure = false, backend: object = {}): Promise<Site> {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('localhost')
  const origin = await startOrigin(t, OK, secure ? { cert, key } : undefined)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url }, tls: { verify: false }, ...backend } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const client = await openClient(t, gateway.port)
  assert.equal((await client.ask(get('/first'))).status, 200)
  return { origin, gateway, client }
}

const POSTS: readonly (readonly [name: string, bytes: string])[] = [
  ['a POST without a body', request('POST', '/post', 'Content-Length: 0')],
  ['a POST with a body', `${request('POST', '/post', 'Content-Length: 5')}hello`],
  [
    'a POST with a chunked body',
    `${request('POST', '/post', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  ],
  ['a large POST', `${request('POST', '/post', 'Content-Length: 300000')}${'x'.repeat(300_000)}`],
  ['a large PUT', `${request('PUT', '/post', 'Content-Length: 300000')}${'x'.repeat(300_000)}`],
  ['a PATCH', `${request('PATCH', '/post', 'Content-Length: 2')}{}`],
]

test('a request that meets an idle connection whose end has arrived is sent on a fresh one', async (t) => {
  for (const [name, bytes] of POSTS) {
    for (const secure of [false, true]) {
      await t.test(`${name}, ${secure ? 'TLS' : 'plain'}`, async (t) => {
        const { origin, gateway, client } = await start(t, secure)

        // In this order they are in the sockets when the loop goes on.
        client.send(bytes)
        if (secure) origin.connections[0]?.end()
        else origin.connections[0]?.socket.destroy()
        stall()
        const response = await client.readResponse()

        assert.equal(response.status, 200)
        const posts = origin.requests.filter(({ target }) => target === '/post')
        assert.equal(posts.length, 1)
        assert.equal(posts[0]?.connection.number, 2)
        assert.equal(posts[0]?.body().length, Number(/-Length: (\d+)/.exec(bytes)?.[1] ?? 5))
        assert.equal(gateway.records().at(-1)?.status, 200)
      })
    }
  }
})

test('where the loop is busy all the time a connection that was idle for long is looked at, too', async (t) => {
  const { origin, gateway, client } = await start(t)
  const idleFrom = performance.now()
  await eventually(() => performance.now() - idleFrom > 600, 'the connection is idle for long')

  client.send(request('POST', '/post', 'Content-Length: 0'))
  origin.connections[0]?.socket.destroy()
  toil()
  const response = await client.readResponse()

  assert.equal(response.status, 200)
  const posts = origin.requests.filter(({ target }) => target === '/post')
  assert.deepEqual(
    posts.map(({ connection }) => connection.number),
    [2],
  )
  assert.equal(gateway.records().at(-1)?.status, 200)
})

test('bytes that no request asked for end the connection', async (t) => {
  const { origin, client } = await start(t)

  client.send(request('POST', '/post', 'Content-Length: 0'))
  origin.connections[0]?.write(OK)
  stall()
  const response = await client.readResponse()

  assert.equal(response.status, 200)
  assert.deepEqual(
    origin.requests.map(({ target, connection }) => [target, connection.number]),
    [
      ['/first', 1],
      ['/post', 2],
    ],
  )
})

test('bytes that came before a request was sent are not its response', async (t) => {
  const { origin, client } = await start(t)

  client.send(get('/again'))
  origin.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother')
  stall()
  const response = await client.readResponse()

  assert.notEqual(response.body.toString(), 'other')
  assert.deepEqual(
    origin.requests.map(({ target, connection }) => [target, connection.number]),
    [
      ['/first', 1],
      ['/again', 2],
    ],
  )
})

test('bytes that come while a request waits behind the end of another one are not its response', async (t) => {
  const { cert, key } = createAuthority(t).issue('localhost')
  const servers: Socket[] = []
  let seen = ''
  const origin = createServer({ cert, key }, (socket) => {
    servers.push(socket)
    socket.on('error', () => {})
    socket.on('data', (data: Buffer) => {
      seen += data.toString('latin1')
      if (/\/(?:warm|second)/.test(data.toString('latin1'))) socket.write(OK)
    })
  })
  const port = await listen(origin)
  t.after(() => {
    for (const socket of servers) socket.destroy()
    origin.close()
  })
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: `https://127.0.0.1:${port}` }, tls: { verify: false } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const [first, second] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]
  await first.ask(get('/warm'))
  first.send(request('POST', '/first', 'Transfer-Encoding: chunked'))
  await eventually(() => seen.includes('/first'), 'the head of the first request')

  // The server answers before it has the end of the body, which waits for the end of the turn in which the next request comes.
  first.send('0\r\n\r\n')
  servers[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly')
  second.send(request('POST', '/second', 'Content-Length: 0'))
  stall()
  setImmediate(() => servers[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother'))
  const responses = [await first.readResponse(), await second.readResponse()]

  assert.deepEqual(
    responses.map(({ body }) => body.toString()),
    ['early', 'ok'],
  )
})

test('a request goes once over a connection that is well, however late the loop was', async (t) => {
  for (const [name, bytes] of POSTS) {
    const { origin, client } = await start(t)

    for (let i = 0; i < 3; i++) {
      client.send(bytes)
      stall()
      assert.equal((await client.readResponse()).status, 200, name)
    }

    assert.equal(origin.connections.length, 1)
    assert.equal(origin.requests.length, 4)
  }
})

test('a client that leaves meanwhile takes nothing with it', async (t) => {
  const { origin, gateway, client } = await start(t)

  client.send(request('POST', '/post', 'Content-Length: 0'))
  client.reset()
  stall()
  await sentinel(t, gateway)

  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/first', '/sentinel'],
  )
})

test('a server that ends every connection late fails no request while others are on their way', async (t) => {
  const { origin, gateway } = await start(t, false, { retry: { attempts: 1 } })
  const clients = await Promise.all(Array.from({ length: 20 }, () => openClient(t, gateway.port)))
  await Promise.all(clients.map((client) => client.ask(get('/warm'))))

  for (const client of clients) client.send(request('POST', '/post', 'Content-Length: 0'))
  for (const { socket } of origin.connections) socket.destroy()
  stall()
  const responses = await Promise.all(clients.map((client) => client.readResponse()))

  assert.deepEqual(
    responses.map(({ status }) => status),
    Array.from({ length: 20 }, () => 200),
  )
  assert.equal(origin.requests.filter(({ target }) => target === '/post').length, 20)
})

/** The first of them to see a PUT fails it as its body comes; the other one answers it. */
async function startPair(t: TestContext, bring: () => void): Promise<readonly [Origin, Origin]> {
  let failed = 0
  const script: Script = async (seen, connection) => {
    if (seen.method === 'PUT' && failed++ === 0) {
      connection.write('garbage\r\n\r\n')
      bring()
      return
    }
    await seen.whole()
    connection.write(OK)
  }
  return [await startOrigin(t, script), await startOrigin(t, script)]
}

test('a body that comes while the next server is looked at, or connected to, goes behind its head', async (t) => {
  for (const isNamed of [false, true]) {
    let client: Client | null = null
    const origins = await startPair(t, () => client?.send('hello'))
    const dns = await startDnsServer(t, { 'app.test': { addresses: ['127.0.0.9', '127.0.0.1'] } })
    const host = isNamed ? 'app.test' : '127.0.0.1'
    const gateway = await startGateway(t, {
      resolver: { servers: [dns.address], search: [], ndots: 1, timeout: '10s' },
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: {
        b: {
          servers: Object.fromEntries(
            origins.map(({ port }) => [`s${port}`, `http://${host}:${port}`]),
          ),
          retry: { budget: { perSecond: 1000 } },
          limits: { idle: isNamed ? 0 : 256 },
        },
      },
      frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
    })
    client = await openClient(t, gateway.port)
    for (let i = 0; i < 4; i++) assert.equal((await client.ask(get('/warm'))).status, 200)

    client.send(request('PUT', '/put', 'Content-Length: 5'))
    const response = await client.readResponse()

    assert.equal(response.status, 200, host)
    const puts = origins.flatMap(({ requests }) =>
      requests.filter(({ method }) => method === 'PUT'),
    )
    assert.equal(puts.length, 2)
    assert.ok(puts.some((seen) => seen.isComplete() && seen.body() === 'hello'))
  }
})
