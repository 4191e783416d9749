// facts/vulcand.md 2.6 and 6.5: TrustForwardHeader and Hostname of a frontend, with the values of vulcand's TestProxyHeaders.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { exchange } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { values } from '../support/message.ts'
import { OK, startOrigin, type OriginRequest } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const CLAIMED = [
  ...[
    'X-Forwarded-For: a, b',
    'x-forwarded-for: c',
    'X-Forwarded-Proto: d, e',
    'X-Forwarded-Proto: f',
  ],
  ...['X-Forwarded-Host: g, h', 'X-Forwarded-Host: i', 'X-Forwarded-Server: there'],
]

async function sent(
  t: TestContext,
  forwarded: object | null,
  ...lines: string[]
): Promise<OriginRequest> {
  const origin = await startOrigin(t, OK)
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { b: { servers: { s: origin.url } } },
    frontends: { f: { route: 'PathPrefix("/")', backend: 'b', ...(forwarded && { forwarded }) } },
  })
  await exchange(t, gateway.port, get('/', ...lines))
  const [request] = origin.requests
  assert.ok(request)
  return request
}

const NAMES = ['for', 'proto', 'host', 'server'] as const

function seen(request: OriginRequest): Record<string, string[]> {
  return Object.fromEntries(NAMES.map((name) => [name, values(request, `x-forwarded-${name}`)]))
}

test('a frontend that trusts passes the headers of every client on', async (t) => {
  const request = await sent(t, { trust: true }, ...CLAIMED)

  assert.deepEqual(seen(request), {
    for: ['a, b, c, 127.0.0.1'],
    proto: ['d, e', 'f'],
    host: ['g, h', 'i'],
    server: ['there'],
  })
  assert.deepEqual(values(request, 'x-real-ip'), ['127.0.0.1'])
  assert.equal(values(request, 'x-request-id').length, 1)
})

test('it adds what the client has not sent', async (t) => {
  const request = await sent(t, { trust: true }, 'X-Real-Ip: 9.9.9.9')

  assert.deepEqual(values(request, 'x-forwarded-for'), ['127.0.0.1'])
  assert.deepEqual(values(request, 'x-forwarded-proto'), ['http'])
  assert.deepEqual(values(request, 'x-real-ip'), ['9.9.9.9'])
})

test('others pass on none of them', async (t) => {
  for (const forwarded of [null, {}]) {
    const request = await sent(t, forwarded, ...CLAIMED)
    assert.deepEqual(seen(request), {
      ...seen(await sent(t, null)),
      server: [],
    })
  }
})

test('look-alikes, and what names the proxy itself, stay out', async (t) => {
  const claims = [
    'X_Forwarded_For: evil',
    'X-Request-Id: evil',
    'Client-Cert: evil',
    'Forwarded: for=evil',
  ]
  const request = await sent(t, { trust: true }, ...claims, ...CLAIMED)

  assert.doesNotMatch(request.head, /evil/)
})

test('a server reads which proxy it was', async (t) => {
  assert.deepEqual(seen(await sent(t, { server: 'edge-1' }, ...CLAIMED))['server'], ['edge-1'])
  assert.deepEqual(seen(await sent(t, { server: 'edge-1', trust: true }, ...CLAIMED))['server'], [
    'edge-1',
  ])
})
