// RFC 9110 section 6.6.1: a response that has no Date gets one as it is received; interim responses do not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values } from '../support/message.ts'
import { respondWith, startOrigin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'

const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/

function assertNow(dates: readonly string[]): void {
  assert.equal(dates.length, 1)
  assert.match(dates[0] ?? '', HTTP_DATE)
  assert.ok(Math.abs(Date.parse(dates[0] ?? '') - Date.now()) < 5_000)
}

test('a response of a server without Date gets one, whatever its framing', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const rest of [
    '200 OK\r\nContent-Length: 2\r\n\r\nok',
    '200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    '204 No Content\r\n\r\n',
    '304 Not Modified\r\nETag: "a"\r\n\r\n',
    '500 Internal Server Error\r\nContent-Length: 0\r\n\r\n',
    '200 OK\r\nConnection: date\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n',
  ]) {
    origin.follow(respondWith(`HTTP/1.1 ${rest}`))
    const response = await exchange(t, gateway.port, get('/'))
    assertNow(values(response, 'date'))
  }
  origin.follow(respondWith('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n'))
  const head = await exchange(t, gateway.port, request('HEAD', '/'))
  assertNow(values(head, 'date'))
})

test('the Date of a server is passed on as it is', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  for (const line of ['Date: Thu, 01 Jan 1970 00:00:00 GMT', 'dATE: tomorrow', 'date:']) {
    origin.follow(respondWith(`HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: 2\r\n\r\nok`))
    const response = await exchange(t, gateway.port, get('/'))
    assert.deepEqual(values(response, 'date'), [line.slice(5).trim()])
  }
})

test('interim responses and a 101 get no Date', async (t) => {
  const origin = await startOrigin(t, (seen, connection) => {
    if (seen.target === '/up') {
      connection.tunnel()
      connection.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
      )
    } else {
      connection.write(
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      )
    }
  })
  const gateway = await startGateway(t, { origin: origin.port })
  const client = await openClient(t, gateway.port)

  const hinted = await client.ask(get('/'))
  const switched = await client.ask(get('/up', 'Connection: Upgrade', 'Upgrade: echo'))

  assert.deepEqual(
    hinted.interim.map((head) => values(head, 'date')),
    [[]],
  )
  assertNow(values(hinted, 'date'))
  assert.deepEqual(values(switched, 'date'), [])
})

test("the proxy's local responses have one Date", async (t) => {
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: {
      dated: {
        route: 'Path("/dated")',
        respond: { status: 200, fields: { Date: 'Thu, 01 Jan 1970 00:00:00 GMT' } },
      },
      respond: { route: 'Path("/respond")', respond: { status: 204 } },
      redirect: { route: 'Path("/redirect")', redirect: { to: 'https://a.test/', status: 302 } },
    },
  })

  for (const [target, status] of [
    ['/respond', 204],
    ['/redirect', 302],
    ['/nowhere', 404],
  ] as const) {
    const response = await exchange(t, gateway.port, get(target))
    assert.equal(response.status, status)
    assertNow(values(response, 'date'))
  }
  const dated = await exchange(t, gateway.port, get('/dated'))
  assert.deepEqual(values(dated, 'date'), ['Thu, 01 Jan 1970 00:00:00 GMT'])
  const refused = await exchange(t, gateway.port, 'BROKEN\r\n\r\n')
  assert.equal(refused.status, 400)
  assertNow(values(refused, 'date'))
})

test("a route may take a response's Date away", async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: { middlewares: [{ kind: 'headers', response: { remove: ['Date'] } }] },
  })

  const response = await exchange(t, gateway.port, get('/'))

  assert.deepEqual(values(response, 'date'), [])
})
