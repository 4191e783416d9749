// facts/wire.md 6, what a client is told; RFC 9209 (Proxy-Status), RFC 9110 10.2.3 (Retry-After).
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { AccessRecord } from '../../src/observe/access-record.ts'
import { exchange, openClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { get, sentinel } from '../support/refusal.ts'
import { eventually } from '../support/until.ts'

function serving(t: TestContext, servers: object, listener: object = {}): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', ...listener } },
    backends: { b: { servers } },
    frontends: { f: { route: 'Host("a.test")', backend: 'b' } },
  })
}

/** A response of our own: its error, its reason in the log, and a short body that says the same to people and programs. */
async function assertOwn(
  gateway: TestGateway,
  response: ReceivedResponse,
  status: number,
  error: string,
  reason: AccessRecord['reason'],
): Promise<void> {
  assert.equal(response.status, status, response.head)
  const proxyStatus = value(response, 'proxy-status') ?? ''
  assert.match(proxyStatus, new RegExp(`^sluice; error=${error}(;|$)`))
  // RFC 8941: a string holds printable ASCII, with quotes and backslashes escaped.
  assert.match(proxyStatus, /^sluice; error=[a-z_]+(; details="(?:[ !#-[\]-~]|\\["\\])*")?$/)
  assert.match(value(response, 'content-type') ?? '', /^(text\/plain|application\/json)/)
  assert.ok(response.body.length > 0 && response.body.length < 500)
  await eventually(() => gateway.records().length > 0, 'the record')
  assert.equal(gateway.records().at(-1)?.reason, reason)
  assert.equal(gateway.records().at(-1)?.status, status)
}

test('no route is 404', async (t) => {
  const gateway = await serving(t, {})

  const response = await exchange(t, gateway.port, 'GET / HTTP/1.1\r\nHost: b.test\r\n\r\n')

  await assertOwn(gateway, response, 404, 'destination_not_found', 'NO_ROUTE')
  assert.equal(response.body.toString(), 'Not Found')
  assert.match(value(response, 'content-type') ?? '', /^text\/plain/)
})

test('no server is 503', async (t) => {
  const gateway = await serving(t, {})

  const response = await exchange(t, gateway.port, get('/'))

  await assertOwn(gateway, response, 503, 'destination_unavailable', 'NO_SERVER')
  assert.equal(response.body.toString().trim(), 'Service Unavailable')
})

test('a refused connection is 502', async (t) => {
  const gateway = await serving(t, { s: `http://127.0.0.1:${await choosePort()}` })

  const response = await exchange(t, gateway.port, get('/'))

  await assertOwn(gateway, response, 502, 'connection_refused', 'CONNECT_REFUSED')
  assert.equal(response.body.toString().trim(), 'Bad Gateway')
})

for (const end of ['reset', 'FIN'] as const) {
  test(`a server that ends the connection by ${end} before a response is 502`, async (t) => {
    const origin = await startOrigin(t, (_request, connection) => {
      if (end === 'reset') connection.reset()
      else connection.end()
    })
    const gateway = await serving(t, { s: origin.url })

    const response = await exchange(t, gateway.port, get('/'))

    await assertOwn(gateway, response, 502, 'connection_terminated', 'SERVER_CLOSED')
  })
}

test('a malformed response is 502', async (t) => {
  const origin = await startOrigin(t, 'HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n')
  const gateway = await serving(t, { s: origin.url })

  const response = await exchange(t, gateway.port, get('/'))

  await assertOwn(gateway, response, 502, 'http_protocol_error', 'BAD_ANSWER')
})

test('a head that is cut is 502', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.end('HTTP/1.1 200 OK\r\nContent-Len')
  })
  const gateway = await serving(t, { s: origin.url })

  const response = await exchange(t, gateway.port, get('/'))

  await assertOwn(gateway, response, 502, 'http_response_incomplete', 'ANSWER_CUT')
})

test('a head that is too large is 502', async (t) => {
  const origin = await startOrigin(t, `HTTP/1.1 200 OK\r\nX-Big: ${'v'.repeat(40_000)}\r\n\r\n`)
  const gateway = await serving(t, { s: origin.url })

  const response = await exchange(t, gateway.port, get('/'))

  await assertOwn(gateway, response, 502, 'http_response_header_section_size', 'ANSWER_TOO_LARGE')
})

test('a response that is cut later has its reason in the log', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  })
  const gateway = await serving(t, { s: origin.url })
  const client = await openClient(t, gateway.port)

  client.send(get('/'))
  await client.closed()
  await eventually(() => gateway.records().length > 0, 'the record')

  assert.equal(gateway.records()[0]?.reason, 'ANSWER_CUT')
})

test('one connection more than the listener may have gets 503 with Retry-After', async (t) => {
  for (const limit of ['connections', 'connectionsPerClient']) {
    const origin = await startOrigin(t)
    const gateway = await serving(t, { s: origin.url }, { limits: { [limit]: 2 } })
    const [first, second] = [await openClient(t, gateway.port), await openClient(t, gateway.port)]
    await first.ask(get('/'))
    await second.ask(get('/'))

    const third = await openClient(t, gateway.port)
    third.send(get('/'))
    const response = await third.readResponse()

    assert.equal(response.status, 503, limit)
    assert.match(value(response, 'proxy-status') ?? '', /^sluice; error=connection_limit_reached/)
    assert.match(value(response, 'retry-after') ?? '', /^\d+$/)
    assert.equal(await third.closed(), 'fin')
    assert.equal((await first.ask(get('/'))).status, 200)
    second.reset()
    await eventually(() => second.socket.destroyed, 'the end of the second')
    await eventuallyServed(t, gateway)
  }
})

async function eventuallyServed(t: TestContext, gateway: TestGateway): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const client = await openClient(t, gateway.port)
    const { status } = await client.ask(get('/', 'Connection: close'))
    await client.closed()
    if (status === 200) return
  }
  assert.fail('a place that became free is not given away')
}

test('one connection more than a server may have is 503 with Retry-After', async (t) => {
  const origin = await startOrigin(t, (request, connection) => {
    if (request.target !== '/held') connection.write(OK)
  })
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url }, limits: { connections: 1 } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const holder = await openClient(t, gateway.port)
  holder.send(get('/held'))
  await origin.request(1)

  const response = await exchange(t, gateway.port, get('/'))
  await assertOwn(gateway, response, 503, 'connection_limit_reached', 'SERVER_LIMIT')
  assert.match(value(response, 'retry-after') ?? '', /^\d+$/)
  origin.connections[0]?.write(OK)
  await holder.readResponse()
  await sentinel(t, gateway)
})

test('a refused request says why, and the log says it with it', async (t) => {
  const gateway = await serving(t, {})

  const response = await exchange(t, gateway.port, get('/', 'X-"quoted\\: b'))

  await assertOwn(gateway, response, 400, 'http_request_error', 'BAD_FIELD')
})

test('what a response of ours says is never split by what was asked', async (t) => {
  const gateway = await serving(t, {})

  for (const target of ['/%0d%0aX-Evil:%201', '/"\\', '/a?%0d%0aSet-Cookie:%20a=b', "/'<script>"]) {
    const request = `GET ${target} HTTP/1.1\r\nHost: b.test\r\n\r\n`
    const response = await exchange(t, gateway.port, request)

    assert.equal(value(response, 'x-evil'), null)
    assert.equal(value(response, 'set-cookie'), null)
    assert.doesNotMatch(response.body.toString(), /<script>/)
  }
})

test('a response of ours to HEAD has no body, and the connection goes on', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await serving(t, { s: origin.url })
  const client = await openClient(t, gateway.port)

  const missing = await client.ask('HEAD / HTTP/1.1\r\nHost: b.test\r\n\r\n')
  const present = await client.ask(get('/'))

  assert.equal(missing.status, 404)
  assert.equal(present.body.toString(), 'ok')
})

test("a server's own errors pass through untouched", async (t) => {
  const origin = await startOrigin(t)
  const gateway = await serving(t, { s: origin.url })
  const client = await openClient(t, gateway.port)

  for (const status of [400, 404, 500, 502, 503, 504]) {
    origin.follow(`HTTP/1.1 ${status} Own\r\nContent-Length: 3\r\nX-A: b\r\n\r\nown`)
    const response = await client.ask('POST / HTTP/1.1\r\nHost: a.test\r\n\r\n')

    assert.equal(response.line, `HTTP/1.1 ${status} Own`)
    assert.equal(response.body.toString(), 'own')
    assert.equal(value(response, 'proxy-status'), null)
  }
  assert.ok(gateway.records().every(({ reason }) => reason === null))
})

test('the record of an exchange says what happened', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await serving(t, { s: origin.url })

  await exchange(
    t,
    gateway.port,
    `${get('/p?q', 'User-Agent: t', 'Referer: r', 'Content-Length: 5')}hello`,
  )
  await eventually(() => gateway.records().length === 1, 'the record')
  const [record] = gateway.records()

  assert.equal(record?.listener, 'web')
  assert.equal(record?.frontend, 'f')
  assert.equal(record?.backend, 'b')
  assert.equal(record?.server, origin.url)
  assert.equal(record?.attempts, 1)
  assert.equal(record?.method, 'GET')
  assert.equal(record?.host, 'a.test')
  assert.equal(record?.target, '/p?q')
  assert.equal(record?.status, 200)
  assert.equal(record?.reason, null)
  assert.equal(record?.userAgent, 't')
  assert.equal(record?.referer, 'r')
  assert.equal(record?.clientIp, '127.0.0.1')
})
