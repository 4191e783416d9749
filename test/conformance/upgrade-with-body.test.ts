// A request to upgrade may have a body (docker exec): the body is framed and goes before the tunnel; RFC 9110 7.8 and 15.5.22.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { OK, startOrigin, type Origin, type OriginConnection } from '../support/origin.ts'
import { get, request, sentinel } from '../support/refusal.ts'

const SWITCH = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
const LINES = ['Connection: Upgrade', 'Upgrade: tcp']

/** How a body of `data` is announced and written, and its last bytes. */
function framings(data: string): readonly (readonly [head: string, most: string, last: string])[] {
  const half = data.slice(0, data.length >> 1)
  const rest = data.slice(half.length)
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
  return [
    [request('POST', '/exec', ...LINES, `Content-Length: ${data.length}`), half, rest],
    [
      request('POST', '/exec', ...LINES, 'Transfer-Encoding: chunked'),
      chunk(half) + chunk(rest),
      '0\r\n\r\n',
    ],
  ]
}

function switchWhenWhole(t: TestContext): Promise<Origin> {
  return startOrigin(t, async (seen, connection) => {
    await seen.whole()
    if (seen.target !== '/exec') return connection.write(OK)
    connection.tunnel()
    connection.write(`${SWITCH}hello `)
  })
}

test('the body goes before the tunnel, however it is framed and in whatever pieces it comes', async (t) => {
  const origin = await switchWhenWhole(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const data of ['{"Detach":false}', 'x'.repeat(300_000)]) {
    for (const [head, most, last] of framings(data)) {
      for (const pieces of [
        [`${head}${most}${last}raw `],
        [head, most, last, 'raw '],
        [head, `${most}${last}raw `],
      ]) {
        origin.forget()
        const client = await openClient(t, gateway.port)
        await client.sendPieces(pieces)
        const response = await client.readResponse()
        const seen = await origin.request(1)
        client.send('bytes')
        await origin.until(() => seen.connection.tunnelled() === 'raw bytes', 'the tunnel')
        seen.connection.write('world')

        assert.equal(response.status, 101)
        assert.equal(await client.bytes(11), 'hello world')
        assert.equal(seen.body(), data)
        assert.deepEqual(values(seen, 'upgrade'), ['tcp'])
        assert.match(value(seen, 'connection') ?? '', /^upgrade$/i)
        client.reset()
      }
    }
  }
})

test('a 101 that comes before the end of the body waits for it', async (t) => {
  for (const [head, most, last] of framings('a body of some length')) {
    let server: OriginConnection | null = null
    const origin = await startOrigin(t, (seen, connection) => {
      if (seen.target !== '/exec') return connection.write(OK)
      server = connection
      connection.write(`${SWITCH}early `)
    })
    const gateway = await startGateway(t, { origin: origin.port })
    const client = await openClient(t, gateway.port)

    client.send(head + most)
    await origin.until(() => server !== null, 'the 101')
    await sentinel(t, gateway)
    const before = client.received()
    const seen = origin.requests.find(({ target }) => target === '/exec')
    assert.ok(seen !== undefined)
    void seen.whole().then(() => seen.connection.tunnel())
    client.send(last)
    await origin.until(() => seen.isComplete(), 'the whole body')
    const response = await client.readResponse()
    client.send('tunnelled')
    await origin.until(() => seen.connection.tunnelled() === 'tunnelled', 'the tunnel')
    seen.connection.write('bytes')

    assert.equal(before, 0, 'nothing of it before the body has ended')
    assert.equal(response.status, 101)
    assert.equal(await client.bytes(11), 'early bytes')
    assert.equal(seen.body(), 'a body of some length')
  }
})

test('a server asks for the body with 100 before it switches', async (t) => {
  const origin = await startOrigin(t, async (seen, connection) => {
    connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    await seen.whole()
    connection.tunnel()
    connection.write(SWITCH)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/exec', ...LINES, 'Content-Length: 5', 'Expect: 100-continue'))
  const interim = await client.message()
  client.send('hello')
  const response = await client.readResponse()

  assert.deepEqual([interim.status, response.status], [100, 101])
  assert.equal(origin.requests[0]?.body(), 'hello')
})

test('a server that switches without the body that it was to ask for is 502', async (t) => {
  const origin = await startOrigin(t, (_seen, connection) => connection.write(SWITCH))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(request('POST', '/exec', ...LINES, 'Content-Length: 5', 'Expect: 100-continue'))
  const response = await client.readResponse()

  assert.equal(response.status, 502)
  await origin.connections[0]?.gone()
})

test('a refusal is an ordinary response: what follows the body is the next request, on another connection', async (t) => {
  const origin = await startOrigin(t, async (seen, connection) => {
    await seen.whole()
    connection.write(
      seen.target === '/exec' ? 'HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno' : OK,
    )
  })
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [head, most, last] of framings(get('/hidden'))) {
    origin.forget()
    const client = await openClient(t, gateway.port)
    client.send(head + most + last + get('/next'))
    const refused = await client.readResponse()
    const next = await client.readResponse()

    assert.deepEqual([refused.status, next.status], [409, 200])
    assert.deepEqual(
      origin.requests.map(({ target }) => target),
      ['/exec', '/next'],
    )
    assert.notEqual(origin.requests[0]?.connection, origin.requests[1]?.connection)
    client.end()
  }
})

test('an upgrade comes to nothing when either side leaves before the body has ended', async (t) => {
  const origin = await startOrigin(t, (seen, connection) => {
    if (seen.target === '/exec') connection.write(SWITCH)
    else connection.write(OK)
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const half = request('POST', '/exec', ...LINES, 'Content-Length: 10') + 'hello'

  const leaving = await openClient(t, gateway.port)
  leaving.send(half)
  const first = await origin.request(1)
  leaving.reset()
  await first.connection.gone()

  origin.forget()
  const left = await openClient(t, gateway.port)
  left.send(half)
  const second = await origin.request(1)
  await sentinel(t, gateway)
  second.connection.reset()
  const response = await left.readResponse()

  assert.equal(first.isComplete(), false)
  assert.equal(response.status, 502)
})

test('a body that is broken upgrades nothing', async (t) => {
  const origin = await startOrigin(t, (_seen, connection) => connection.write(SWITCH))
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  client.send(`${request('POST', '/exec', ...LINES, 'Transfer-Encoding: chunked')}5\r\nhello\r\n`)
  const seen = await origin.request(1)
  client.send('zz\r\n')
  const response = await client.readResponse()

  assert.equal(response.status, 400)
  await seen.connection.gone()
  assert.equal(seen.isComplete(), false)
})

test('426 keeps its Upgrade, and Connection names it', async (t) => {
  const origin = await startOrigin(
    t,
    'HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: HTTP/3.0, foo/2\r\nContent-Length: 0\r\n\r\n',
  )
  const gateway = await startGateway(t, { origin: origin.port })

  for (const [lines, connection] of [
    [[], 'upgrade'],
    [['Connection: close'], 'close, upgrade'],
  ] as const) {
    const client = await openClient(t, gateway.port)
    const response = await client.ask(get('/', ...lines))

    assert.equal(response.status, 426)
    assert.deepEqual(values(response, 'upgrade'), ['HTTP/3.0, foo/2'])
    assert.equal(value(response, 'connection')?.toLowerCase(), connection)
  }
  origin.follow(
    'HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2\r\nContent-Length: 0\r\n\r\n',
  )
  const plain = await (await openClient(t, gateway.port)).ask(get('/'))
  assert.deepEqual(values(plain, 'upgrade'), [])
})
