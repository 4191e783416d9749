/** The limits of a route as its clients and its server see them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

function ended(gateway: TestGateway, count: number): Promise<unknown> {
  return eventually(() => gateway.records().length === count, `${count} exchanges have ended`)
}

test('a body that announces more than the limit gets 413, and its server never hears of it', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { bodylimit: { size: 10 } },
  })

  for (const fields of ['Content-Length: 11', 'Content-Length: 11\r\nExpect: 100-continue']) {
    const client = await openClient(t, gateway.port)
    client.send(request('POST', '/', fields))
    const response = await client.readResponse('POST')

    assert.equal(response.status, 413)
    assert.deepEqual(response.interim, [])
    assert.equal(await client.closed(), 'fin')
  }
  assert.equal(origin.requests.length, 0)
})

test('a chunked body gets 413 once it passes the limit, and its server sees it cut', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { bodylimit: { size: 10 } },
  })
  const client = await openClient(t, gateway.port)
  client.send(`${request('POST', '/', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`)
  const seen = await origin.request(1)
  await origin.until(() => seen.body() === 'hello', 'the first chunk has come')

  client.send('6\r\n world\r\n0\r\n\r\n')
  const response = await client.readResponse('POST')
  await seen.connection.gone()

  assert.equal(response.status, 413)
  assert.equal(seen.isComplete(), false)
  await ended(gateway, 1)
  assert.equal(gateway.records()[0]?.reason, 'BODY_TOO_LARGE')
})

test('a chunked body that came with its head is refused before it is forwarded', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { bodylimit: { size: 10 } },
  })
  const client = await openClient(t, gateway.port)

  client.send(`${request('POST', '/', 'Transfer-Encoding: chunked')}b\r\nhello world\r\n0\r\n\r\n`)
  const response = await client.readResponse('POST')

  assert.equal(response.status, 413)
  assert.equal(origin.requests.length, 0)
})

test('bodies of exactly the limit pass in either framing, on one connection', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { bodylimit: { size: 10 } },
  })
  const client = await openClient(t, gateway.port)

  const byLength = await client.ask(`${request('POST', '/', 'Content-Length: 10')}0123456789`)
  const chunked = await client.ask(
    `${request('POST', '/', 'Transfer-Encoding: chunked')}a\r\n0123456789\r\n0\r\n\r\n`,
  )

  assert.deepEqual([byLength.status, chunked.status], [200, 200])
})

test('requests beyond the limit wait and go on in their order; beyond the queue they get 503', async (t) => {
  const origin = await startOrigin(t, () => undefined)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { inflight: { requests: 1, queue: 2, wait: '1m' } },
  })
  const clients = [await openClient(t, gateway.port)]
  clients[0]?.send(get('/first'))
  await origin.request(1)
  for (const target of ['/second', '/third']) {
    const client = await openClient(t, gateway.port)
    client.send(get(target))
    clients.push(client)
    await eventually(() => waiting(gateway) === clients.length - 1, `${target} waits`)
  }

  const beyond = await (await openClient(t, gateway.port)).ask(get('/fourth'))
  for (const [at, client] of clients.entries()) {
    const { connection } = await origin.request(at + 1)
    assert.equal(origin.requests.length, at + 1)
    connection.write(OK)
    assert.equal((await client.readResponse()).status, 200)
  }

  assert.equal(beyond.status, 503)
  assert.ok(beyond.fields.some(([name]) => name === 'Retry-After'))
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/first', '/second', '/third'],
  )
})

test('a client that leaves the queue is never forwarded, and its place in it is free', async (t) => {
  const origin = await startOrigin(t, () => undefined)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { inflight: { requests: 1, queue: 1, wait: '1m' } },
  })
  const running = await openClient(t, gateway.port)
  running.send(get('/running'))
  const { connection } = await origin.request(1)

  for (const leave of ['end', 'reset'] as const) {
    const client = await openClient(t, gateway.port)
    client.send(get('/leaves'))
    await eventually(() => waiting(gateway) === 1, 'it waits')
    client[leave]()
    await eventually(() => waiting(gateway) === 0, 'no request waits')
  }
  const last = await openClient(t, gateway.port)
  last.send(get('/stays'))
  await eventually(() => waiting(gateway) === 1, 'it waits')
  connection.write(OK)
  const { connection: next } = await origin.request(2)
  next.write(OK)

  assert.equal((await last.readResponse()).status, 200)
  assert.deepEqual(
    origin.requests.map(({ target }) => target),
    ['/running', '/stays'],
  )
})

test('a request that waits in vain gets 503', async (t) => {
  const origin = await startOrigin(t, () => undefined)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { inflight: { requests: 1, queue: 1, wait: '20ms' } },
  })
  const running = await openClient(t, gateway.port)
  running.send(get('/'))
  await origin.request(1)

  const response = await (await openClient(t, gateway.port)).ask(get('/'))

  assert.equal(response.status, 503)
  await ended(gateway, 1)
  assert.equal(gateway.records()[0]?.reason, 'QUEUE_TIMEOUT')
})

test('one client has so many requests at a time, and a place again when one of them ends', async (t) => {
  const origin = await startOrigin(t, () => undefined)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { connlimit: { connections: 1 } },
  })
  const running = await openClient(t, gateway.port)
  running.send(get('/'))
  const { connection } = await origin.request(1)
  const other = await openClient(t, gateway.port)

  const refused = await other.ask(get('/'))
  connection.write(OK)
  await running.readResponse()
  origin.follow(OK)
  const taken = await other.ask(get('/'))

  assert.equal(refused.status, 429)
  assert.equal(refused.body.toString(), 'max connections reached: 1')
  assert.equal(taken.status, 200)
})

/** How many wait while one is at the server: the route's own count is the largest of those in flight. */
function waiting({ scoreboard }: TestGateway): number {
  const inFlight = Array.from({ length: 16 }, (_, slot) => scoreboard.underWay(slot))
  return Math.max(...inFlight) - 1
}
