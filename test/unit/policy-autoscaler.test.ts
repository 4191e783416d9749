import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Autoscaler, type Decision } from '../../src/policy/scaling/autoscaler.ts'
import { Backlog } from '../../src/policy/scaling/backlog.ts'
import { addMeasures, NO_MEASURE, quantileMs } from '../../src/policy/scaling/measure.ts'
import { MeasureWindow } from '../../src/policy/scaling/measure-window.ts'
import { scale } from '../../src/schema/scale.ts'

const TICK_MS = 2000

interface Run {
  readonly autoscaler: Autoscaler
  /** Measures so many requests in flight for a time, and returns the last decision. `replicas`: all of them ready. */
  for(ms: number, concurrency: number, replicas: number, asked?: number): Decision
  now(): number
}

/** One replica takes 10 in flight. */
function createRun(written: object = {}): Run {
  const actuator = { swarm: { service: 'x' } }
  const concurrency = { target: 10, utilisation: '100%' }
  const spec = scale.parse({ actuator, max: 20, concurrency, ...written })
  const autoscaler = new Autoscaler(spec, 0)
  let now = 0
  return {
    autoscaler,
    now: () => now,
    for(ms, inFlight, replicas, asked) {
      const end = now + ms
      let decision: Decision | null = null
      while (now < end) {
        const measure = { ...NO_MEASURE, concurrency: inFlight, rps: inFlight * 10 }
        autoscaler.record(now, now + TICK_MS, measure)
        now += TICK_MS
        const input = { observed: replicas, ready: replicas, asked: asked ?? null, waiting: 0 }
        decision = autoscaler.decide(now, input)
      }
      assert.ok(decision !== null)
      return decision
    },
  }
}

test('wants as many as the mean needs, rounded up, and scales down with room only', () => {
  const run = createRun()

  assert.equal(run.for(60_000, 20, 2).replicas, 2)
  assert.equal(run.for(60_000, 21, 2).replicas, 3)
  assert.equal(run.for(60_000, 19, 3).replicas, 3)
  assert.equal(run.for(60_000, 18, 3).replicas, 2)
})

test('does not scale down before it has measured for a whole window', () => {
  const run = createRun()

  const early = run.for(58_000, 1, 5)
  assert.deepEqual([early.replicas, early.restraints.includes('measuring')], [5, true])
  assert.equal(run.for(4_000, 1, 5).direction, 'down')
})

test('scales to zero when it is idle, also if it is scaled by nothing of its own', () => {
  const zero = { idle: '20s', grace: '10s' }
  const run = createRun({ min: 0, zero, concurrency: undefined, inputs: { orbiter: {} } })

  assert.equal(run.for(60_000, 5, 2).direction, 'none')
  const idle = run.for(28_000, 0, 2)
  const down = run.for(2_000, 0, 2)
  const last = run.for(2_000, 0, 1)
  const asked = run.for(60_000, 0, 1, 1)

  assert.equal(idle.direction, 'none')
  assert.deepEqual([down.replicas, down.direction], [1, 'down'])
  assert.deepEqual([last.replicas, last.reason], [0, 'idle'])
  assert.equal(asked.direction, 'none')
})

test('does not scale to zero while a query that scales it has no result', () => {
  const prometheus = { url: 'http://prometheus.example', query: 'sum(x)', target: 1 }
  const zero = { idle: '2s', grace: '0s' }
  const run = createRun({ min: 0, zero, concurrency: undefined, inputs: { prometheus } })

  assert.equal(run.for(60_000, 0, 2).direction, 'none')
  assert.equal(run.for(2_000, 0, 2, 0).direction, 'down')
})

test('panics at twice the load of what is ready, and scales down again only after a quiet window', () => {
  const run = createRun()
  run.for(60_000, 10, 1)

  const sudden = run.for(4_000, 60, 1)
  assert.deepEqual([sudden.isPanic, sudden.direction], [true, 'up'])
  const quiet = run.for(50_000, 0, 6)
  assert.deepEqual([quiet.isPanic, quiet.replicas], [true, 6])
  assert.ok(quiet.restraints.includes('panic'))
  const after = run.for(16_000, 0, 6)
  assert.deepEqual([after.isPanic, after.direction], [false, 'down'])
})

test('rates bound one decision, and min and max all of them', () => {
  const rated = createRun({ upRate: 2, downRate: 2 })
  rated.for(60_000, 10, 2)
  const up = rated.for(6_000, 150, 2)
  assert.deepEqual([up.replicas, up.restraints], [4, ['up-rate']])

  const bounded = createRun({ min: 3, max: 5 })
  bounded.for(60_000, 30, 3)
  const most = bounded.for(6_000, 190, 3)
  assert.deepEqual([most.replicas, most.restraints.at(-1)], [5, 'max'])
  assert.deepEqual(
    [bounded.for(2_000, 0, 2), bounded.for(2_000, 0, 9)].map(({ replicas, reason }) => [
      replicas,
      reason,
    ]),
    [
      [5, 'bounds'],
      [5, 'bounds'],
    ],
  )
})

test('waits for the cooldown of its direction', () => {
  const run = createRun({ cooldown: { up: '1m' } })
  run.for(60_000, 10, 1)
  run.for(6_000, 40, 1)
  run.autoscaler.changed(run.now(), 'up')

  const held = run.for(30_000, 90, 4)
  assert.deepEqual([held.replicas, held.restraints], [4, ['cooldown']])
  assert.equal(run.for(32_000, 90, 4).direction, 'up')
})

test('scales to zero only after idle and grace, whatever was asked for', () => {
  const run = createRun({ min: 0, zero: { idle: '60s', grace: '20s' } })
  run.for(60_000, 5, 1)

  const soon = run.for(78_000, 0, 1)
  assert.deepEqual([soon.replicas, soon.restraints.at(-1)], [1, 'not-idle'])
  const gone = run.for(4_000, 0, 1)
  assert.deepEqual([gone.replicas, gone.reason], [0, 'idle'])
  const asked = createRun({ min: 0, inputs: { orbiter: {} }, concurrency: undefined })
  assert.equal(asked.for(10_000, 5, 1, 0).replicas, 1)
})

test('without a metric what is asked for decides, and without a request nothing does', () => {
  const run = createRun({ concurrency: undefined, inputs: { orbiter: {} } })

  assert.deepEqual(run.for(4_000, 500, 4).replicas, 4)
  const asked = run.for(2_000, 500, 4, 2)
  assert.deepEqual([asked.replicas, asked.reason], [2, 'asked'])
})

test('another declaration keeps what was measured', () => {
  const run = createRun()
  run.for(60_000, 40, 4)
  const actuator = { swarm: { service: 'x' } }

  run.autoscaler.update(
    scale.parse({ actuator, max: 20, concurrency: { target: 5, utilisation: 1 } }),
  )

  assert.equal(run.for(2_000, 40, 4).replicas, 8)
})

test('a mean is weighted by time, and knows no more than was measured', () => {
  const window = new MeasureWindow()
  assert.equal(
    window.mean(({ rps }) => rps, 0, 1000),
    null,
  )
  window.add(0, 1000, { ...NO_MEASURE, rps: 10 }, 10_000)
  window.add(1000, 4000, { ...NO_MEASURE, rps: 20 }, 10_000)

  assert.equal(
    window.mean(({ rps }) => rps, 0, 4000),
    17.5,
  )
  assert.equal(
    window.mean(({ rps }) => rps, -9000, 4000),
    17.5,
  )
  assert.equal(
    window.mean(({ rps }) => rps, 3000, 4000),
    20,
  )
  window.add(4000, 14_500, { ...NO_MEASURE, rps: 0 }, 10_000)
  assert.equal(
    window.mean(({ rps }) => rps, 0, 4000),
    null,
  )
})

test('a quantile is interpolated in its bucket', () => {
  const durations = Array.from({ length: 15 }, () => 0)
  assert.equal(quantileMs(durations, 0.95), null)
  durations[5] = 50
  durations[6] = 50

  // Buckets up to 50 and 100 ms.
  assert.equal(quantileMs(durations, 0.5), 50)
  assert.equal(Math.round(quantileMs(durations, 0.75) ?? 0), 75)
  assert.equal(quantileMs([...durations.slice(0, 14), 1000], 0.99), 30_000)
})

test('measures of several instances are added', () => {
  const one = { concurrency: 1, rps: 2, errors: 3, durations: [1, 2], waiting: 4 }
  const other = { concurrency: 10, rps: 20, errors: 30, durations: [10], waiting: 40 }

  assert.deepEqual(addMeasures([one, other]), {
    ...{ concurrency: 11, rps: 22, errors: 33, durations: [11, 2], waiting: 44 },
  })
  assert.deepEqual(addMeasures([]), NO_MEASURE)
})

test('a backlog is told from load by the rate of requests and the time of each', () => {
  const backlog = new Backlog()
  assert.equal(backlog.limit(), Infinity)
  backlog.record(0, 2000, { ...NO_MEASURE, concurrency: 5, rps: 50 }, 10, 6000)

  // 100 are served a second, and 200 more wait after each.
  backlog.record(2000, 4000, { ...NO_MEASURE, concurrency: 405, rps: 100 }, 10, 6000)

  // 300 a second, of 0.1 s each, with half as many again.
  assert.ok(Math.abs(backlog.limit() - 45) < 1e-9, String(backlog.limit()))
})
