// Issue: "one page per policy, with when to use it; an example file each, loaded and driven by a test". What is driven is what
// the page promises. One program serves them all, one after the other; ratelimit-redis.yaml has a file of its own.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openClient, type ReceivedResponse } from '../support/client.ts'
import { from } from '../support/example.ts'
import { value } from '../support/message.ts'
import {
  answering,
  openStage,
  STAGED,
  untilHeld,
  type Scene,
  type Staged,
} from '../support/stage.ts'
import { eventually } from '../support/until.ts'

type Drive = (scene: Scene, t: TestContext) => Promise<void>

const DRIVES: Readonly<Record<Exclude<Staged, 'ratelimit-redis'>, Drive>> = {
  async 'balance-round-robin'(scene) {
    const responses = await scene.many(8)

    assert.deepEqual(countBy(responses.map(from)), { 5001: 6, 5002: 2 })
  },

  async 'balance-random'(scene) {
    const counts = countBy((await scene.many(300)).map(from))

    // 200 of 300 is the mean, 8 the standard deviation.
    const heavy = counts['5001'] ?? 0
    assert.ok(heavy > 150 && heavy < 250, JSON.stringify(counts))
  },

  async 'balance-peak-ewma'(scene) {
    scene.actor(5002).play((_request, response) => {
      setTimeout(() => response.end(), 600)
    })

    const counts = countBy((await scene.many(40)).map(from))

    // It gets one request, because its latency is not known. After that, of two the other one is faster.
    assert.ok((counts['5002'] ?? 0) <= 3, JSON.stringify(counts))
    assert.ok((counts['5001'] ?? 0) > 0 && (counts['5003'] ?? 0) > 0, JSON.stringify(counts))
  },

  async 'balance-hash'(scene) {
    const tenants = Array.from({ length: 24 }, (_, at) => `tenant-${at}`)
    const homes = async (): Promise<readonly string[]> =>
      Promise.all(tenants.map(async (tenant) => from(await scene.get('/', `X-Tenant: ${tenant}`))))

    const before = await homes()
    const again = await homes()
    await scene.actor(5002).close()
    const without = await homes()

    assert.deepEqual(again, before)
    assert.deepEqual([...new Set(before)].sort(), ['5001', '5002', '5003'])
    for (const [at, home] of before.entries()) {
      if (home === '5002') assert.notEqual(without[at], '5002')
      else assert.equal(without[at], home, 'the others do not move')
    }
  },

  async sticky(scene) {
    const first = await scene.get('/')
    const [cookie = ''] = (value(first, 'set-cookie') ?? '').split(';')
    const home = from(first)
    const [other] = ['5001', '5002'].filter((name) => name !== home)

    assert.match(
      value(first, 'set-cookie') ?? '',
      /^vote-server=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/,
    )
    for (const response of await scene.many(6, '/', `Cookie: ${cookie}`)) {
      assert.deepEqual([from(response), value(response, 'set-cookie')], [home, null])
    }
    await scene.actor(Number(home)).close()
    const moved = await scene.get('/', `Cookie: ${cookie}`)
    assert.equal(from(moved), other)
    assert.notEqual(value(moved, 'set-cookie')?.split(';')[0], cookie)
  },

  async tiers(scene) {
    const before = countBy((await scene.many(20)).map(from))
    await scene.edit((text) => text.replace(', drain: true', ''))
    const ramping = countBy((await scene.many(60)).map(from))
    for (const written of [5001, 5002, 5003]) await scene.actor(written).close()
    const last = (await scene.many(4)).map((response) => value(response, 'x-from'))

    assert.deepEqual(before, { 5001: 10, 5002: 10 })
    const slow = ramping['5003'] ?? 0
    assert.ok(slow > 0 && slow < 15, `${slow} of 60 went to the one that starts slowly`)
    // The first one or two find out that the servers are gone.
    assert.deepEqual(last.slice(2), ['5004', '5004'])
  },

  async health(scene) {
    const sick = scene.actor(5001)
    await scene.untilServer('v1', ({ state }) => state === 'up', 'it is up')

    sick.play(({ url }, response) => {
      response.statusCode = url === '/healthz' ? 503 : 200
      response.end()
    })
    await scene.untilServer('v1', ({ state }) => state === 'down', 'it is down')

    assert.deepEqual(countBy((await scene.many(6)).map(from)), { 5002: 6 })
    const { reason } = await scene.server('v1')
    assert.match(reason ?? '', /returned 503, expected 200, 204/)
    assert.match(await scene.metrics(), /sluice_server_state\{state="down",backend="vote"/)
    sick.release()
    await scene.untilServer('v1', ({ state }) => state === 'up', 'it is up again')
    assert.deepEqual(countBy((await scene.many(6)).map(from)), { 5001: 3, 5002: 3 })
  },

  async ejection(scene) {
    scene.actor(5001).play(answering(500))
    // On a busy machine the first requests may come before its responses are looked at.
    await eventually(async () => {
      await scene.many(12)
      return (await scene.server('v1')).state === 'ejected'
    }, 'it is ejected')

    assert.deepEqual(countBy((await scene.many(6)).map(from)), { 5002: 6 })
    assert.match((await scene.server('v1')).reason ?? '', /5xx responses in a row; for 10 s$/)
    assert.match(
      await scene.metrics(),
      /sluice_server_ejections_total\{reason="errors",backend="vote",server="[^"]+"\} 1/,
    )
    // At most half of the pool: the other one stays, whatever it answers.
    scene.actor(5002).play(answering(500))
    const responses = await scene.many(12)
    assert.deepEqual(countBy(responses.map((one) => value(one, 'x-from') ?? '')), { 5002: 12 })
    assert.equal((await scene.server('v2')).state, 'up')
  },

  async breaker(scene) {
    scene.actor(5001).play(answering(500))
    const isTripped = ({ state }: { state: string }): boolean => state === 'tripped'
    await scene.untilBreaker(isTripped, 'it trips', () => scene.many(12))
    scene.actor(5001).release()

    assert.equal(from(await scene.get('/')), '5002')
    await scene.untilBreaker(({ state }) => state === 'recovering', 'it recovers')
    await scene.untilBreaker(({ state }) => state === 'standby', 'it is over')
    assert.deepEqual(countBy((await scene.many(6)).map(from)), { 5001: 6 })
    assert.match(await scene.metrics(), /sluice_breaker_trips_total\{frontend="vote",.*\} 1/)
  },

  async 'server-breaker'(scene) {
    scene.actor(5001).play((_request, response) => {
      setTimeout(() => response.end(), 800)
    })
    await Promise.all(Array.from({ length: 14 }, () => scene.get('/')))
    await scene.untilBreaker(({ state, server }) => {
      return state === 'tripped' && server === scene.actor(5001).url
    }, 'the slow one trips')

    assert.deepEqual(countBy((await scene.many(6)).map(from)), { 5002: 6 })
  },

  async retries(scene) {
    const [bad, good] = [scene.actor(5001), scene.actor(5002)]
    bad.play(answering(503))

    const responses = await scene.many(6)
    assert.deepEqual(countBy(responses.map(from)), { 5002: 6 })
    const posts = await Promise.all([1, 2].map(() => scene.ask(post('/', 'a vote'))))
    const statuses = countBy(posts.map(({ status }) => String(status)))
    assert.deepEqual(statuses, { 200: 1, 503: 1 }, 'the predicate is about GET')

    good.play(answering(503))
    const sent = bad.requests() + good.requests()
    const began = performance.now()
    await scene.many(120)
    const seconds = (performance.now() - began) / 1_000
    const attempts = bad.requests() + good.requests() - sent
    // Without a budget they would be 360. Fifty retries are saved, ten a second come, and a fifth of the requests.
    const most = Math.max(240, 120 + 50 + 24 + 10 * seconds)
    assert.ok(attempts > 120 && attempts < most, `${attempts} attempts of 120 requests, ${most}`)
    assert.doesNotMatch(
      await scene.metrics(),
      /sluice_backend_retries_refused_total\{backend="api"\} 0$/m,
    )
    const paid = bad.requests() + good.requests()
    assert.equal((await scene.get('/pay')).status, 503)
    assert.equal(bad.requests() + good.requests(), paid + 1)
  },

  async hedging(scene) {
    const slow = scene.actor(5001)
    slow.hold()

    const responses = await scene.many(6)

    assert.deepEqual(countBy(responses.map(from)), { 5002: 6 })
    assert.ok(slow.held() > 0, 'some were sent to the slow one first')
    // It takes its time with a body, and is not asked twice.
    const sent = slow.requests() + scene.actor(5002).requests()
    const posts = [1, 2].map(() => scene.ask(post('/', 'a vote')))
    await Promise.any(posts)
    slow.release()
    await Promise.all(posts)
    assert.equal(slow.requests() + scene.actor(5002).requests(), sent + 2)
  },

  async timeouts(scene, t) {
    const [first, second] = [scene.actor(5001), scene.actor(5002)]
    first.hold()
    assert.deepEqual(countBy((await scene.many(2)).map(from)), { 5002: 2 })
    second.hold()

    const [quick, tried, head] = await Promise.all([
      scene.get('/quick'),
      scene.get('/'),
      (await openClient(t, scene.program.port)).ask('GET / HTTP/1.1\r\nHost: vote'),
    ])

    assert.deepEqual([quick.status, tried.status, head.status], [504, 504, 408])
    await scene.untilReason('REQUEST_TIMEOUT')
    await scene.untilReason('TRY_TIMEOUT')
    for (const actor of [first, second]) {
      actor.play((_request, response) => {
        response.setHeader('Content-Length', '10')
        response.write('half')
      })
    }
    await assert.rejects(scene.get('/'), /ended .*"?half|4 bytes of its body/)
    await scene.untilReason('STALL_TIMEOUT')
  },

  async ratelimit(scene) {
    const logins = await scene.many(4, '/login')
    assert.deepEqual(
      logins.map(({ status }) => status),
      [200, 200, 200, 429],
    )
    const left = logins.map((response) => value(response, 'ratelimit-remaining'))
    assert.deepEqual(left, ['2', '1', '0', '0'])
    const refused = logins[3] ?? assert.fail()
    assert.equal(value(refused, 'ratelimit-limit'), '3')
    assert.match(value(refused, 'retry-after') ?? '', /^(?:1\d|20)$/)
    assert.match(refused.body.toString(), /^max rate reached: retry-in (?:1\d(?:\.\d+)?|20)s$/)
    await scene.untilReason('RATE_LIMITED')

    const apiKey = (key: string): Promise<readonly ReceivedResponse[]> =>
      scene.many(2, '/api/votes', `X-Api-Key: ${key}`)
    for (const response of [...(await apiKey('one')), ...(await apiKey('two'))]) {
      assert.equal(response.status, 200)
      assert.equal(value(response, 'ratelimit-limit'), '20')
    }
    assert.equal((await scene.get('/')).status, 404, 'only these two are routes')
  },

  async connlimit(scene) {
    const server = scene.actor(5001)
    server.hold()
    const both = [scene.get('/'), scene.get('/')]
    await untilHeld(2, server)

    const third = await scene.get('/')

    assert.equal(third.status, 429)
    assert.equal(third.body.toString(), 'max connections reached: 2')
    await scene.untilReason('CLIENT_LIMIT')
    server.release()
    await Promise.all(both)
    assert.equal((await scene.get('/')).status, 200)
  },

  async inflight(scene) {
    const server = scene.actor(5001)
    server.hold()
    const both = [scene.get('/'), scene.get('/')]
    await untilHeld(2, server)

    const more = [scene.get('/'), scene.get('/')]
    const first = await Promise.race(more)

    assert.equal(first.status, 503, 'one of them finds the queue full')
    await scene.untilReason('QUEUE_FULL')
    assert.equal(server.held(), 2)
    server.release()
    const responses = await Promise.all([...both, ...more])
    const statuses = countBy(responses.map(({ status }) => String(status)))
    assert.deepEqual(statuses, { 200: 3, 503: 1 }, 'the other one waited for its turn')
  },

  async adaptive(scene) {
    const server = scene.actor(5001)
    server.hold()
    const all = Array.from({ length: 8 }, () => scene.get('/'))
    await untilHeld(8, server)

    const over = await scene.get('/')

    assert.equal(over.status, 503)
    await scene.untilReason('OVERLOADED')
    assert.match(await scene.metrics(), /sluice_adaptive_limit\{frontend="",backend="vote"\} 8/)
    server.release()
    for (const { status } of await Promise.all(all)) assert.equal(status, 200)
  },

  async bodylimit(scene) {
    const large = 'x'.repeat(16_385)
    const chunked =
      'POST / HTTP/1.1\r\nHost: vote.localhost\r\nTransfer-Encoding: chunked\r\n\r\n' +
      `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`

    assert.equal((await scene.ask(post('/', large.slice(1)))).status, 200)
    assert.equal((await scene.ask(post('/', large))).status, 413)
    assert.equal(scene.actor(5001).requests(), 1, 'what says its length is not passed on')
    assert.equal((await scene.ask(chunked)).status, 413)
    await scene.untilReason('BODY_TOO_LARGE')
  },
}

test('examples of policies, written one over the other into the file of one program', async (t) => {
  const stage = await openStage(t)
  for (const name of STAGED) {
    if (name === 'ratelimit-redis') continue
    await t.test(`${name}.yaml does what its page says`, async (t) => {
      await DRIVES[name](await stage.put(t, name), t)
    })
  }
})

function countBy(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: vote.localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}
