// needs: redis-server
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { LocalResponse } from '../../src/http/message/local-response.ts'
import { ratelimit } from '../../src/middleware/ratelimit.ts'
import { createRedisLinks, redisClient } from '../../src/middleware/ratelimit/redis-links.ts'
import { openClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { respondWith, OK, startOrigin } from '../support/origin.ts'
import {
  ask,
  createMiddlewareContext,
  openThreads,
  localResponse,
  requestOf,
} from '../support/middleware-context.ts'
import { startRedis } from '../support/redis.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { parseOptions } from '../support/options.ts'

// As a gateway does before it compiles a limit.
await redisClient.load()

const HOURLY = { requests: 50, period: '1h', headers: false }

test('two instances share one rate exactly', async (t) => {
  const { port } = await startRedis(t)
  const one = openInstance(HOURLY, { url: `redis://127.0.0.1:${port}` })
  const other = openInstance(HOURLY, { url: `redis://127.0.0.1:${port}/0` })

  const responses = await Promise.all(
    Array.from({ length: 120 }, (_, at) => (at % 2 === 0 ? one : other).decide()),
  )

  assert.equal(responses.filter((response) => response === null).length, 50)
  const { status, fields } = localResponse(await one.decide())
  assert.equal(status, 429)
  assert.match(fields, /^Retry-After: [67]\d\r\nX-Retry-In: (1m)?[0-9.]+s\r\n$/)
})

test('a response has what is left over all instances', async (t) => {
  const { port } = await startRedis(t)
  const options = { requests: 4, period: '1h' }
  const one = openInstance(options, { url: `redis://127.0.0.1:${port}` })
  const other = openInstance(options, { url: `redis://127.0.0.1:${port}/0` })
  await one.decide()
  await other.decide()
  await one.decide()
  await other.decide()

  const refused = localResponse(await one.decide())

  assert.match(refused.fields, /RateLimit-Limit: 4\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: 3/)
})

test('of several rates all have to accept, or nothing is written', async (t) => {
  const { port, command } = await startRedis(t)
  const rates = [
    { requests: 1, period: '1h', burst: 2 },
    { requests: 5, period: '1h' },
  ]
  const { decide } = openInstance({ rates, headers: false }, { url: `redis://127.0.0.1:${port}` })
  const first = [await decide(), await decide()]
  const kept = await valuesOf(command)

  const refused = await decide()

  assert.deepEqual(first, [null, null])
  assert.match(localResponse(refused).body.toString(), /^max rate reached: retry-in (1h0m0s|59m)/)
  assert.deepEqual(await valuesOf(command), kept)
})

test('what Redis keeps is bounded in time, and reveals nothing of a client', async (t) => {
  const { port, command } = await startRedis(t)
  const url = `redis://127.0.0.1:${port}`
  const options = { ...HOURLY, key: 'request.header.X-Api-Key' }
  const { decide } = openInstance(options, { url, prefix: 'shop:' })

  await decide({ 'X-Api-Key': 'hunter2' })

  const keys = (await command('KEYS', '*')) as string[]
  assert.match(keys.join(), /^shop:\{[\w-]{22}\}:50\/3600000\/50$/)
  const ttl = await command('PTTL', keys[0] ?? '')
  assert.ok(Number(ttl) > 0 && Number(ttl) <= 72_000, `expires in ${String(ttl)} ms`)
})

test('a request waits at the gateway until Redis has decided', async (t) => {
  const [redis, origin] = await Promise.all([startRedis(t), startOrigin(t, respondWith(OK))])
  const shared = { url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' }
  const limit = { kind: 'ratelimit', requests: 2, period: '1h', redis: shared }
  const gateway = await startGateway(t, { origin: origin.port, frontend: { middlewares: [limit] } })
  const client = await openClient(t, gateway.port)

  const statuses: number[] = []
  for (let time = 0; time < 3; time++)
    statuses.push((await client.ask('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n')).status)

  assert.deepEqual(statuses, [200, 200, 429])
  assert.equal(origin.requests.length, 2)
})

test('while Redis is dead the local bucket decides, at once; it is shared again when it is back', async (t) => {
  const redis = await startRedis(t)
  const url = `redis://127.0.0.1:${redis.port}`
  const notices: string[] = []
  const { decide, decideAtOnce } = openInstance({ ...HOURLY, requests: 5 }, { url }, (notice) =>
    notices.push(notice),
  )
  for (let time = 0; time < 5; time++) assert.equal(await decide(), null)
  assert.equal((await decide())?.status, 429)

  await redis.kill()
  // The local bucket is full yet.
  assert.equal(await decide(), null)
  const alone = Array.from({ length: 5 }, () => decideAtOnce())
  await redis.start()

  assert.deepEqual(
    alone.map((response) => (response === 'pending' ? response : (response?.status ?? null))),
    [null, null, null, null, 429],
  )
  // With what it had before.
  await eventually(() => decideAtOnce() === 'pending', 'Redis is asked again')
  await eventually(() => decideAtOnce() === 'pending', 'all go there again')
  assert.equal((await decide())?.status, 429)
  assert.deepEqual(notices, [
    `rates are not shared: redis 127.0.0.1:${redis.port} does not respond in time`,
    `rates are shared again through redis 127.0.0.1:${redis.port}`,
  ])
})

for (const [onFailure, status] of [
  ['allow', null],
  ['deny', 503],
] as const) {
  test(`without Redis, ${onFailure} is what happens to all`, async (t) => {
    const redis = await startRedis(t)
    const { decide, decideAtOnce } = openInstance(
      { ...HOURLY, requests: 1 },
      { url: `redis://127.0.0.1:${redis.port}`, onFailure },
    )
    assert.equal(await decide(), null)
    await redis.kill()

    const first = await decide()
    const second = decideAtOnce()

    assert.equal(first?.status ?? null, status)
    assert.notEqual(second, 'pending')
    assert.equal(ownStatus(second), status)
  })
}

test('a Redis that falls silent costs one request its time, the others nothing', async (t) => {
  const redis = await startRedis(t)
  const proxy = await startTcpProxy(t, redis.port)
  const { decide, decideAtOnce } = openInstance(
    { ...HOURLY, requests: 100_000 },
    {
      url: `redis://${proxy.address}`,
      timeout: '300ms',
    },
  )
  assert.equal(await decide(), null)
  proxy.blackhole()

  assert.equal(await decide(), null)
  assert.equal(decideAtOnce(), null)
  // A connection that was swallowed is given up when it is silent for the second time.
  await eventually(() => decideAtOnce() === 'pending', 'it is tried again')
  assert.equal(decideAtOnce(), null, 'by one request at a time')
  await proxy.pass()

  await eventually(
    () => decideAtOnce() === 'pending' && decideAtOnce() === 'pending',
    'all go there',
  )
  assert.equal(await decide(), null)
})

test('a password is sent; with a wrong one the local bucket decides and nothing is said', async (t) => {
  const redis = await startRedis(t, { password: 'p@ss', args: ['--requirepass', 'p@ss'] })
  const right = openInstance(HOURLY, { url: `redis://:p%40ss@127.0.0.1:${redis.port}` })
  const wrong = openInstance(HOURLY, { url: `redis://:wrong@127.0.0.1:${redis.port}` })

  assert.equal(await right.decide(), null)
  assert.equal(await wrong.decide(), null)

  assert.equal(await redis.command('DBSIZE'), 1)
  assert.equal(wrong.decideAtOnce(), null)
})

test('a database that is not there is no other one', async (t) => {
  const redis = await startRedis(t)
  const { decide } = openInstance(HOURLY, { url: `redis://127.0.0.1:${redis.port}/99` })

  assert.equal(await decide(), null)

  assert.equal(await redis.command('DBSIZE'), 0)
})

test('a connection that nothing uses is closed, and opened again when something does', async (t) => {
  const redis = await startRedis(t)
  const proxy = await startTcpProxy(t, redis.port)
  const url = `redis://${proxy.address}`
  let now = 0
  const script = 'return { 1, 2 }'
  const onNotice = (): void => {}
  const links = createRedisLinks({
    script,
    now: () => now,
    idleMs: 5,
    backoffMs: 1_000,
  })
  const run = (): Promise<unknown> =>
    new Promise((resolve) => assert.equal(links.run(url, onNotice, 5_000, 0, [], resolve), true))
  links.open(url, onNotice)
  assert.deepEqual(await run(), [1, 2])
  assert.equal(proxy.open(), 1)

  now = 5
  await eventually(() => links.size === 0 && proxy.open() === 0, 'it is closed')

  assert.deepEqual(await run(), [1, 2])
  now = 10
  await eventually(() => links.size === 0, 'it is closed again')
})

test('a connection to Redis does not keep a process alive', async (t) => {
  const { port } = await startRedis(t)
  const program = fileURLToPath(new URL('../support/rate-once.ts', import.meta.url))

  const ended = await promisify(execFile)(
    process.execPath,
    [program, `redis://127.0.0.1:${port}`],
    { timeout: 20_000 },
  )

  assert.deepEqual(ended, { stdout: 'decided', stderr: '' })
})

interface Instance {
  decide: (fields?: Readonly<Record<string, string>>) => Promise<LocalResponse | null>
  /** `later` when Redis is asked. */
  decideAtOnce: () => LocalResponse | null | 'pending'
}

/** A Sluice of its own: its memory and its seed are. */
function openInstance(
  options: object,
  redis: object,
  onNotice: (text: string) => void = () => {},
): Instance {
  const parsed = parseOptions(ratelimit, { ...options, redis: { timeout: '5s', ...redis } })
  if (!parsed.ok) throw new Error(parsed.message)
  const [compileContext] = openThreads(1, () => performance.now()).compileContexts
  if (compileContext === undefined) throw new Error('there is no thread')
  const middleware = ratelimit.compile(parsed.value, { ...compileContext, onNotice })
  const toOwn = (decision: unknown): LocalResponse | null =>
    decision === null ? null : localResponse(decision as LocalResponse)
  return {
    decide: (fields = {}) =>
      new Promise((resolve) => {
        const context = createMiddlewareContext(({ decided }) => resolve(toOwn(decided)))
        const decision = ask(middleware, requestOf({ fields }), context)
        if (decision !== 'pending') resolve(toOwn(decision))
      }),
    decideAtOnce() {
      const decision = ask(middleware, requestOf(), createMiddlewareContext())
      return decision === 'pending' ? decision : toOwn(decision)
    },
  }
}

function ownStatus(response: LocalResponse | null | 'pending'): number | null {
  return response === null ? null : localResponse(response).status
}

async function valuesOf(
  command: (name: string, ...args: string[]) => Promise<unknown>,
): Promise<unknown> {
  const keys = (await command('KEYS', '*')) as string[]
  return command('MGET', ...keys.sort())
}
