// Issue 15, part 3: a backend that scales from zero holds requests until a server is there, and no longer than its limits say.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { COUNT } from '../../src/scoreboard/layout.ts'
import { exchange, openClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { openHttp2Client } from '../support/http2/client.ts'
import { resetFrame } from '../support/http2/frames.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { get } from '../support/refusal.ts'
import { eventually, turn } from '../support/until.ts'

const ACTUATOR = { webhook: { url: 'http://127.0.0.1:9/scale' } }

interface Zero {
  readonly maxPending?: number
  readonly timeout?: string
}

function site(servers: readonly string[], zero: Zero = {}, more: object = {}): object {
  return {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { app: { ...backendOf(servers, zero), ...more } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'app' } },
  }
}

function backendOf(servers: readonly string[], zero: Zero): object {
  return {
    servers: Object.fromEntries(servers.map((url, at) => [`s${at}`, url])),
    scale: { actuator: ACTUATOR, min: 0, max: 3, concurrency: 2, zero },
  }
}

/** How many wait, and what became of those that waited. */
function counts(gateway: TestGateway): Readonly<Record<string, number>> {
  const [pool] = [...gateway.placed().backends]
  const sum = (counter: number): number => gateway.scoreboard.sum(pool?.slot ?? -1, counter)
  return {
    held: sum(COUNT.held),
    released: sum(COUNT.heldReleased),
    late: sum(COUNT.heldLate),
    refused: sum(COUNT.heldRefused),
  }
}

async function isHeld(gateway: TestGateway, requests = 1): Promise<void> {
  await eventually(() => counts(gateway)['held'] === requests, `${requests} requests wait`)
}

test('a request without a server waits for one, and the response says so', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, site([]))
  const client = await openClient(t, gateway.port)

  const first = client.ask(get('/'))
  await isHeld(gateway)
  const before = origin.requests.length
  await gateway.apply(site([origin.url]))
  const cold = await first
  const warm = await client.ask(get('/'))

  assert.equal(before, 0)
  assert.equal(cold.status, 200)
  assert.equal(value(cold, 'x-sluice-cold-start'), 'true')
  assert.equal(warm.status, 200)
  assert.equal(value(warm, 'x-sluice-cold-start'), null)
  assert.deepEqual(gateway.wakes(), ['app'])
  assert.deepEqual(counts(gateway), { held: 0, released: 1, late: 0, refused: 0 })
  assert.equal(gateway.records()[0]?.attempts, 1)
})

test('a request that has waited too long gets a 503 with its reason', async (t) => {
  const gateway = await startGateway(t, site([], { timeout: '50ms' }))

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 503)
  assert.equal(value(response, 'retry-after'), '1')
  assert.match(value(response, 'proxy-status') ?? '', /details="cold start timeout"/)
  const [record] = gateway.records()
  assert.equal(record?.reason, 'COLD_START_TIMEOUT')
  assert.match(record?.detail ?? '', /no server of app was ready for it within 50 ms/)
  assert.deepEqual(counts(gateway), { held: 0, released: 0, late: 1, refused: 0 })
})

test('no more requests wait than may', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, site([], { maxPending: 2 }))
  const waiting = [exchange(t, gateway.port, get('/1')), exchange(t, gateway.port, get('/2'))]
  await isHeld(gateway, 2)

  const refused = await exchange(t, gateway.port, get('/3'))
  await gateway.apply(site([origin.url], { maxPending: 2 }))

  assert.equal(refused.status, 503)
  assert.equal(value(refused, 'retry-after'), '1')
  assert.match(value(refused, 'proxy-status') ?? '', /details="cold start full"/)
  assert.deepEqual(await statuses(waiting), [200, 200])
  assert.deepEqual(counts(gateway), { held: 0, released: 2, late: 0, refused: 1 })
})

test('a client that leaves frees its place', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, site([], { maxPending: 1 }))
  const client = await openClient(t, gateway.port)
  client.send(get('/gone'))
  await isHeld(gateway)

  client.reset()
  await isHeld(gateway, 0)
  const next = exchange(t, gateway.port, get('/next'))
  await isHeld(gateway)
  await gateway.apply(site([origin.url], { maxPending: 1 }))

  assert.equal((await next).status, 200)
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/next'],
  )
  assert.equal(gateway.records()[0]?.reason, 'CLIENT_GONE')
})

test('a first server gets its target of requests at a time, in the order in which they came', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, site([]))
  const waiting: Promise<ReceivedResponse>[] = []
  for (const at of [1, 2, 3, 4, 5]) {
    waiting.push(exchange(t, gateway.port, get(`/${at}`)))
    await isHeld(gateway, at)
  }

  await gateway.apply(site([origin.url]))
  await origin.request(2)
  const atFirst = { ...counts(gateway), seen: origin.requests.length }
  for (const number of [1, 2, 3, 4, 5]) (await origin.request(number)).connection.write(OK)

  assert.deepEqual(await statuses(waiting), [200, 200, 200, 200, 200])
  assert.deepEqual(atFirst, { held: 3, released: 2, late: 0, refused: 0, seen: 2 })
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/1', '/2', '/3', '/4', '/5'],
  )
})

test('a request that comes while others wait goes behind them', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, site([]))
  const waiting = [1, 2, 3].map((at) => exchange(t, gateway.port, get(`/${at}`)))
  await isHeld(gateway, 3)
  await gateway.apply(site([origin.url]))
  await origin.request(2)

  waiting.push(exchange(t, gateway.port, get('/last')))
  await isHeld(gateway, 2)
  for (const number of [1, 2, 3, 4]) (await origin.request(number)).connection.write(OK)

  assert.deepEqual(await statuses(waiting), [200, 200, 200, 200])
  assert.equal(origin.requests.at(-1)?.target, '/last')
})

test('a server that refuses connections is waited for', async (t) => {
  const port = await choosePort()
  const gateway = await startGateway(t, site([`http://127.0.0.1:${port}`]))

  const response = exchange(t, gateway.port, get('/'))
  await isHeld(gateway)
  await serve(t, (socket) => socket.once('data', () => socket.end(OK)), port)

  assert.equal((await response).status, 200)
  assert.ok((gateway.records()[0]?.attempts ?? 0) >= 2)
})

test('the body of a request that waits stays with its client', async (t) => {
  const gateway = await startGateway(t, site([]))
  const client = await openClient(t, gateway.port)

  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${32 << 20}\r\n\r\n`)
  client.send(Buffer.alloc(32 << 20))
  await isHeld(gateway)
  await settled(() => client.socket.writableLength)

  assert.ok(client.socket.writableLength > 16 << 20, 'it is not read into memory')
})

test('a body that is sent meanwhile reaches the server as a whole', async (t) => {
  const body = 'x'.repeat(300_000)
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, site([]))
  const client = await openClient(t, gateway.port)

  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  await isHeld(gateway)
  await gateway.apply(site([origin.url]))
  const response = await client.readResponse()

  assert.equal(response.status, 200)
  assert.equal((await origin.request(1)).body(), body)
})

test('a WebSocket waits for its server', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  await once(server, 'listening')
  server.on('connection', (socket) => socket.send('hello'))
  const gateway = await startGateway(t, site([]))
  const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`)
  t.after(() => client.terminate())
  const message = once(client, 'message')
  await isHeld(gateway)

  await gateway.apply(site([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]))

  assert.equal(String((await message)[0]), 'hello')
})

test('a stream waits for its server', async (t) => {
  const streams = (servers: readonly string[]): object => ({
    listeners: { db: { address: '127.0.0.1:0', protocol: 'tcp', backend: 'db' } },
    backends: { db: backendOf(servers, {}) },
  })
  const port = await serve(t, (socket) => socket.end('ready'))
  const gateway = await startGateway(t, streams([]))
  const client = connect({ port: gateway.port, host: '127.0.0.1' })
  client.on('error', () => {})
  t.after(() => client.destroy())
  const greeting = once(client, 'data')
  await isHeld(gateway)

  await gateway.apply(streams([`tcp://127.0.0.1:${port}`]))

  assert.equal(String((await greeting)[0]), 'ready')
})

test('requests of HTTP/2 wait each on its own, and a stream that is reset frees its place', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, site([]))
  const client = await openHttp2Client(t, gateway.port)
  const kept = client.request({ path: '/kept' })
  const left = client.request({ path: '/left' })
  await isHeld(gateway, 2)

  client.send(resetFrame(left))
  await isHeld(gateway, 1)
  await gateway.apply(site([origin.url]))
  const { head } = await client.ended(kept)

  assert.deepEqual(
    head.filter(([name]) => name === ':status' || name === 'x-sluice-cold-start'),
    [
      [':status', '200'],
      ['x-sluice-cold-start', 'true'],
    ],
  )
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/kept'],
  )
})

test('a gRPC call waits no longer than its own time limit', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const gateway = await startGateway(t, site([]))
  const client = await openHttp2Client(t, gateway.port)

  const stream = client.request({
    method: 'POST',
    path: '/test.Echo/Unary',
    fields: [
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['grpc-timeout', '100m'],
    ],
    body: Buffer.alloc(5),
  })
  const { head } = await client.ended(stream)
  await gateway.apply(site([`h2c://127.0.0.1:${server.port}`]))

  assert.equal(head.find(([name]) => name === 'grpc-status')?.[1], '4')
  assert.equal(gateway.records()[0]?.reason, 'GRPC_TIMEOUT')
  assert.deepEqual(counts(gateway), { held: 0, released: 0, late: 0, refused: 0 })
})

test('requests wait no longer when their backend does not scale to zero any more, or is gone', async (t) => {
  const gateway = await startGateway(t, site([]))
  const first = exchange(t, gateway.port, get('/'))
  await isHeld(gateway)
  await gateway.apply(site([], {}, { scale: { actuator: ACTUATOR, min: 1, max: 3 } }))
  const fixed = await first
  await gateway.apply(site([]))
  const second = exchange(t, gateway.port, get('/'))
  await isHeld(gateway)

  await gateway.apply({ listeners: { web: { address: '127.0.0.1:0' } } })

  assert.equal(fixed.status, 503)
  assert.equal((await second).status, 503)
  assert.deepEqual(
    gateway.records().map(({ reason }) => reason),
    ['NO_SERVER', 'NO_SERVER'],
  )
})

test('without zero, a request without a server waits for nothing', async (t) => {
  const gateway = await startGateway(
    t,
    site([], {}, { scale: { actuator: ACTUATOR, min: 1, max: 3 } }),
  )

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 503)
  assert.equal(gateway.records()[0]?.reason, 'NO_SERVER')
  assert.deepEqual(gateway.wakes(), [])
})

/** Waits until it has not changed for a while of turns. */
async function settled(look: () => number): Promise<void> {
  let last = look()
  for (let still = 0; still < 200; still++) {
    await turn()
    if (look() !== last) still = 0
    last = look()
  }
}

/** A server of bytes; returns its port. */
async function serve(
  t: TestContext,
  onSocket: (socket: Socket) => void,
  port = 0,
): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(port, '127.0.0.1')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function statuses(waiting: readonly Promise<ReceivedResponse>[]): Promise<number[]> {
  return (await Promise.all(waiting)).map(({ status }) => status)
}
