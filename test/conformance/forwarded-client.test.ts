// Who the client is behind trusted proxies: X-Forwarded-For as proxies and clouds write it, and Forwarded (RFC 7239).
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value, values } from '../support/message.ts'
import { startOrigin, type Origin } from '../support/origin.ts'
import { get } from '../support/refusal.ts'

const TRUSTED = ['127.0.0.0/8', '10.0.0.0/8', 'fd00::/8']

function behindProxies(t: TestContext, origin: Origin): Promise<TestGateway> {
  return startGateway(t, { origin: origin.port, trusted: TRUSTED })
}

const CHAINS: readonly (readonly [client: string, chain: string])[] = [
  ['203.0.113.9', '203.0.113.9'],
  ['203.0.113.9', '6.6.6.6, 203.0.113.9, 10.0.0.1'],
  // Azure Application Gateway, and AWS load balancers that keep the client's port.
  ['203.0.113.9', '203.0.113.9:51123'],
  ['203.0.113.9', '6.6.6.6:1, 203.0.113.9:51123, 10.0.0.1:443'],
  ['2001:db8::1', '[2001:db8::1]:443'],
  ['2001:db8::1', '[2001:db8::1]'],
  ['2001:db8::1', '2001:db8::1'],
  ['2001:db8::1', '2001:DB8:0:0::1'],
  ['2001:db8::1', '2001:db8:0:0:0:0:0:1:51123'],
  ['2001:db8::1', '[2001:db8::1]:51123, [fd00::2]:443, 10.0.0.1'],
  ['203.0.113.9', '"203.0.113.9:51123"'],
  ['2001:db8::1', '"[2001:db8::1]:4711"'],
  ['fe80::1', 'fe80::1%eth0'],
  ['fe80::1', '[fe80::1%25eth0]:443'],
  ['203.0.113.9', '::ffff:203.0.113.9'],
  ['203.0.113.9', '[::FFFF:203.0.113.9]:51123'],
  ['203.0.113.9', '::ffff:cb00:7109'],
  ['203.0.113.9', '203.0.113.9:_port'],
  // What is no address is where the chain ends.
  ['10.0.0.1', '203.0.113.9, unknown, 10.0.0.1'],
  ['10.0.0.1', '203.0.113.9, _hidden, 10.0.0.1'],
  ['10.0.0.1', '203.0.113.9, , 10.0.0.1'],
  ['127.0.0.1', '203.0.113.9, 300.1.1.1'],
  ['127.0.0.1', 'unknown'],
  ['127.0.0.1', '203.0.113.9:51123:8'],
  ['10.0.0.1', '10.0.0.1'],
]

const FORWARDED: readonly (readonly [client: string, forwarded: string])[] = [
  ['203.0.113.9', 'for=203.0.113.9'],
  ['203.0.113.9', 'For=203.0.113.9;Proto=https;By=10.0.0.1'],
  ['203.0.113.9', 'for="203.0.113.9:51123"'],
  ['2001:db8::1', 'for="[2001:db8::1]:4711"'],
  ['2001:db8::1', 'for="[2001:db8::1]"'],
  ['2001:db8::1', 'for=[2001:db8::1]:4711'],
  ['203.0.113.9', 'proto=https;for=203.0.113.9;host=a.test'],
  ['203.0.113.9', 'for=6.6.6.6, for=203.0.113.9;proto=https, for=10.0.0.1'],
  ['203.0.113.9', 'for=6.6.6.6,for="\\203.0.113.9"'],
  ['10.0.0.1', 'for=203.0.113.9, for=unknown, for=10.0.0.1'],
  ['10.0.0.1', 'for=203.0.113.9, for="_gazonk", for=10.0.0.1'],
  ['10.0.0.1', 'for=203.0.113.9, proto=http, for=10.0.0.1'],
  ['127.0.0.1', 'for=unknown'],
  ['127.0.0.1', 'proto=https'],
  // Quotes that a client leaves open change nothing to the right of them.
  ['203.0.113.9', 'for="6.6.6.6, for=203.0.113.9'],
  ['2001:db8::1', 'for="6.6.6.6, for="[2001:db8::1]:4711"'],
  ['203.0.113.9', 'for="a, for=203.0.113.9;host="b, c", for=10.0.0.1'],
]

test('finds the client in X-Forwarded-For as proxies write it', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await behindProxies(t, origin)

  for (const [client, chain] of CHAINS) {
    await t.test(chain, async (t) => assertClient(t, gateway, client, `X-Forwarded-For: ${chain}`))
  }
})

test('finds the client in Forwarded where X-Forwarded-For is absent', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await behindProxies(t, origin)

  for (const [client, forwarded] of FORWARDED) {
    await t.test(forwarded, async (t) =>
      assertClient(t, gateway, client, `Forwarded: ${forwarded}`),
    )
  }
  await t.test('in several lines', async (t) =>
    assertClient(
      t,
      gateway,
      '203.0.113.9',
      'Forwarded: for=203.0.113.9',
      'Forwarded: for=10.0.0.1',
    ),
  )
  await t.test('not beside X-Forwarded-For', async (t) =>
    assertClient(t, gateway, '192.0.2.7', 'Forwarded: for=6.6.6.6', 'X-Forwarded-For: 192.0.2.7'),
  )
})

test('believes neither from a peer that is not trusted', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { origin: origin.port })

  await assertClient(t, gateway, '127.0.0.1', 'Forwarded: for=6.6.6.6', 'X-Forwarded-For: 6.6.6.6')
  assert.doesNotMatch(origin.requests[0]?.head ?? '', /6\.6\.6\.6/)
})

async function assertClient(
  t: TestContext,
  gateway: TestGateway,
  expected: string,
  ...lines: string[]
): Promise<void> {
  const client = await openClient(t, gateway.port)

  const response = await client.ask(get('/', ...lines))

  assert.equal(response.status, 200)
  assert.equal(gateway.records().at(-1)?.clientIp, expected)
}

test('passes a client that Forwarded names on in the X- fields, too', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await behindProxies(t, origin)
  const forwarded =
    'for=6.6.6.6, for="[2001:db8::1]:4711";proto=https;host=shop.example, for=10.0.0.1'

  const client = await openClient(t, gateway.port)
  await client.ask(get('/', `Forwarded: ${forwarded}`))

  const [seen] = origin.requests
  assert.ok(seen)
  assert.equal(value(seen, 'forwarded'), forwarded)
  assert.deepEqual(values(seen, 'x-forwarded-for'), ['6.6.6.6, 2001:db8::1, 10.0.0.1, 127.0.0.1'])
  assert.deepEqual(values(seen, 'x-real-ip'), ['2001:db8::1'])
  assert.deepEqual(values(seen, 'x-forwarded-proto'), ['https'])
  assert.deepEqual(values(seen, 'x-forwarded-host'), ['shop.example'])
  assert.deepEqual(values(seen, 'x-forwarded-port'), ['443'])
})

test('a port that a trusted peer writes for the client does not make it another client', async (t) => {
  const gateway = await startGateway(t, {
    trusted: TRUSTED,
    listeners: { web: { address: '127.0.0.1:0' } },
    frontends: {
      f: {
        route: 'ClientIP("203.0.113.0/24")',
        ratelimit: { requests: 1, period: '1h' },
        respond: { status: 200 },
      },
    },
  })
  const client = await openClient(t, gateway.port)
  const ask = async (hop: string): Promise<number> =>
    (await client.ask(get('/', `X-Forwarded-For: ${hop}`))).status

  assert.equal(await ask('203.0.113.9:51123'), 200)
  assert.equal(await ask('203.0.113.9:51124'), 429)
  assert.equal(await ask('[::ffff:203.0.113.9]:51125'), 429)
})

test('a chain of any length costs no more than its last hops', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await behindProxies(t, origin)
  const trusted = Array.from({ length: 200 }, () => '10.0.0.1').join(',')

  await assertClient(t, gateway, '10.0.0.1', `X-Forwarded-For: 203.0.113.9,${trusted}`)
  await assertClient(t, gateway, '127.0.0.1', `Forwarded: for=203.0.113.9${',x'.repeat(9_000)}`)
  const seen = value(origin.requests.at(-1) ?? { fields: [] }, 'x-forwarded-for') ?? ''
  assert.equal(seen.split(', ').length, 101)
})

test('an id that a trusted peer sends twice is the first one', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await behindProxies(t, origin)

  const client = await openClient(t, gateway.port)
  await client.ask(get('/', 'X-Request-Id: one', 'X-Request-Id: two'))

  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'x-request-id'), ['one'])
})
