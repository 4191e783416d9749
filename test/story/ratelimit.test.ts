import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient, type ReceivedResponse } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { value } from '../support/message.ts'
import { respondWith, OK, startOrigin } from '../support/origin.ts'

test('a rate limit passes its burst with what is left, then answers 429 and asks no server', async (t) => {
  const { origin, gateway } = await startLimited(t, { requests: 2, period: '1h' })

  const passed = [await get(t, gateway), await get(t, gateway)]
  const refused = await get(t, gateway)

  assert.deepEqual(
    passed.map((response) => [response.status, value(response, 'ratelimit-remaining')]),
    [
      [200, '1'],
      [200, '0'],
    ],
  )
  assert.equal(refused.status, 429)
  assert.match(refused.body.toString(), /^max rate reached: retry-in (30m0s|29m5[0-9.]+s)$/)
  assert.match(value(refused, 'retry-after') ?? '', /^(1800|179\d)$/)
  assert.equal(value(refused, 'ratelimit-limit'), '2')
  assert.equal(origin.requests.length, 2)
  assert.equal(gateway.records().at(-1)?.reason, 'RATE_LIMITED')
})

test('what was used up stays so when servers come and go', async (t) => {
  const { origin, gateway, configure } = await startLimited(t, { requests: 1, period: '1h' })
  await get(t, gateway)

  await gateway.apply(
    configure({
      backend: { servers: { one: `http://127.0.0.1:${origin.port}`, two: 'http://127.0.0.1:9' } },
    }),
  )

  assert.equal((await get(t, gateway)).status, 429)
})

test('other options are another limit, that begins full', async (t) => {
  const { gateway, configure } = await startLimited(t, { requests: 1, period: '1h' })
  await get(t, gateway)

  await gateway.apply(configure({ frontend: withLimit({ requests: 2, period: '1h' }) }))

  assert.equal((await get(t, gateway)).status, 200)
})

test('a limit that cannot be kept is set aside with its reason, the others are in force', async (t) => {
  const { gateway, configure } = await startLimited(t, { requests: 1, period: '1h' })

  await gateway.apply(configure({ frontend: withLimit({ requests: 0 }) }))

  assert.match(gateway.problems().join('\n'), /requests must be a whole number from 1 to/)
})

async function startLimited(t: TestContext, options: object) {
  const origin = await startOrigin(t, respondWith(OK))
  const configure = (over: object): object => ({
    origin: origin.port,
    frontend: withLimit(options),
    ...over,
  })
  return { origin, gateway: await startGateway(t, configure({})), configure }
}

function withLimit(options: object): object {
  return { middlewares: [{ kind: 'ratelimit', ...options }] }
}

async function get(t: TestContext, gateway: TestGateway): Promise<ReceivedResponse> {
  const client = await openClient(t, gateway.port)
  return client.ask('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n')
}
