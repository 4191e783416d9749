// What routes, limits, hashes and variables see of a request's fields: what was received and is believed, all of its lines.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange, openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { get, request } from '../support/refusal.ts'

/** Answers 200 where the condition holds, 404 where not. */
function asking(t: TestContext, condition: string, rest: object = {}): Promise<TestGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: { f: { route: condition, respond: { status: 200 } } },
    ...rest,
  })
}

const OF_THE_HOP: readonly (readonly [condition: string, ...lines: string[]])[] = [
  ['Header("Upgrade", "websocket")', 'Connection: upgrade', 'Upgrade: websocket'],
  ['Header("Connection", "keep-alive")', 'Connection: keep-alive'],
  ['HeaderRegexp("Connection", "(?i)upgrade")', 'Connection: keep-alive', 'Connection: Upgrade'],
  ['Header("TE", "trailers")', 'TE: trailers'],
  ['Header("Keep-Alive", "timeout=5")', 'Keep-Alive: timeout=5'],
  ['Header("Proxy-Authorization", "Basic eA==")', 'Proxy-Authorization: Basic eA=='],
  ['Header("Proxy-Connection", "keep-alive")', 'Proxy-Connection: keep-alive'],
]

test('a route sees the fields that are for this hop only', async (t) => {
  for (const [condition, ...lines] of OF_THE_HOP) {
    await t.test(condition, async (t) => {
      const gateway = await asking(t, condition)

      assert.equal((await exchange(t, gateway.port, get('/', ...lines))).status, 200)
      assert.equal((await exchange(t, gateway.port, get('/'))).status, 404)
    })
  }
})

test('a route sees the fields that frame a body', async (t) => {
  const cases = [
    ['Header("Content-Length", "2")', 'Content-Length: 2', 'ok'],
    [
      'Header("Transfer-Encoding", "chunked")',
      'Transfer-Encoding: chunked',
      '2\r\nok\r\n0\r\n\r\n',
    ],
    ['Header("Expect", "100-continue")', 'Expect: 100-continue\r\nContent-Length: 2', 'ok'],
    [
      'Header("Trailer", "X-Sum")',
      'Trailer: X-Sum\r\nTransfer-Encoding: chunked',
      '0\r\nX-Sum: 1\r\n\r\n',
    ],
  ] as const
  for (const [condition, line, body] of cases) {
    await t.test(condition, async (t) => {
      const gateway = await asking(t, condition)

      const bytes = request('POST', '/', line) + body
      assert.equal((await exchange(t, gateway.port, bytes)).status, 200)
      assert.equal((await exchange(t, gateway.port, get('/'))).status, 404)
    })
  }
})

const FORWARDED: readonly (readonly [condition: string, ...lines: string[]])[] = [
  ['Header("X-Forwarded-Proto", "https")', 'X-Forwarded-Proto: https'],
  ['Header("X-Forwarded-Host", "shop.example")', 'X-Forwarded-Host: shop.example'],
  ['Header("X-Forwarded-For", "203.0.113.9")', 'X-Forwarded-For: 203.0.113.9'],
  ['Header("X-Forwarded-For", "203.0.113.9, 10.0.0.1")', 'X-Forwarded-For: 203.0.113.9, 10.0.0.1'],
  ['HeaderRegexp("X-Forwarded-For", "^203")', 'X-Forwarded-For: 203.0.113.9, 10.0.0.1'],
  ['Header("X-Forwarded-Port", "443")', 'X-Forwarded-Port: 443'],
  ['Header("X-Forwarded-Server", "edge")', 'X-Forwarded-Server: edge'],
  ['Header("X-Real-Ip", "203.0.113.9")', 'X-Real-Ip: 203.0.113.9'],
  ['Header("X-Request-Id", "of-the-edge")', 'X-Request-Id: of-the-edge'],
  ['Header("Forwarded", "for=203.0.113.9")', 'Forwarded: for=203.0.113.9'],
  ['Header("X_Forwarded_Proto", "https")', 'X_Forwarded_Proto: https'],
]

test('a route sees the forwarding fields of a trusted peer, and no others', async (t) => {
  for (const [condition, ...lines] of FORWARDED) {
    await t.test(condition, async (t) => {
      const trusting = await asking(t, condition, { trusted: ['127.0.0.0/8'] })
      const wary = await asking(t, condition)

      assert.equal((await exchange(t, trusting.port, get('/', ...lines))).status, 200)
      assert.equal((await exchange(t, trusting.port, get('/'))).status, 404)
      assert.equal((await exchange(t, wary.port, get('/', ...lines))).status, 404)
    })
  }
})

test('a limit is kept for each value of a forwarding field from a trusted peer', async (t) => {
  for (const limit of [
    { ratelimit: { requests: 1, period: '1h', key: 'request.header.X-Forwarded-For' } },
    { ratelimit: { requests: 1, period: '1h', key: 'request.header.X-Real-Ip' } },
  ]) {
    const gateway = await startGateway(t, {
      trusted: ['127.0.0.0/8'],
      listeners: { web: { address: '127.0.0.1:0' } },
      frontends: { f: { route: 'PathPrefix("/")', ...limit, respond: { status: 200 } } },
    })
    const ask = async (ip: string): Promise<number> =>
      (await exchange(t, gateway.port, get('/', `X-Forwarded-For: ${ip}`, `X-Real-Ip: ${ip}`)))
        .status

    for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'])
      assert.equal(await ask(ip), 200, ip)
    assert.equal(await ask('192.0.2.1'), 429)
  }
})

test('a connection limit is kept for each value of a request id', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, {
    origin: origin.port,
    trusted: ['127.0.0.0/8'],
    frontend: { connlimit: { connections: 1, key: 'request.header.X-Request-Id' } },
  })
  for (const id of ['one', 'two']) {
    const client = await openClient(t, gateway.port)
    client.send(get('/', `X-Request-Id: ${id}`))
  }
  await origin.request(2)

  assert.equal((await exchange(t, gateway.port, get('/', 'X-Request-Id: two'))).status, 429)
})

test('requests of one forwarded host go to one server', async (t) => {
  const one = await startOrigin(t)
  const two = await startOrigin(t)
  const gateway = await startGateway(t, {
    trusted: ['127.0.0.0/8'],
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        balance: 'hash',
        hash: { from: 'header', name: 'X-Forwarded-Host' },
        servers: { one: one.url, two: two.url },
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  for (let turn = 0; turn < 8; turn++)
    await exchange(t, gateway.port, get('/', 'X-Forwarded-Host: shop.example'))

  assert.ok([one.requests.length, two.requests.length].includes(8))
})

test('a condition looks at every line of a field, and at all of them as one list', async (t) => {
  const lines = ['Accept: application/json', 'Accept: text/html']
  const cases: readonly (readonly [condition: string, holds: boolean])[] = [
    ['Header("Accept", "application/json")', true],
    ['Header("Accept", "text/html")', true],
    ['Header("Accept", "application/json, text/html")', true],
    ['Header("Accept", "text/html, application/json")', false],
    ['HeaderRegexp("Accept", "^text/")', true],
    ['HeaderRegexp("Accept", "json, text")', true],
    ['Header("Accept", "text/<any>")', true],
    ['Header("Accept", "image/png")', false],
    ['Header("Accept", "")', false],
    ['!Header("Accept", "text/html")', false],
    ['!HeaderRegexp("Accept", "html")', false],
  ]
  for (const [condition, holds] of cases) {
    await t.test(condition, async (t) => {
      const gateway = await asking(t, condition)

      const { status } = await exchange(t, gateway.port, get('/', ...lines))

      assert.equal(status, holds ? 200 : 404)
    })
  }
})

test('forwarding fields of several lines are one chain', async (t) => {
  const condition = 'Header("X-Forwarded-For", "192.0.2.1, 192.0.2.2, 192.0.2.3")'
  const gateway = await asking(t, condition, { trusted: ['127.0.0.0/8'] })

  const lines = ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 192.0.2.2, 192.0.2.3']
  assert.equal((await exchange(t, gateway.port, get('/', ...lines))).status, 200)
})

test('a cookie is found in each of several Cookie lines', async (t) => {
  const one = await startOrigin(t)
  const two = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { sticky: { cookie: 'route' }, servers: { one: one.url, two: two.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })
  const first = await exchange(t, gateway.port, get('/'))
  const cookie = /route=[^;]+/.exec(value(first, 'set-cookie') ?? '')?.[0] ?? ''
  const served = [one, two].find(({ requests }) => requests.length === 1)

  for (let turn = 0; turn < 6; turn++) {
    const response = await exchange(
      t,
      gateway.port,
      get('/', 'Cookie: theme=dark', 'Cookie: lang=de', `Cookie: ${cookie}`),
    )
    assert.equal(value(response, 'set-cookie'), null)
  }
  assert.equal(served?.requests.length, 7)
})

test('a hash by cookie finds it in a later Cookie line', async (t) => {
  const one = await startOrigin(t)
  const two = await startOrigin(t)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: {
      b: {
        balance: 'hash',
        hash: { from: 'cookie', name: 'user' },
        servers: { one: one.url, two: two.url },
      },
    },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b' } },
  })

  for (let turn = 0; turn < 8; turn++)
    await exchange(t, gateway.port, get('/', 'Cookie: theme=dark', 'Cookie: user=7'))

  assert.ok([one.requests.length, two.requests.length].includes(8))
})

test('a middleware that sets or removes a forwarding field changes what is seen behind it', async (t) => {
  const gateway = await startGateway(t, {
    trusted: ['127.0.0.0/8'],
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: {
      f: {
        route: 'PathPrefix("/")',
        middlewares: [
          {
            kind: 'headers',
            request: { set: { 'X-Real-Ip': 'all' }, remove: ['X-Forwarded-For'] },
          },
          { kind: 'ratelimit', requests: 2, period: '1h', key: 'request.header.X-Real-Ip' },
          { kind: 'ratelimit', requests: 1, period: '1h', key: 'request.header.X-Forwarded-For' },
        ],
        respond: { status: 200 },
      },
    },
  })
  const ask = async (ip: string): Promise<number> =>
    (await exchange(t, gateway.port, get('/', `X-Forwarded-For: ${ip}`, `X-Real-Ip: ${ip}`))).status

  assert.deepEqual([await ask('192.0.2.1'), await ask('192.0.2.2')], [200, 429])
})

test('a middleware that adds a forwarding field leaves what was received beside it', async (t) => {
  const gateway = await startGateway(t, {
    trusted: ['127.0.0.0/8'],
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: {
      f: {
        route: 'PathPrefix("/")',
        middlewares: [
          { kind: 'headers', request: { add: { 'X-Real-Ip': 'more' } } },
          { kind: 'ratelimit', requests: 1, period: '1h', key: 'request.header.X-Real-Ip' },
        ],
        respond: { status: 200 },
      },
    },
  })
  const ask = async (ip: string): Promise<number> =>
    (await exchange(t, gateway.port, get('/', `X-Real-Ip: ${ip}`))).status

  assert.deepEqual(
    [await ask('192.0.2.1'), await ask('192.0.2.2'), await ask('192.0.2.1')],
    [200, 200, 429],
  )
})

test('a condition on text beyond ASCII holds for that text in UTF-8', async (t) => {
  const gateway = await asking(t, 'Header("X-City", "Zürich")')
  const inUtf8 = Buffer.from(get('/', 'X-City: Zürich')).toString('latin1')

  const client = await openClient(t, gateway.port)
  client.send(Buffer.from(inUtf8, 'latin1'))
  assert.equal((await client.readResponse()).status, 200)
})
