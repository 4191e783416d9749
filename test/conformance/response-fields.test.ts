// What `headers.response` changes, it changes in every response of its frontend: of servers, of middlewares and of the proxy.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange, openClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { respondWith, OK, startOrigin, type Script } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'

const HEADERS = { response: { set: { 'X-Site': 'vote' }, remove: ['X-Gone'] } }

async function startSite(
  t: TestContext,
  frontend: object,
  script: Script | string = OK,
  rest: object = {},
): Promise<TestGateway> {
  const origin = await startOrigin(t, script)
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0', timeouts: { body: '300ms' } } },
    backends: { b: { servers: { s: origin.url }, retry: { attempts: 1 }, ...rest } },
    frontends: { f: { route: 'PathPrefix("/")', headers: HEADERS, ...frontend } },
  })
}

function assertEdited(response: ReceivedResponse, status: number): void {
  assert.equal(response.status, status, response.head)
  assert.deepEqual(values(response, 'x-site'), ['vote'], response.head)
  assert.equal(value(response, 'x-gone'), null, response.head)
}

const ASKED = get('/')
const ANSWERED: readonly (readonly [
  name: string,
  status: number,
  frontend: object,
  bytes: string,
  script?: Script | string,
  backend?: object,
])[] = [
  ['a server', 200, { backend: 'b' }, ASKED, OK.replace('\r\n', '\r\nX-Gone: 1\r\nX-Site: s\r\n')],
  ['respond', 200, { respond: { status: 200, fields: { 'X-Gone': '1' } } }, ASKED],
  ['redirect', 308, { redirect: { to: 'https://vote.example' } }, ASKED],
  [
    'a body that is announced too large',
    413,
    { backend: 'b', bodylimit: { size: 1 } },
    request('POST', '/', 'Content-Length: 9'),
  ],
  [
    'a server that closes',
    502,
    { backend: 'b' },
    ASKED,
    (_request, connection) => connection.end(),
  ],
  ['a server that sends garbage', 502, { backend: 'b' }, ASKED, 'garbage\r\n\r\n'],
  [
    'a server that is late',
    504,
    { backend: 'b', timeouts: { firstByte: '50ms' } },
    ASKED,
    () => {},
  ],
  ['a request that is late', 504, { backend: 'b', timeouts: { request: '50ms' } }, ASKED, () => {}],
  ['a backend without servers', 503, { backend: 'b' }, ASKED, OK, { servers: {} }],
  [
    'a server that drains',
    503,
    { backend: 'b' },
    ASKED,
    OK,
    { servers: { s: { url: 'http://127.0.0.1:9', drain: true } } },
  ],
  [
    'a server that refuses the connection',
    502,
    { backend: 'b' },
    ASKED,
    OK,
    { servers: { s: 'http://127.0.0.1:9' } },
  ],
]

for (const [name, status, frontend, bytes, script, backend] of ANSWERED) {
  test(`the response has the fields: ${name}`, async (t) => {
    const gateway = await startSite(t, frontend, script, backend)

    assertEdited(await exchange(t, gateway.port, bytes), status)
  })
}

test('refusals of the limits have the fields', async (t) => {
  const limited = await startSite(t, { backend: 'b', ratelimit: { requests: 1, period: '1h' } })
  assertEdited(await exchange(t, limited.port, ASKED), 200)
  const refused = await exchange(t, limited.port, ASKED)
  assertEdited(refused, 429)
  assert.equal(value(refused, 'ratelimit-remaining'), '0')

  for (const [limit, status] of [
    [{ connlimit: { connections: 1 } }, 429],
    [{ inflight: { requests: 1 } }, 503],
  ] as const) {
    const origin = await startOrigin(t, () => {})
    const gateway = await startGateway(t, {
      origin: origin.port,
      frontend: { headers: HEADERS, ...limit },
    })
    const first = await openClient(t, gateway.port)
    first.send(ASKED)
    await origin.request(1)

    assertEdited(await exchange(t, gateway.port, ASKED), status)
  }
})

test('a body that turns out too large, or stops, is answered with the fields', async (t) => {
  const gateway = await startSite(t, { backend: 'b', bodylimit: { size: 4 } }, () => {})
  const large = await openClient(t, gateway.port)
  large.send(request('POST', '/', 'Transfer-Encoding: chunked'))
  large.send('9\r\n123456789\r\n')
  assertEdited(await large.readResponse(), 413)

  const late = await openClient(t, gateway.port)
  late.send(request('POST', '/', 'Content-Length: 3') + '1')
  assertEdited(await late.readResponse(), 408)
})

test('the last of several attempts is answered with the fields, once', async (t) => {
  let asked = 0
  const gateway = await startSite(
    t,
    { backend: 'b', retry: { attempts: 2, when: 'ResponseCode() == 503' } },
    (request, connection) =>
      respondWith(
        asked++ === 0
          ? 'HTTP/1.1 503 Wait\r\nContent-Length: 0\r\n\r\n'
          : OK.replace('\r\n', '\r\nX-Gone: 1\r\n'),
      )(request, connection),
  )

  assertEdited(await exchange(t, gateway.port, ASKED), 200)
  assert.equal(asked, 2)
})

test("the fields of the proxy's local responses can be replaced and removed, their framing cannot", async (t) => {
  const gateway = await startSite(t, {
    respond: { status: 200, body: '{}' },
    headers: {
      response: {
        set: { 'Content-Type': 'application/json' },
        remove: ['Date'],
        add: { Vary: '*' },
      },
    },
  })
  const response = await exchange(t, gateway.port, ASKED)

  assert.deepEqual(values(response, 'content-type'), ['application/json'])
  assert.deepEqual(values(response, 'content-length'), ['2'])
  assert.deepEqual(values(response, 'vary'), ['*'])
  assert.equal(value(response, 'date'), null)
})

test('HEAD gets the fields and no body', async (t) => {
  const gateway = await startSite(t, { respond: { status: 200, body: 'text' } })
  const response = await exchange(t, gateway.port, request('HEAD', '/'))

  assertEdited(response, 200)
  assert.equal(response.body.length, 0)
})

test('in a list a response passes only the middlewares outside of the one that made it', async (t) => {
  const outer = { kind: 'headers', response: { set: { 'X-Outer': '1', 'X-Both': 'outer' } } }
  const inner = { kind: 'headers', response: { set: { 'X-Inner': '1', 'X-Both': 'inner' } } }
  const limit = { kind: 'ratelimit', requests: 1, period: '1h' }
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: {
      f: { route: 'PathPrefix("/")', middlewares: [outer, limit, inner], respond: { status: 200 } },
    },
  })

  const passed = await exchange(t, gateway.port, ASKED)
  const refused = await exchange(t, gateway.port, ASKED)

  const seen = (response: ReceivedResponse): (string | null)[] =>
    ['x-outer', 'x-inner', 'x-both'].map((name) => value(response, name))
  assert.deepEqual([passed.status, ...seen(passed)], [200, '1', '1', 'outer'])
  assert.deepEqual([refused.status, ...seen(refused)], [429, '1', null, 'outer'])
})

test('the short form sets response fields outside of the limits, and request fields inside', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, {
    origin: origin.port,
    frontend: {
      ratelimit: { requests: 1, period: '1h', key: 'request.header.X-Key' },
      headers: { request: { set: { 'X-Key': 'same' } }, response: { set: { 'X-Site': 'vote' } } },
    },
  })

  assertEdited(await exchange(t, gateway.port, get('/', 'X-Key: one')), 200)
  assertEdited(await exchange(t, gateway.port, get('/', 'X-Key: two')), 200)
  assertEdited(await exchange(t, gateway.port, get('/', 'X-Key: two')), 429)
  assert.deepEqual(
    origin.requests.map((seen) => value(seen, 'x-key')),
    ['same', 'same'],
  )
})
