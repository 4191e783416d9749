/** The adaptive limit against a simulated backend: so many slots, exponential service times, and a queue before them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AdaptiveLimit,
  Gradient2,
  type GradientSpec,
} from '../../src/policy/limiting/adaptive-limit.ts'

const SPEC: GradientSpec = { initial: 20, min: 5, max: 1000, tolerance: 1.5, smoothing: 0.2 }
const TICK_MS = 100

interface Backend {
  readonly seed: number
  readonly slots: number
  /** Mean time of one answer in a slot, at a time in s. */
  readonly serviceMs: (second: number) => number
  /** Requests a second. */
  readonly demand: (second: number) => number
}

/** The limit at each tick of so many seconds. */
function simulate(backend: Backend, seconds: number, spec = SPEC): number[] {
  const chance = createChance(backend.seed)
  const adaptive = new AdaptiveLimit(spec)
  const limits: number[] = []
  let limit = spec.initial
  let queue: number[] = []
  let served: { readonly from: number; readonly until: number }[] = []
  let answered = 0
  let headMs = 0
  for (let now = 0; now < seconds * 1000; now++) {
    for (const { from, until } of served.filter((one) => one.until <= now)) {
      answered += 1
      headMs += until - from
    }
    served = served.filter(({ until }) => until > now)
    let arriving = backend.demand(now / 1000) / 1000
    for (; arriving > 0 && chance() < arriving; arriving--)
      if (queue.length + served.length < limit) queue.push(now)
    const begun = queue.slice(0, backend.slots - served.length)
    queue = queue.slice(begun.length)
    for (const from of begun) {
      const until = now - Math.log(1 - chance()) * backend.serviceMs(now / 1000)
      served.push({ from, until })
    }
    if (now % TICK_MS !== 0) continue
    limit = adaptive.tick(now, {
      responses: answered,
      headMs,
      inFlight: queue.length + served.length,
    })
    limits.push(limit)
  }
  return limits
}

function createChance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function between(limits: readonly number[], fromSecond: number, toSecond: number): number[] {
  return limits.slice((fromSecond * 1000) / TICK_MS, (toSecond * 1000) / TICK_MS)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const seeds = [1, 2, 3, 4, 5]

test('settles between one and two times what the servers do at once, and stays there under load without end', () => {
  for (const seed of seeds) {
    const backend = { seed, slots: 50, serviceMs: () => 20, demand: () => 4000 }

    const limits = simulate(backend, 400)

    for (const [from, to] of [
      [60, 120],
      [340, 400],
    ] as const) {
      const settled = mean(between(limits, from, to))
      assert.ok(settled > 50 && settled < 100, `${settled} from ${from} s with seed ${seed}`)
    }
  }
})

test('falls when every answer takes twice as long, and finds back under load that goes on', () => {
  for (const seed of seeds) {
    const slow = (second: number): boolean => second >= 100 && second < 200
    const backend = {
      seed,
      slots: 50,
      serviceMs: (second: number) => (slow(second) ? 40 : 20),
      demand: () => 4000,
    }

    const limits = simulate(backend, 300)

    const before = mean(between(limits, 80, 100))
    const least = Math.min(...between(limits, 100, 105))
    const whileSlow = mean(between(limits, 180, 200))
    const after = mean(between(limits, 280, 300))
    const said = `${before}, ${least}, ${whileSlow}, ${after} with seed ${seed}`
    assert.ok(least < 0.6 * before, `falls: ${said}`)
    // The slots are as many as before: slower answers that do not queue are no reason to have fewer.
    assert.ok(whileSlow > 50 && whileSlow < 110, `learns: ${said}`)
    assert.ok(after > 50 && after < 110, `recovers: ${said}`)
  }
})

test('never limits a load that the servers carry', () => {
  for (const seed of seeds) {
    const backend = { seed, slots: 50, serviceMs: () => 20, demand: () => 1000 }

    const limits = simulate(backend, 120)

    // 20 are in flight on average (Little), rarely 40.
    assert.ok(Math.min(...between(limits, 20, 120)) >= 40, `with seed ${seed}`)
  }
})

test('stays within its bounds for any input', () => {
  const gradient = new Gradient2({ ...SPEC, max: 60 })
  const chance = createChance(7)

  for (let sample = 0; sample < 20_000; sample++) {
    const rttMs = [0, -1, NaN, 1e-9, 1e12, 20][Math.floor(chance() * 6)] ?? 0
    gradient.update(rttMs, Math.floor(chance() * 100))

    assert.ok(Number.isInteger(gradient.limit) && gradient.limit >= 5 && gradient.limit <= 60)
  }
})

test('does not grow while less than half of it is in use', () => {
  const gradient = new Gradient2(SPEC)

  for (let sample = 0; sample < 100; sample++) gradient.update(20, 9)

  assert.equal(gradient.limit, 20)
})

test('waits for ten answers and 100 ms before it takes a sample', () => {
  const adaptive = new AdaptiveLimit({ ...SPEC, smoothing: 1 })
  adaptive.tick(0, { responses: 0, headMs: 0, inFlight: 20 })

  const few = adaptive.tick(500, { responses: 9, headMs: 180, inFlight: 20 })
  const enough = adaptive.tick(600, { responses: 10, headMs: 200, inFlight: 20 })
  const early = adaptive.tick(650, { responses: 100, headMs: 2000, inFlight: 20 })
  const inTime = adaptive.tick(700, { responses: 100, headMs: 2000, inFlight: 20 })

  assert.equal(few, 20)
  assert.ok(enough > few)
  assert.equal(early, enough)
  assert.ok(inTime > enough)
})

test('begins its sample anew when the sums went back', () => {
  const adaptive = new AdaptiveLimit(SPEC)
  adaptive.tick(0, { responses: 1000, headMs: 20_000, inFlight: 20 })

  const limits = [
    adaptive.tick(1000, { responses: 20, headMs: 400, inFlight: 20 }),
    adaptive.tick(2000, { responses: 25, headMs: 500, inFlight: 20 }),
  ]

  assert.deepEqual(limits, [20, 20])
})
