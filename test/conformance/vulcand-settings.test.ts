// facts/vulcand.md 2.4, 2.6 and 5, in bytes: keys of vulcand, read by its layout, and what requests then see.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { readVulcandKeys } from '../support/vulcand-keys.ts'
import { exchange, openClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { OK, startOrigin, type Origin } from '../support/origin.ts'
import { eventually } from '../support/until.ts'

interface Site {
  readonly gateway: TestGateway
  ask(head: string, body?: string): Promise<ReceivedResponse>
}

interface Form {
  readonly settings?: object
  readonly backend?: object
  readonly middleware?: readonly [type: string, members: object]
}

async function startSite(t: TestContext, origins: readonly Origin[], form: Form): Promise<Site> {
  const { settings = {}, backend = {}, middleware } = form
  const gateway = await startGateway(
    t,
    readVulcandKeys({
      'listeners/web': { Protocol: 'http', Address: { Network: 'tcp', Address: '127.0.0.1:0' } },
      'backends/b/backend': { Type: 'http', Settings: backend },
      ...Object.fromEntries(
        origins.map(({ url }, at) => [`backends/b/servers/s${at}`, { URL: url }]),
      ),
      'frontends/f/frontend': {
        ...{ Type: 'http', Route: 'PathRegexp("/.*")', BackendId: 'b' },
        Settings: settings,
      },
      ...(middleware && {
        'frontends/f/middlewares/m': {
          Type: middleware[0],
          Priority: 1,
          Middleware: middleware[1],
        },
      }),
    }),
  )
  return {
    gateway,
    ask: (head, body = '') => exchange(t, gateway.port, `${head}\r\nHost: a.test\r\n\r\n${body}`),
  }
}

const status = (code: number, body = ''): string =>
  `HTTP/1.1 ${code} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`

test('MaxBodyBytes refuses announced and chunked bodies with 413', async (t) => {
  const origin = await startOrigin(t)
  const { ask } = await startSite(t, [origin], { settings: { Limits: { MaxBodyBytes: 4 } } })

  assert.equal((await ask('POST / HTTP/1.1\r\nContent-Length: 5', '12345')).status, 413)
  const chunked = 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked'
  assert.equal((await ask(chunked, '5\r\n12345\r\n0\r\n\r\n')).status, 413)
  assert.equal((await ask('POST / HTTP/1.1\r\nContent-Length: 4', '1234')).status, 200)
})

test('a failover predicate sends a request again by code, method and attempts', async (t) => {
  const origin = await startOrigin(t, status(500))
  const FailoverPredicate =
    '(ResponseCode() == 500 && RequestMethod() == "POST" && Attempts() < 3) || IsNetworkError()'
  const { ask } = await startSite(t, [origin], { settings: { FailoverPredicate } })

  assert.equal((await ask('GET / HTTP/1.1')).status, 500)
  assert.equal(origin.requests.length, 1)
  origin.forget()
  assert.equal((await ask('POST / HTTP/1.1\r\nContent-Length: 2', 'hi')).status, 500)
  assert.deepEqual(
    origin.requests.map((request) => request.body()),
    ['hi', 'hi', 'hi'],
  )
})

test('a predicate goes to another server when one responds with 502 or refuses', async (t) => {
  const [bad, good] = [await startOrigin(t, status(502)), await startOrigin(t, OK)]
  const gone = await startOrigin(t)
  await gone.close()
  const settings = { FailoverPredicate: 'IsNetworkError() && Attempts() <= 5' }
  const { ask } = await startSite(t, [bad, good, gone], { settings })

  for (let turn = 0; turn < 4; turn++) assert.equal((await ask('GET / HTTP/1.1')).status, 200)
})

test('Stream passes each piece on when it comes', async (t) => {
  const origin = await startOrigin(t, (_request, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n')
  })
  const { gateway } = await startSite(t, [origin], { settings: { Stream: true } })
  const client = await openClient(t, gateway.port)

  client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await eventually(() => client.partial()?.body.toString() === 'one', 'the first piece')
  origin.connections[0]?.write('3\r\ntwo\r\n0\r\n\r\n')

  assert.equal((await client.readResponse()).body.toString(), 'onetwo')
})

test('PassHostHeader decides which Host a server gets', async (t) => {
  const origin = await startOrigin(t)
  const passed = await startSite(t, [origin], { settings: { PassHostHeader: true } })
  const own = await startSite(t, [origin], {})

  await passed.ask('GET / HTTP/1.1')
  await own.ask('GET / HTTP/1.1')

  assert.deepEqual(
    origin.requests.map((request) => value(request, 'host')),
    ['a.test', `127.0.0.1:${origin.port}`],
  )
})

test('Timeouts.Read limits the time to the head of a response', async (t) => {
  const origin = await startOrigin(t, () => {})
  const { ask } = await startSite(t, [origin], {
    backend: { Timeouts: { Read: '20ms' } },
    settings: { FailoverPredicate: 'Attempts() < 1' },
  })

  assert.equal((await ask('GET / HTTP/1.1')).status, 504)
})

test('MaxIdleConnsPerHost below 0 keeps no idle connection', async (t) => {
  const origin = await startOrigin(t)
  const kept = await startSite(t, [origin], {})
  await kept.ask('GET / HTTP/1.1')
  await kept.ask('GET / HTTP/1.1')
  assert.equal(origin.connections.length, 1)
  const { ask } = await startSite(t, [origin], {
    backend: { KeepAlive: { MaxIdleConnsPerHost: -1 } },
  })

  await ask('GET / HTTP/1.1')
  await ask('GET / HTTP/1.1')

  assert.equal(origin.connections.length, 3)
})

test('a rate of a client is refused as in vulcand', async (t) => {
  const origin = await startOrigin(t)
  const members = { PeriodSeconds: 10, Requests: 1, Burst: 1, Variable: 'client.ip', RateVar: '' }
  const { ask } = await startSite(t, [origin], { middleware: ['ratelimit', members] })

  await ask('GET / HTTP/1.1')
  const response = await ask('GET / HTTP/1.1')

  assert.equal(response.status, 429)
  const retryIn = value(response, 'x-retry-in') ?? ''
  assert.match(retryIn, /^(?:10|9\.\d{1,3})s$/)
  assert.equal(value(response, 'content-type'), 'text/plain; charset=utf-8')
  assert.equal(response.body.toString(), `max rate reached: retry-in ${retryIn}`)
})

test('RateVar gives each request rates of its own', async (t) => {
  const origin = await startOrigin(t)
  const { ask } = await startSite(t, [origin], {
    middleware: [
      'ratelimit',
      {
        ...{ PeriodSeconds: 10, Requests: 1, Burst: 1, Variable: 'request.host' },
        RateVar: 'request.header.X-Rates',
      },
    ],
  })
  const own = 'GET / HTTP/1.1\r\nX-Rates: [{"PeriodSeconds":100,"Requests":2,"Burst":0}]'

  const statuses = []
  for (const head of [own, own, own]) statuses.push((await ask(head)).status)
  for (let turn = 0; turn < 2; turn++)
    statuses.push((await ask('GET / HTTP/1.1\r\nX-Rates: x')).status)

  assert.deepEqual(statuses, [200, 200, 429, 200, 429])
})

test('a limit of connections is refused as in vulcand', async (t) => {
  const origin = await startOrigin(t, () => {})
  const members = { Connections: 1, Variable: 'request.header.X-Who' }
  const { gateway, ask } = await startSite(t, [origin], { middleware: ['connlimit', members] })
  const client = await openClient(t, gateway.port)
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\nX-Who: me\r\n\r\n')
  await origin.request(1)

  const response = await ask('GET / HTTP/1.1\r\nX-Who: me')

  assert.deepEqual([response.status, response.body.toString()], [429, 'max connections reached: 1'])
  assert.equal(value(response, 'content-type'), 'text/plain; charset=utf-8')
})
