// facts/edge.md 1.1, smuggling by downgrade; RFC 9113 sections 8.1 to 8.3.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { openHttp2Client, requestFields } from '../support/http2/client.ts'
import { dataFrame, headersFrame, windowUpdateFrame } from '../support/http2/frames.ts'
import { block } from '../support/http2/hpack.ts'
import {
  MALFORMED_BODIES,
  MALFORMED_FIELDS,
  MALFORMED_HOSTS,
  MALFORMED_LENGTHS,
  MALFORMED_PSEUDO_FIELDS,
  type MalformedRequest,
} from '../support/http2/malformed.ts'
import { startHttp2Server } from '../support/http2/server.ts'
import { values, type Field } from '../support/message.ts'
import { startOrigin, type Origin } from '../support/origin.ts'

const H2C = { listener: { protocol: 'h2c' } }

for (const [what, cases] of [
  ['fields', MALFORMED_FIELDS],
  ['pseudo-fields', MALFORMED_PSEUDO_FIELDS],
  ['hosts', MALFORMED_HOSTS],
  ['lengths', MALFORMED_LENGTHS],
] as const) {
  test(`malformed ${what} are refused, and nothing reaches an HTTP/1 server`, async (t) => {
    const origin = await startOrigin(t)
    const gateway = await startGateway(t, { ...H2C, origin: origin.port })

    for (const each of cases) {
      await t.test(each.name, async (t) => {
        await assertRefused(t, gateway, each)
        assert.deepEqual(targets(origin), ['/sentinel'])
        origin.forget()
      })
    }
  })
}

test('malformed bodies are refused, and no HTTP/1 server sees the request whole', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })

  for (const each of MALFORMED_BODIES) {
    await t.test(each.name, async (t) => {
      await assertRefused(t, gateway, each)
      for (const request of origin.requests) {
        if (request.target === '/sentinel') continue
        assert.equal(request.target, '/refused')
        assert.equal(request.isComplete(), false, 'the server sees the request whole')
        await request.connection.gone()
        assert.doesNotMatch(request.connection.raw(), /smuggled/)
      }
      origin.forget()
    })
  }
})

test('no malformed request reaches an HTTP/2 server whole', async (t) => {
  const server = await startHttp2Server(t)
  const gateway = await startGateway(t, {
    ...H2C,
    ...{ origin: 0, backend: { servers: { one: `h2c://127.0.0.1:${server.port}` } } },
  })
  const all = [
    ...[...MALFORMED_FIELDS, ...MALFORMED_PSEUDO_FIELDS, ...MALFORMED_HOSTS],
    ...[...MALFORMED_LENGTHS, ...MALFORMED_BODIES],
  ]
  const headMayPass = new Set(MALFORMED_BODIES)

  for (const each of all) {
    await t.test(each.name, async (t) => {
      const before = server.requests.length
      await assertRefused(t, gateway, each)
      for (const request of server.requests.slice(before)) {
        if (request.value(':path') === '/sentinel') continue
        assert.ok(headMayPass.has(each), 'the head went on')
        assert.equal(request.stream.isComplete, false, 'the server sees the request whole')
        await server.until(() => request.stream.resetCode !== null, 'its reset')
      }
    })
  }
})

const DROPPED_TRAILERS = [
  ...['content-length', 'host', 'authorization', 'cookie', 'content-encoding', 'content-type'],
  ...['x-forwarded-for', 'x-real-ip', 'forwarded', 'cache-control', 'te', 'trailer', 'expect'],
]

test('trailers that frame, route or authenticate never reach a server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })

  for (const name of DROPPED_TRAILERS) {
    await t.test(name, async (t) => {
      const client = await openHttp2Client(t, gateway.port)
      const trailers: Field[] = [
        [name, name === 'te' ? 'trailers' : '5'],
        ['x-kept', 'yes'],
      ]
      const id = client.request({ method: 'POST', body: 'hello', trailers })
      const outcome = await client.outcome(id)
      assert.match(outcome, /^(200|400|reset protocol)$/)
      await sentinel(t, gateway)
      const seen = origin.requests.find(({ target }) => target === '/')
      if (outcome === '200') assert.deepEqual(seen?.message().trailers, [['x-kept', 'yes']])
      else assert.notEqual(seen?.isComplete(), true)
      origin.forget()
    })
  }
})

test('Host becomes :authority, and an equal Host is no second one', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  await client.ask({ authority: 'one.test:81' })
  await client.ask({ authority: 'two.test', fields: [['host', 'two.test']] })
  const bare = client.nextId()
  const fields = requestFields().filter(([name]) => name !== ':authority')
  client.send(headersFrame(bare, block(...fields, ['host', 'three.test']), { end: true }))
  await client.response(bare)

  assert.deepEqual(
    origin.requests.map((request) => values(request, 'host')),
    [['one.test:81'], ['two.test'], ['three.test']],
  )
})

test('crumbs of a cookie are one field for an HTTP/1 server', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  await client.ask({
    fields: [
      ['cookie', 'a=b'],
      ['x-between', 'yes'],
      ['cookie', 'c=d; e=f'],
      ['cookie', 'g=h'],
    ],
  })

  assert.deepEqual(values(origin.requests[0] ?? { fields: [] }, 'cookie'), ['a=b; c=d; e=f; g=h'])
})

test('a body is framed for an HTTP/1 server by its length, or as chunks, or not at all', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)
  const chunks = '5\r\nhello\r\n0\r\n\r\n'

  for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'QUERY']) {
    await client.ask({ method, path: '/none' })
    await client.ask({ method, path: '/length', fields: [['content-length', '5']], body: 'hello' })
    await client.ask({ method, path: '/open', body: 'hello' })
    await client.ask({ method, path: '/text', body: chunks })
    const [none, byLength, open, text] = origin.requests.slice(-4)

    assert.equal(none?.message().framing, 'none', method)
    assert.deepEqual([byLength?.message().framing, byLength?.body()], ['length', 'hello'])
    // A body that is whole already may have its length.
    assert.match(open?.message().framing ?? '', /^(length|chunked)$/)
    assert.equal(open?.body(), 'hello', method)
    assert.equal(text?.body(), chunks)
  }
})

test('a request without a body, of any method, leaves its server connection to the next', async (t) => {
  const origin = await startOrigin(t)
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'POST']) {
    assert.equal((await client.ask({ method })).status, 200)
  }

  assert.equal(origin.connections.length, 1)
})

test('a stream that is cut in its body never looks complete to an HTTP/1 server', async (t) => {
  const origin = await startOrigin(t, () => {})
  const gateway = await startGateway(t, { ...H2C, origin: origin.port })
  const client = await openHttp2Client(t, gateway.port)

  const id = client.request({ method: 'POST', body: '', end: false })
  client.send(dataFrame(id, '5\r\nhello\r\n0\r\n\r\n'), windowUpdateFrame(0, 1))
  const request = await origin.request(1)
  await origin.until(() => request.body().length === 15, 'the bytes that were sent')
  client.reset()
  await request.connection.gone()

  assert.equal(request.isComplete(), false)
})

/** It is refused, and the gateway goes on: an ordinary request gets through after it. */
async function assertRefused(
  t: TestContext,
  gateway: TestGateway,
  { frames }: MalformedRequest,
): Promise<void> {
  const client = await openHttp2Client(t, gateway.port)
  client.send(...frames)
  assert.match(await client.outcome(1), /^(reset protocol|goaway protocol|400|405|501)$/)
  client.end()
  await sentinel(t, gateway)
}

async function sentinel(t: TestContext, gateway: TestGateway): Promise<void> {
  const client = await openHttp2Client(t, gateway.port)
  const response = await client.ask({ path: '/sentinel' })
  assert.equal(response.status, 200)
  client.end()
}

function targets(origin: Origin): string[] {
  return origin.requests.map(({ target }) => target)
}
