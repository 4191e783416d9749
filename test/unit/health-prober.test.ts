import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProbeResult, ProbeTarget } from '../../src/health/probe.ts'
import { createProber, type Prober } from '../../src/health/prober.ts'
import type { HealthCheck } from '../../src/model/snapshot.ts'
import { DEFAULT_TLS_TO_SERVERS } from '../support/objects.ts'
import { turn } from '../support/until.ts'

const check: HealthCheck = {
  http: {
    isDeclared: true,
    method: 'GET',
    path: '/healthz',
    host: null,
    headers: {},
    statuses: [[200, 399]],
    body: null,
  },
  grpc: null,
  port: null,
  intervalMs: 5_000,
  downIntervalMs: 1_000,
  timeoutMs: 2_000,
  rise: 2,
  fall: 3,
  jitter: 0,
  waitHealthy: true,
}

function targetOf(key: string, change: Partial<HealthCheck> = {}): ProbeTarget {
  const place = { scheme: 'http', host: key, port: 80 } as const
  const rest = { weight: 1, backup: false, drain: false, labels: null }
  return {
    server: { id: key, url: `http://${key}:80`, ...place, ...rest },
    check: { ...check, ...change },
    tls: DEFAULT_TLS_TO_SERVERS,
    proxyProtocol: null,
    wire: 'http/1.1',
  }
}

const well: ProbeResult = { ok: true, tookMs: 1 }
const broken: ProbeResult = { ok: false, reason: 'it is broken' }

interface Asked {
  readonly key: string
  readonly at: number
  readonly path: string | undefined
  readonly signal: AbortSignal
  readonly answer: (result: ProbeResult) => void
}

/** A prober with its time in hand: probes are answered by `script`, or by hand where it says null. */
class Bench {
  now = 1e6
  readonly asked: Asked[] = []
  readonly told: string[] = []
  readonly results: string[] = []
  readonly shortages: string[] = []
  readonly prober: Prober
  script: (key: string) => ProbeResult | null = () => well

  constructor(maxOfBackend = 64, random: () => number = () => 0.5, maxOfAll = 1024) {
    this.prober = createProber({
      probe: (target, signal) => {
        const { promise, resolve } = Promise.withResolvers<ProbeResult>()
        const key = target.server.id
        const path = target.check.http?.path
        this.asked.push({ key, at: this.now, path, signal, answer: resolve })
        signal.addEventListener('abort', () => resolve({ ok: false, reason: 'called off' }))
        const result = this.script(key)
        if (result !== null) resolve(result)
        return promise
      },
      now: () => this.now,
      random,
      maxOfBackend,
      maxOfAll,
      onState: (key, state, reason) => this.told.push(`${key} ${state}: ${reason}`),
      onShortage: (code) => this.shortages.push(code),
      onResult: (key, ok) => this.results.push(`${key} ${ok ? 'well' : 'broken'}`),
    })
  }

  /** Answers are taken before the tick, as I/O is between two timers. */
  async tick(afterMs = 100, stalled = false): Promise<void> {
    await turn()
    this.now += afterMs
    this.prober.tick(this.now, stalled)
    await turn()
  }

  async run(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end;) await this.tick()
  }

  /** The times of probes since the bench began. */
  times(key: string): number[] {
    return this.asked.filter((one) => one.key === key).map(({ at }) => at - 1e6)
  }
}

test('no server is asked, and no time limit runs, while what its probe needs is being loaded', async () => {
  const asked: number[] = []
  let isLoaded = false
  const probe = Object.assign(
    () => {
      asked.push(at)
      return Promise.resolve(well)
    },
    { prepare: ({ check }: ProbeTarget) => check.http === null || isLoaded },
  )
  let at = 1e6
  const prober = createProber({ probe, now: () => at, random: () => 0.5, onState: () => {} })
  const tick = async (): Promise<void> => {
    prober.tick((at += 100))
    await turn()
  }
  prober.follow('web', targetOf('web'))
  await tick()
  await tick()
  assert.deepEqual(asked, [])
  prober.follow('tcp', targetOf('tcp', { http: null }))
  await tick()
  assert.deepEqual(asked, [1e6 + 300])

  isLoaded = true
  await tick()

  assert.deepEqual(asked, [1e6 + 300, 1e6 + 400])
  assert.equal(prober.state('web'), 'up')
})

test('a new server is asked at once and waits for its first success', async () => {
  const bench = new Bench()
  bench.prober.follow('a', targetOf('a'))
  assert.equal(bench.prober.state('a'), 'waiting')

  await bench.tick()

  assert.deepEqual(bench.times('a'), [100])
  assert.deepEqual(bench.told, ['a up: GET /healthz gets the expected response'])
  assert.equal(bench.prober.state('a'), 'up')
})

test('a server that got requests before, or need not wait, is unknown until then', () => {
  const bench = new Bench()
  bench.prober.follow('served', targetOf('served'), true)
  bench.prober.follow('trusted', targetOf('trusted', { waitHealthy: false }))

  assert.equal(bench.prober.state('served'), 'unknown')
  assert.equal(bench.prober.state('trusted'), 'unknown')
  assert.equal(bench.prober.state('nobody'), 'unknown')
})

test('it is asked again after the interval, more often while it is down', async () => {
  const bench = new Bench()
  bench.prober.follow('a', targetOf('a'))
  await bench.run(6_000)
  assert.deepEqual(bench.times('a'), [100, 5_100])

  bench.script = () => broken
  await bench.run(14_200)
  assert.deepEqual(bench.times('a').slice(2), [10_100, 15_100, 20_100])
  assert.deepEqual(bench.told.slice(1), ['a down: it is broken'])

  bench.script = () => well
  await bench.run(2_100)
  assert.deepEqual(bench.times('a').slice(5), [21_100, 22_100])
  assert.deepEqual(bench.told.slice(2), ['a up: GET /healthz gets the expected response'])

  await bench.run(5_000)
  assert.deepEqual(bench.times('a').slice(7), [27_100])
})

test('each wait is longer or shorter by chance', async () => {
  for (const [chance, second] of [
    [0, 4_100],
    [1, 6_100],
  ] as const) {
    const bench = new Bench(64, () => chance)
    bench.prober.follow('a', targetOf('a', { jitter: 0.2 }))
    await bench.run(7_000)

    assert.deepEqual(bench.times('a'), [100, second])
  }
})

test('a crowd of new servers is spread over a second, a few are not', async () => {
  let chance = 0
  const bench = new Bench(1_000, () => (chance = (chance + 0.137) % 1))
  for (let index = 0; index < 16; index++) bench.prober.follow(`few${index}`, targetOf('few'))
  await bench.tick()
  assert.equal(bench.asked.length, 16)

  for (let index = 0; index < 100; index++) bench.prober.follow(`many${index}`, targetOf('many'))
  await bench.tick()
  assert.ok(bench.times('many').length < 20)
  await bench.run(1_000)
  assert.equal(bench.times('many').length, 100)
})

test('so many at a time, and all in their turn', async () => {
  const bench = new Bench(4)
  bench.script = () => null
  for (let index = 0; index < 10; index++) bench.prober.follow(`s${index}`, targetOf(`s${index}`))
  await bench.tick()
  assert.equal(bench.asked.length, 4)

  for (let answered = 0; answered < 10; answered++) {
    bench.asked[answered]?.answer(well)
    await turn()
    assert.equal(bench.asked.length, Math.min(10, answered + 5))
  }

  assert.equal(new Set(bench.asked.map(({ key }) => key)).size, 10)
  assert.equal(bench.told.length, 10)
})

test('when there are more than can be asked, none is left out', async () => {
  const bench = new Bench(2)
  bench.script = () => null
  for (let index = 0; index < 10; index++) {
    bench.prober.follow(`s${index}`, targetOf(`s${index}`, { intervalMs: 100 }))
  }
  for (let tick = 0; tick < 100; tick++) {
    await bench.tick()
    for (const { answer } of bench.asked.slice(-2)) answer(well)
  }

  for (let index = 0; index < 10; index++) assert.ok(bench.times(`s${index}`).length >= 15)
})

test('a probe that is not answered in time is called off and has failed', async () => {
  const bench = new Bench()
  bench.script = () => null
  bench.prober.follow('a', targetOf('a', { fall: 1 }))
  bench.prober.follow('b', targetOf('b', { fall: 1, http: null, port: 81 }))
  await bench.run(2_100)
  assert.deepEqual(bench.told, [])

  await bench.run(200)

  assert.deepEqual(bench.told, [
    'a down: no response to GET /healthz within 2000 ms',
    'b down: no connection to b:81 within 2000 ms',
  ])
  assert.ok(bench.asked.slice(0, 2).every(({ signal }) => signal.aborted))
})

test('an answer that comes after the time was over counts for nothing', async () => {
  const bench = new Bench()
  bench.script = () => null
  bench.prober.follow('a', targetOf('a'))
  await bench.run(2_400)
  assert.deepEqual(bench.results, ['a broken'])

  bench.asked[0]?.answer(well)
  await bench.tick()

  assert.deepEqual(bench.results, ['a broken'])
})

test('a failure before a tick that comes late is void and soon repeated', async () => {
  const bench = new Bench()
  bench.script = () => broken
  bench.prober.follow('a', targetOf('a', { fall: 1 }))
  for (let round = 0; round < 20; round++) await bench.tick(600)
  assert.deepEqual(bench.told, [])
  assert.deepEqual(bench.results, [])
  assert.ok(bench.asked.length >= 10)

  await bench.run(700)
  assert.deepEqual(bench.told, ['a down: it is broken'])
})

test('so it is when only whoever calls knows of the hold-up', async () => {
  const bench = new Bench()
  bench.script = () => broken
  bench.prober.follow('a', targetOf('a', { fall: 1 }))
  await bench.tick()
  await bench.tick(100, true)

  assert.deepEqual(bench.results, [])
})

test('a probe that was under way in a hold-up fails for nothing, but its success counts', async () => {
  const bench = new Bench()
  bench.script = () => null
  for (const key of ['a', 'b']) bench.prober.follow(key, targetOf(key, { fall: 1 }))
  await bench.tick()
  await bench.tick(600)

  bench.asked[0]?.answer(broken)
  bench.asked[1]?.answer(well)
  await bench.tick()
  await bench.tick()

  assert.deepEqual(bench.results, ['b well'])
  assert.deepEqual(bench.told, ['b up: GET /healthz gets the expected response'])
})

test('the time of a hold-up is on no time limit, however long', async () => {
  const bench = new Bench()
  bench.script = () => null
  bench.prober.follow('a', targetOf('a', { fall: 1 }))
  await bench.tick()
  await bench.run(1_000)
  await bench.tick(3_600_000)
  await bench.tick(-3_600_000)
  await bench.run(900)
  assert.deepEqual(bench.results, [])

  await bench.run(300)
  assert.deepEqual(bench.results, ['a broken'])
})

test('a change of the check keeps the state and is tried at once', async () => {
  const bench = new Bench()
  bench.prober.follow('a', targetOf('a'))
  await bench.run(300)

  const http = { ...(check.http ?? assert.fail()), path: '/ready' }
  bench.prober.follow('a', targetOf('a', { http }))
  assert.equal(bench.prober.state('a'), 'up')
  await bench.tick()

  assert.deepEqual(
    bench.asked.map(({ path }) => path),
    ['/healthz', '/ready'],
  )
  assert.equal(bench.told.length, 1)
})

test('what was asked by the old check does not count for the new one', async () => {
  const bench = new Bench()
  bench.script = () => null
  bench.prober.follow('a', targetOf('a'))
  await bench.tick()
  bench.prober.follow('a', targetOf('a', { rise: 3 }))
  assert.equal(bench.asked[0]?.signal.aborted, true)

  bench.script = () => well
  await bench.tick()

  assert.deepEqual(bench.results, ['a well'])
  assert.equal(bench.asked.length, 2)
})

test('an equal check changes nothing, not even what is under way', async () => {
  const bench = new Bench()
  bench.script = () => null
  bench.prober.follow('a', targetOf('a'))
  await bench.tick()
  const { server, ...rest } = targetOf('a')
  bench.prober.follow('a', { ...rest, server: { ...server, weight: 7 } })
  bench.asked[0]?.answer(well)
  await bench.run(1_000)

  assert.equal(bench.asked.length, 1)
  assert.equal(bench.prober.state('a'), 'up')
})

test('a server that is forgotten is asked no more, and begins anew when it comes back', async () => {
  const bench = new Bench(1)
  bench.script = () => null
  for (const key of ['a', 'b']) bench.prober.follow(key, targetOf(key))
  await bench.tick()
  bench.prober.forget('a')
  bench.prober.forget('b')
  bench.prober.forget('nobody')
  assert.equal(bench.asked[0]?.signal.aborted, true)
  await bench.run(6_000)
  assert.equal(bench.asked.length, 1)

  bench.prober.follow('a', targetOf('a'))
  bench.script = () => well
  await bench.tick()

  assert.deepEqual(bench.results, ['a well'])
})

test('who is told of a state may forget the server', async () => {
  const told: string[] = []
  const prober = createProber({
    probe: () => Promise.resolve(well),
    now: () => 100,
    random: () => 0.5,
    onState: (key, state) => {
      told.push(`${key} ${state}`)
      prober.forget(key)
    },
  })
  prober.follow('a', targetOf('a'))
  prober.tick(100)
  await turn()
  for (let at = 200; at < 10_000; at += 100) prober.tick(at)
  await turn()

  assert.deepEqual(told, ['a up'])
})

test('a probe that rejects is a failure', async () => {
  const reasons: string[] = []
  const prober = createProber({
    probe: () => Promise.reject(new Error('a fault of ours')),
    now: () => 0,
    random: () => 0.5,
    onState: (_key, _verdict, reason) => reasons.push(reason),
  })
  prober.follow('a', targetOf('a', { fall: 1 }))
  prober.tick(0)
  await turn()
  prober.tick(100)

  assert.deepEqual(reasons, ['Error: a fault of ours'])
})

test('stopping calls off what is under way and tells nothing more', async () => {
  const bench = new Bench()
  bench.script = () => null
  bench.prober.follow('a', targetOf('a', { fall: 1 }))
  await bench.tick()

  await bench.prober.stop()
  await bench.run(3_000)

  assert.equal(bench.asked[0]?.signal.aborted, true)
  assert.deepEqual([bench.asked.length, bench.results], [1, []])
})

test('servers of one backend that hang hold up the probes of no other', async () => {
  const bench = new Bench()
  bench.script = (key) => (key.startsWith('hung') ? null : well)
  const slow = { timeoutMs: 5_000, intervalMs: 5_000 }
  for (let index = 0; index < 200; index++) {
    bench.prober.follow(`hung${index}`, targetOf(`hung${index}`, slow), false, 'hung')
  }
  await bench.run(1_500)
  const underWay = bench.asked.length

  for (let index = 0; index < 50; index++) {
    bench.prober.follow(`well${index}`, targetOf(`well${index}`), false, `backend ${index}`)
  }
  await bench.run(1_500)

  assert.equal(underWay, 64)
  assert.equal(bench.told.filter((line) => /^well\d+ up/.test(line)).length, 50)
})

test('however many hang in all, each backend has one probe under way', async () => {
  const bench = new Bench(2, () => 0.5, 4)
  bench.script = () => null
  for (let index = 0; index < 30; index++) {
    bench.prober.follow(`s${index}`, targetOf(`s${index}`), false, `backend ${index % 10}`)
  }

  await bench.run(1_200)
  const begun = new Set(bench.asked.map(({ key }) => Number(key.slice(1)) % 10))
  bench.asked[0]?.answer(well)
  await bench.run(200)

  assert.equal(begun.size, 10)
  assert.ok(bench.asked.length >= 11 && bench.asked.length <= 12, `${bench.asked.length}`)
})

test('a probe that we had no descriptor for is void, however often, and is repeated soon', async () => {
  const bench = new Bench()
  bench.prober.follow('a', targetOf('a'))
  await bench.tick()
  bench.script = () => ({ ok: false, reason: 'connect EMFILE', shortage: 'EMFILE' })

  await bench.run(20_000)
  const whileShort = [...bench.results]
  bench.script = () => broken
  await bench.run(1_000)

  assert.deepEqual(whileShort, ['a well'])
  assert.equal(bench.prober.state('a'), 'up')
  assert.deepEqual(bench.results.slice(1), ['a broken'])
  assert.ok(bench.shortages.length > 10)
})

test('one in a hurry is asked every 200 ms until its first success, and fails meanwhile for nothing', async () => {
  const bench = new Bench()
  bench.script = () => broken
  bench.prober.follow('a', targetOf('a'))
  await bench.run(400)

  bench.prober.hurry('a', bench.now + 1_000)
  await bench.run(800)
  const hurried = [...bench.times('a')]
  const state = bench.prober.state('a')
  bench.script = () => well
  await bench.run(6_000)

  assert.deepEqual(hurried, [100, 500, 700, 900, 1_100])
  assert.equal(state, 'waiting')
  assert.deepEqual(bench.told, ['a up: GET /healthz gets the expected response'])
  assert.deepEqual(bench.times('a').slice(5), [1_300, 6_300])
})
