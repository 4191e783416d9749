// Connections of HTTP/2 with clients: ALPN, the two steps of GOAWAY, age, idleness, silence, limits.
import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { openHttp2Client, type Http2Client } from '../support/http2/client.ts'
import {
  ERROR,
  goAwayFrame,
  pingFrame,
  PREFACE,
  settingsFrame,
  TYPE,
} from '../support/http2/frames.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

const LAST_OF_ALL = 2 ** 31 - 1

test('over TLS the client chooses HTTP/2 by ALPN, and a host of another certificate gets 421', async (t) => {
  const authority = createAuthority(t)
  const [a, b] = [authority.issue('a.test'), authority.issue('b.test')]
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: {
      protocol: 'https',
      strictSni: true,
      tls: {
        certificates: [a, b].map(({ certPath, keyPath }) => ({ cert: certPath, key: keyPath })),
      },
    },
  })
  const tls = { servername: 'a.test', ca: authority.cert }
  const client = await openHttp2Client(t, gateway.port, { tls })

  const right = await client.ask({ authority: 'a.test', scheme: 'https' })
  const wrong = await client.ask({ authority: 'b.test', scheme: 'https' })
  const again = await client.ask({ authority: 'a.test', scheme: 'https' })

  assert.deepEqual([right.status, wrong.status, again.status], [200, 421, 200])
  assert.match((await origin.request(1)).head, /X-Forwarded-Proto: https/)
})

test('an https listener without http2 offers HTTP/1 only', async (t) => {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('a.test')
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: {
      protocol: 'https',
      http2: { enabled: false },
      tls: { certificates: [{ cert: certPath, key: keyPath }] },
    },
  })
  const tls = { servername: 'a.test', ca: authority.cert }

  await assert.rejects(openHttp2Client(t, gateway.port, { tls }))
})

async function assertTwoSteps(client: Http2Client, lastId: number): Promise<void> {
  await client.until(() => client.goAways.length === 2, 'the second GOAWAY')
  assert.deepEqual(
    client.goAways.map(({ lastId, code }) => [lastId, code]),
    [
      [LAST_OF_ALL, ERROR.none],
      [lastId, ERROR.none],
    ],
  )
}

test('a drain announces itself, serves what was on its way, and ends when all is done', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    if (request.target === '/held') return
    await request.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port, { answersPings: false })
  const held = client.request({ path: '/held' })
  await origin.request(1)

  const drained = gateway.drain()
  const ping = await client.frame(TYPE.ping)
  const onItsWay = await client.ask({ path: '/late' })
  client.send(pingFrame(ping.payload, true))
  await assertTwoSteps(client, 3)
  const tooLate = client.request({ path: '/too-late' })
  await client.roundTrip()
  origin.connections[0]?.write(OK)

  assert.equal(onItsWay.status, 200)
  assert.equal((await client.response(held)).status, 200)
  assert.equal(await client.closed(), 'fin')
  assert.equal(client.streams.get(tooLate)?.head.length ?? 0, 0)
  assert.equal(origin.requests.length, 2)
  await drained
})

test('a client that ends its connection with an error is named in the log with what it says', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)
  const other = await openHttp2Client(t, gateway.port)
  await client.ask()

  other.send(goAwayFrame(0, ERROR.none, 'bye'))
  await other.roundTrip()
  client.send(goAwayFrame(0, ERROR.protocol, 'a bad\nfield'))
  await eventually(() => gateway.notices().length > 0, 'the notice')

  assert.deepEqual(gateway.notices(), [
    `listener "web": an HTTP/2 connection of 127.0.0.1:${client.port} was ended by its client with an error: PROTOCOL_ERROR, "a bad?field"`,
  ])
})

test('a client that answers no PING gets the second GOAWAY all the same', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port, { answersPings: false })
  await client.ask()

  const drained = gateway.drain()

  await assertTwoSteps(client, 1)
  assert.equal(await client.closed(), 'fin')
  await drained
})

test('a listener that goes lets its connections end', async (t) => {
  const origin = await startOrigin(t)
  const config = (listeners: object): object => ({
    listeners,
    backends: { origin: { servers: { one: origin.url } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'origin' } },
  })
  const other = { address: '127.0.0.1:0' }
  const gateway = await startGateway(t, config({ web: { address: '127.0.0.1:0' }, other }))
  const client = await openHttp2Client(t, gateway.port)
  await client.ask()

  await gateway.apply(config({ other }))

  await assertTwoSteps(client, 1)
  assert.equal(await client.closed(), 'fin')
})

test('an end that takes too long is cut: 503 for what has no response, a reset for what has', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target === '/begun')
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)
  const begun = client.request({ path: '/begun' })
  await client.headOf(begun)
  const waiting = client.request({ path: '/waiting' })
  await origin.request(2)

  await gateway.close()

  assert.equal((await client.ended(begun).catch(() => null))?.isComplete ?? false, false)
  assert.equal(client.streams.get(waiting)?.isComplete ?? false, false)
  assert.notEqual(client.ending(), null)
})

test('a connection that is older than maxAge takes no more requests', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { http2: { maxAge: '300ms' } },
  })
  const client = await openHttp2Client(t, gateway.port)
  await client.ask()

  await assertTwoSteps(client, 1)
  assert.equal(await client.closed(), 'fin')
})

test('a connection without requests ends after the idle limit', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { timeouts: { idle: '300ms' } },
  })
  const client = await openHttp2Client(t, gateway.port)
  await client.ask()

  const goAway = await client.goAway()

  assert.deepEqual([goAway.code, goAway.lastId], [ERROR.none, 1])
  assert.equal(await client.closed(), 'fin')
})

test('a silent client is pinged while its request is in flight, and lost if it does not answer', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { http2: { ping: '300ms' } },
  })
  const client = await openHttp2Client(t, gateway.port)
  client.request()

  await client.until(
    () => client.frames.filter(({ type }) => type === TYPE.ping).length >= 2,
    'two PINGs',
  )
  assert.equal(client.ending(), null)
})

test('a client that sends no preface is ended in time', async (t) => {
  const gateway = await startGateway(t, {
    origin: 1,
    listener: { protocol: 'h2c', timeouts: { head: '300ms' } },
  })
  const client = await openHttp2Client(t, gateway.port, { preface: false })

  assert.match(await client.connectionOutcome(), /goaway|closed/)
})

test('requests above the limit of streams are refused and may be sent again', async (t) => {
  const origin = await startOrigin(t, async (request, connection) => {
    if (request.target === '/held') return
    await request.whole()
    connection.write(OK)
  })
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { http2: { streams: 2 } },
  })
  const client = await openHttp2Client(t, gateway.port)
  await client.roundTrip()
  assert.equal(client.settings.get(3), 2)

  client.request({ path: '/held' })
  client.request({ path: '/held' })
  await origin.request(2)
  const third = client.request()

  assert.equal(await client.outcome(third), 'reset refusedStream')
  origin.connections[0]?.write(OK)
  await client.response(1)
  assert.equal((await client.ask()).status, 200)
})

test('a connection above the limit of its listener gets a GOAWAY', async (t) => {
  const gateway = await startGateway(t, {
    origin: 1,
    listener: { protocol: 'h2c', limits: { connections: 1 } },
  })
  const first = await openHttp2Client(t, gateway.port)
  await first.roundTrip()
  const second = await openHttp2Client(t, gateway.port)

  const goAway = await second.goAway()

  assert.deepEqual([goAway.lastId, goAway.debug], [0, 'too many connections'])
})

test('a PROXY header goes before HTTP/2, and its client is the client of every request', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    listener: { proxyProtocol: { trusted: ['127.0.0.1'] } },
  })
  const client = await openHttp2Client(t, gateway.port, { preface: false, acksSettings: false })

  client.send('PROXY TCP4 10.9.8.7 10.0.0.1 4711 80\r\n', PREFACE, settingsFrame())
  await client.ask()
  await client.ask()

  assert.deepEqual(
    gateway.records().map(({ clientIp, peerPort }) => [clientIp, peerPort]),
    [
      ['10.9.8.7', 4711],
      ['10.9.8.7', 4711],
    ],
  )
})

test('node:http2 is served, many requests at a time', async (t) => {
  const origin = await startOrigin(
    t,
    `HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(5000)}`,
  )
  const gateway = await startGateway(t, { origin: origin.port })
  const session = connectHttp2(`http://127.0.0.1:${gateway.port}`)
  t.after(() => session.destroy())

  const sizes = await Promise.all(
    Array.from({ length: 300 }, async (_, at) => {
      const stream = session.request({ ':path': `/${at}`, 'x-number': String(at) })
      let size = 0
      for await (const chunk of stream) size += (chunk as Buffer).length
      return size
    }),
  )

  assert.deepEqual(new Set(sizes), new Set([5000]))
  assert.equal(countOf(gateway, 38), 300)
})

/** A counter of the listener over all threads, see COUNT. */
function countOf(gateway: TestGateway, counter: number): number {
  const [slot = 0] = [...gateway.placed().listeners].map((one) => one.slot)
  return gateway.scoreboard.sum(slot, counter)
}
