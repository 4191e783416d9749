// facts/wire.md 4, Retry: when a request is sent a second time; RFC 9110 section 9.2.2, DESIGN.md section 6.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin, type Script } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { get, request, sentinel } from '../support/refusal.ts'

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH', 'FOO']
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

function balancing(t: TestContext, servers: object): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
}

test('a server that refuses the connection is passed over, whatever the method', async (t) => {
  for (const method of METHODS) {
    const origin = await startOrigin(t)
    const gateway = await balancing(t, {
      dead: `http://127.0.0.1:${await choosePort()}`,
      live: origin.url,
    })

    for (let i = 0; i < 4; i++) {
      const body = method === 'POST' ? 'hello' : ''
      const head = request(method, '/', ...(body === '' ? [] : ['Content-Length: 5']))
      const response = await exchange(t, gateway.port, head + body)
      assert.equal(response.status, 200, method)
    }
    assert.equal(origin.requests.length, 4)
    assert.ok(gateway.records().some(({ attempts }) => attempts === 2))
  }
})

/** Answers the first request of a connection, and meets the others like this. */
function thenMeets(others: Script): Script {
  const known = new Set<number>()
  return (seen, connection) => {
    if (known.has(connection.number)) return others(seen, connection)
    known.add(connection.number)
    connection.write(OK)
  }
}

for (const end of ['reset', 'FIN'] as const) {
  test(`a reused connection that dies by ${end} before a response is no loss for idempotent methods`, async (t) => {
    for (const method of METHODS.filter((name) => IDEMPOTENT.has(name))) {
      const origin = await startOrigin(
        t,
        thenMeets((_seen, connection) => dies(end, connection)),
      )
      const gateway = await startGateway(t, { origin: origin.port })
      await sentinel(t, gateway)

      const response = await exchange(t, gateway.port, request(method, '/again'))

      assert.equal(response.status, 200, method)
      assert.equal(origin.requests.length, 3)
      assert.equal(origin.connections.length, 2, 'the second try is on a fresh connection')
      assert.equal(gateway.records().at(-1)?.attempts, 2)
    }
  })
}

test('a reused connection that dies is 502 for methods that are not idempotent', async (t) => {
  for (const method of METHODS.filter((name) => !IDEMPOTENT.has(name))) {
    const origin = await startOrigin(
      t,
      thenMeets((_seen, connection) => connection.reset()),
    )
    const gateway = await startGateway(t, { origin: origin.port })
    await sentinel(t, gateway)

    const response = await exchange(t, gateway.port, request(method, '/once'))

    assert.equal(response.status, 502, method)
    assert.match(value(response, 'proxy-status') ?? '', /error=connection_terminated/)
    assert.equal(origin.requests.length, 2, 'sent once')
  }
})

test('a body that was streamed is not sent twice', async (t) => {
  const origin = await startOrigin(
    t,
    thenMeets((_seen, connection) => connection.reset()),
  )
  const gateway = await startGateway(t, { origin: origin.port })
  await sentinel(t, gateway)
  const client = await openClient(t, gateway.port)

  client.send(`${request('PUT', '/large', 'Content-Length: 1000000')}hello`)
  const response = await client.readResponse()

  assert.equal(response.status, 502)
  assert.equal(origin.requests.length, 2)
  client.reset()
})

test('a server that dies after a byte of a response is not asked again', async (t) => {
  for (const bytes of [
    'H',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe',
  ]) {
    const origin = await startOrigin(
      t,
      thenMeets((_seen, connection) => connection.end(bytes)),
    )
    const gateway = await startGateway(t, { origin: origin.port })
    await sentinel(t, gateway)
    const client = await openClient(t, gateway.port)

    client.send(get('/once'))
    await client.readResponse().then(
      (response) => assert.equal(response.status, 502),
      () => assert.equal(client.ending(), 'reset'),
    )

    assert.equal(origin.requests.length, 2)
  }
})

test('a server that always dies is not asked for ever', async (t) => {
  const origin = await startOrigin(t, (_seen, connection) => connection.reset())
  const gateway = await startGateway(t, { origin: origin.port })

  const response = await exchange(t, gateway.port, get('/'))

  assert.equal(response.status, 502)
  assert.ok(origin.requests.length <= 2, `${origin.requests.length} times`)
})

test('connections that the server closed while idle are noticed, whatever the next method', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const method of METHODS) {
    await sentinel(t, gateway)
    const idle = origin.connections.find((connection) => connection.isOpen())
    idle?.end()
    await idle?.gone()
    const response = await exchange(t, gateway.port, request(method, '/'))
    assert.equal(response.status, 200, method)
  }
})

test('a status of the server is passed on, not tried again', async (t) => {
  for (const status of [500, 502, 503, 504]) {
    const origin = await startOrigin(t, `HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
    const gateway = await startGateway(t, { origin: origin.port })

    const response = await exchange(t, gateway.port, get('/'))

    assert.equal(response.status, status)
    assert.equal(origin.requests.length, 1)
  }
})

function dies(end: 'reset' | 'FIN', connection: Origin['connections'][number]): void {
  if (end === 'reset') connection.reset()
  else connection.end()
}
