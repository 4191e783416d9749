// RFC 9113 5.1.2, 6.8, 8.7 towards servers: how exchanges share connections, and what happens when one ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openClient } from '../support/client.ts'
import { askTogether, configOf, towardsHttp2 } from '../support/http2-servers.ts'
import { ERROR, goAwayFrame, resetFrame, SETTING, TYPE } from '../support/http2/frames.ts'
import { startHttp2Server, type Http2Request } from '../support/http2/server.ts'
import { get, request } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

test('a burst shares one connection that is still being opened', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port })

  const responses = await askTogether(t, gateway, 60)

  assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200])
  assert.equal(server.connections.length, 1)
})

test('a full connection makes another one open, up to the limit of requests', async (t) => {
  const waiting: Http2Request[] = []
  const server = await startHttp2Server(t, (received) => void waiting.push(received))
  const backend = { http2: { streams: 4 }, limits: { connections: 10 } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })

  const asked = askTogether(t, gateway, 12)
  await server.until(() => waiting.length === 10, 'ten requests at the server')
  await eventually(() => gateway.records().length === 2, 'two are refused')
  const perConnection = server.connections.map(
    ({ number }) => waiting.filter(({ connection }) => connection.number === number).length,
  )
  for (const one of waiting) one.respond()
  const statuses = (await asked).map(({ status }) => status)

  assert.deepEqual(
    perConnection.toSorted((one, other) => one - other),
    [2, 4, 4],
  )
  assert.equal(statuses.filter((status) => status === 200).length, 10)
  assert.equal(statuses.filter((status) => status === 503).length, 2)
})

test('the limit that a server announces is kept', async (t) => {
  const waiting: Http2Request[] = []
  const server = await startHttp2Server(t, (received) => void waiting.push(received), {
    settings: [[SETTING.maxConcurrentStreams, 2]],
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const warm = await openClient(t, gateway.port)
  warm.send(get('/warm'))
  ;(await server.request(1)).respond()
  await warm.readResponse()
  waiting.length = 0

  const asked = askTogether(t, gateway, 6)
  await server.until(() => waiting.length === 6, 'six requests at the server')
  const counts = new Map<number, number>()
  for (const { connection } of waiting)
    counts.set(connection.number, (counts.get(connection.number) ?? 0) + 1)
  for (const one of waiting) one.respond()

  assert.ok((await asked).every(({ status }) => status === 200))
  assert.ok(
    [...counts.values()].every((count) => count <= 2),
    JSON.stringify([...counts]),
  )
})

test('streams above the last of a GOAWAY are sent again with any method, others finish', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const gateway = await towardsHttp2(t, { servers: server.port })
  const [first, second] = await Promise.all([
    openClient(t, gateway.port),
    openClient(t, gateway.port),
  ])

  first.send(get('/kept'))
  const kept = await server.request(1)
  second.send(`${request('POST', '/again', 'Content-Length: 4')}body`)
  const again = await server.request(2)
  await again.whole()
  kept.connection.send(goAwayFrame(kept.streamId))
  const repeated = await server.request(3)
  await repeated.whole()
  repeated.respond({ body: 'second' })
  kept.respond({ body: 'first' })

  assert.equal((await second.readResponse()).body.toString(), 'second')
  assert.equal((await first.readResponse()).body.toString(), 'first')
  assert.notEqual(repeated.connection, kept.connection)
  assert.equal(repeated.stream.body.toString(), 'body')
  await server.until(
    () => server.open() === 1,
    'the connection closes when its last stream has ended',
  )
})

test('a graceful stop of a server fails nothing and is no failure of the server', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)
  for (let turn = 0; turn < 5; turn++) {
    const response = await client.ask(request('POST', '/', 'Content-Length: 0'))
    assert.equal(response.status, 200)
    const last = server.requests.at(-1)
    last?.connection.send(goAwayFrame(last.streamId))
  }

  assert.equal(gateway.records().filter(({ reason }) => reason !== null).length, 0)
})

test('a refused stream is sent to another server with any method', async (t) => {
  const refusing = await startHttp2Server(t, (received) => {
    received.connection.send(resetFrame(received.streamId, ERROR.refusedStream))
  })
  const good = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: { a: refusing.port, b: good.port } })
  const client = await openClient(t, gateway.port)

  for (let turn = 0; turn < 4; turn++) {
    const response = await client.ask(request('POST', `/${turn}`, 'Content-Length: 0'))
    assert.equal(response.status, 200)
  }

  assert.ok(refusing.requests.length > 0)
})

test('a stream that every server refuses is 503', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    received.connection.send(resetFrame(received.streamId, ERROR.refusedStream))
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 503)
  assert.equal(gateway.records()[0]?.reason, 'STREAM_REFUSED')
})

test('a connection that breaks fails its streams: idempotent ones are sent again', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const gateway = await towardsHttp2(t, {
    servers: server.port,
    backend: { retry: { attempts: 2 } },
  })
  const [reader, writer] = await Promise.all([
    openClient(t, gateway.port),
    openClient(t, gateway.port),
  ])

  reader.send(get('/get'))
  const first = await server.request(1)
  writer.send(request('POST', '/post', 'Content-Length: 0'))
  await server.request(2)
  first.connection.socket.resetAndDestroy()
  const failed = await writer.readResponse()

  assert.equal(failed.status, 502)
  await eventually(
    () => gateway.records().some(({ reason }) => reason === 'SERVER_CLOSED'),
    'reason',
  )
})

test('an idle connection closes after its time, with a GOAWAY', async (t) => {
  const server = await startHttp2Server(t)
  const backend = { timeouts: { idle: '300ms' } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })
  const client = await openClient(t, gateway.port)

  await client.ask(get('/'))
  const [connection] = server.connections
  assert.ok(connection)
  const { code } = await connection.goAway()
  await connection.closed()

  assert.equal(code, ERROR.none)
  assert.equal((await client.ask(get('/'))).status, 200)
})

test('a connection of maxAge finishes its requests and takes no new ones', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const backend = { http2: { maxAge: '200ms' } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })
  const [old, young] = await Promise.all([openClient(t, gateway.port), openClient(t, gateway.port)])

  old.send(get('/old'))
  const first = await server.request(1)
  await eventually(async () => {
    if (server.connections.length > 1) return true
    young.send(get('/young'))
    const received = await server.request(server.requests.length + 1)
    received.respond()
    await young.readResponse()
    return server.connections.length > 1
  }, 'another connection')
  first.respond({ body: 'old' })

  assert.equal((await old.readResponse()).body.toString(), 'old')
  assert.equal((await first.connection.goAway()).code, ERROR.none)
})

test('a server that is removed finishes its streams, then the connection closes', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const other = await startHttp2Server(t)
  const gateway = await towardsHttp2(t, { servers: { a: server.port } })
  const [client, next] = await Promise.all([
    openClient(t, gateway.port),
    openClient(t, gateway.port),
  ])

  client.send(get('/'))
  const received = await server.request(1)
  await gateway.apply(configOf({ servers: { b: other.port } }))
  assert.equal((await next.ask(get('/'))).status, 200)
  received.respond({ body: 'late' })

  assert.equal((await client.readResponse()).body.toString(), 'late')
  await received.connection.closed()
  assert.equal(other.requests.length, 1)
})

test('a server that is silent is pinged once after a request, and its connection is closed without a response', async (t) => {
  const silent = await startHttp2Server(t, () => {}, { answersPings: false })
  const backend = {
    http2: { ping: '200ms', pingTimeout: '200ms' },
    timeouts: { firstByte: '30s' },
    retry: { attempts: 1 },
  }
  const gateway = await towardsHttp2(t, { servers: silent.port, backend })
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/'))

  assert.equal(response.status, 502)
  const pings = silent.connections[0]?.frames.filter(({ type }) => type === TYPE.ping) ?? []
  assert.equal(pings.length, 1)
})

test('a server that is slow and answers pings keeps its connection', async (t) => {
  const server = await startHttp2Server(t, () => {})
  const backend = { http2: { ping: '200ms', pingTimeout: '200ms' } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  const received = await server.request(1)
  await received.connection.frame(TYPE.ping)
  await received.connection.roundTrip()
  received.respond()

  assert.equal((await client.readResponse()).status, 200)
})

for (const [phase, timeouts, reason] of [
  ['response', { firstByte: '300ms' }, 'FIRST_BYTE_TIMEOUT'],
  ['attempt', { try: '300ms' }, 'TRY_TIMEOUT'],
  ['request', { request: '300ms' }, 'REQUEST_TIMEOUT'],
] as const) {
  test(`the time limit of a ${phase} ends one stream and not the connection`, async (t) => {
    const server = await startHttp2Server(t, (received) => {
      if (received.value(':path') === '/good') received.respond()
    })
    const backend = { timeouts, retry: { attempts: 1 } }
    const gateway = await towardsHttp2(t, { servers: server.port, backend })
    const client = await openClient(t, gateway.port)

    const late = await client.ask(get('/late'))
    const good = await client.ask(get('/good'))

    assert.deepEqual([late.status, good.status], [504, 200])
    assert.equal(gateway.records()[0]?.reason, reason)
    assert.equal((await server.request(1)).stream.resetCode, ERROR.cancel)
    assert.equal(server.connections.length, 1)
  })
}

test('a response that stalls is cut, and its stream is reset', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    received.respond({ fields: [['content-length', '9']], body: 'abc', end: false })
  })
  const backend = { timeouts: { stall: '300ms' } }
  const gateway = await towardsHttp2(t, { servers: server.port, backend })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  await client.closed()

  assert.equal(gateway.records()[0]?.reason, 'STALL_TIMEOUT')
  const { stream } = await server.request(1)
  await server.until(() => stream.resetCode !== null, 'the reset')
  assert.equal(stream.resetCode, ERROR.cancel)
})

test('why a server ends its connections is in the log, once for many', async (t) => {
  const server = await startHttp2Server(t, (received) => {
    received.respond()
    received.connection.send(
      goAwayFrame(received.streamId, ERROR.enhanceYourCalm, 'too_many_pings\r\n'),
    )
  })
  const gateway = await towardsHttp2(t, { servers: server.port })
  const client = await openClient(t, gateway.port)

  for (let turn = 0; turn < 3; turn++) {
    assert.equal((await client.ask(get('/'))).status, 200)
    await server.connections[turn]?.closed()
  }

  assert.deepEqual(gateway.notices(), [
    `server h2c://127.0.0.1:${server.port} ended a connection of HTTP/2 with an error: ENHANCE_YOUR_CALM, "too_many_pings??"`,
  ])
})
