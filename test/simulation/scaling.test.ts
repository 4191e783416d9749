/** The autoscaler against simulated backends: load that jumps, noise, replicas that start slowly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { directionChanges, simulate, type Tick, type World } from './scaling-world.ts'

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]

/** One replica serves 10 requests at a time, of 100 ms each: 100 a second, and 70 as it is meant to. */
const BACKEND = {
  spec: { concurrency: { target: 10, utilisation: 0.7 } },
  slots: 10,
  serviceMs: 100,
  startMs: 1000,
  replicas: 1,
}

/** 50 a second, ten times as many from second 120 to 180, then none. */
function burst(second: number): number {
  if (second >= 180) return 0
  return second >= 120 ? 500 : 50
}

test('scales up within 6 s of ten times the load, and back down after the delay, in one change of direction', () => {
  for (const seed of SEEDS) {
    const world: World = { ...BACKEND, seed, demand: burst }

    const ticks = simulate(world, 420)

    const [before, six] = [at(ticks, 120), at(ticks, 126)]
    assert.equal(before.replicas, 1, `seed ${seed}`)
    assert.ok(six.replicas >= 7, `seed ${seed}: ${six.replicas} replicas after 6 s`)
    assert.ok(most(ticks) <= 24, `seed ${seed}: at most ${most(ticks)} replicas`)
    assert.equal(at(ticks, 180).waiting, 0, `seed ${seed}`)
    assert.equal(at(ticks, 420).replicas, 1, `seed ${seed}`)
    assert.equal(directionChanges(ticks), 1, `seed ${seed}`)
  }
})

test('keeps all replicas for the delay down, and longer while it panics', () => {
  const spec = { ...BACKEND.spec, downDelay: '90s' }

  const ticks = simulate({ ...BACKEND, spec, seed: 1, demand: burst }, 480)

  const first = ticks.find(({ decision }) => decision.direction === 'down')
  assert.ok(first !== undefined && first.second >= 180 + 90, `down at ${first?.second}`)
  assert.equal(directionChanges(ticks), 1)
})

test('does not flap with noise, also at the edge of two numbers of replicas', () => {
  for (const seed of SEEDS) {
    for (const perSecond of [50, 65, 69, 70, 71, 140, 210]) {
      const world: World = { ...BACKEND, seed, demand: () => perSecond }

      const ticks = simulate(world, 1200)

      assert.ok(directionChanges(ticks) <= 1, `seed ${seed}, ${perSecond} requests a second`)
    }
  }
})

test('with a delay down, follows a load that swings without scaling down between', () => {
  for (const seed of SEEDS) {
    const demand = (second: number): number => (second % 40 < 20 ? 300 : 100)

    const spec = { ...BACKEND.spec, downDelay: '90s' }

    const ticks = simulate({ ...BACKEND, spec, seed, demand }, 900)

    assert.ok(directionChanges(ticks) <= 1, `seed ${seed}: ${directionChanges(ticks)} changes`)
  }
})

test('a queue before replicas that start slowly is not taken for load', () => {
  for (const seed of SEEDS) {
    const spec = { ...BACKEND.spec, max: 1000 }
    const world: World = { ...BACKEND, spec, startMs: 30_000, seed, demand: burst }

    const ticks = simulate(world, 300)

    // The load needs 8, and up to 5,000 requests wait meanwhile.
    assert.ok(Math.max(...ticks.map(({ waiting }) => waiting)) > 3000)
    assert.ok(most(ticks) <= 20, `seed ${seed}: at most ${most(ticks)} replicas`)
    assert.equal(directionChanges(ticks), 1, `seed ${seed}`)
  }
})

test('replicas that start slowly are at most upRate times those that are ready, however long the queue is', () => {
  for (const seed of SEEDS) {
    const spec = { ...BACKEND.spec, upRate: 3, max: 1000 }
    const world: World = { ...BACKEND, spec, startMs: 30_000, seed, demand: burst }

    const ticks = simulate(world, 180)

    for (const { second, ready, decision, replicas } of ticks) {
      const limit = 3 * Math.max(1, ready)
      const isRaised = decision.direction === 'up'
      assert.ok(!isRaised || replicas <= limit, `seed ${seed}, second ${second}: ${replicas}`)
    }
  }
})

test('by requests a second, a queue before slow replicas does not make them more', () => {
  for (const seed of SEEDS) {
    const spec = { rps: { target: 100, utilisation: 0.7 }, max: 1000 }
    const world: World = { ...BACKEND, spec, startMs: 20_000, seed, demand: burst }

    const ticks = simulate(world, 180)

    assert.ok(most(ticks) <= 20, `seed ${seed}: at most ${most(ticks)} replicas`)
  }
})

test('by latency, scales until responses are as fast as wanted, and does not run past it', () => {
  for (const seed of SEEDS) {
    const spec = { latency: { target: '600ms' }, max: 50 }
    const demand = (second: number): number => (second < 60 ? 50 : 500)
    const world: World = { ...BACKEND, spec, seed, demand }

    const ticks = simulate(world, 600)

    const last = at(ticks, 600)
    assert.ok(last.replicas >= 5, `seed ${seed}: ${last.replicas} replicas`)
    assert.ok(most(ticks) <= 20, `seed ${seed}: at most ${most(ticks)} replicas`)
    assert.equal(last.waiting, 0, `seed ${seed}`)
  }
})

test('by latency, keeps the replicas of a load that is as much as fewer could not serve', () => {
  for (const seed of SEEDS) {
    const spec = { latency: { target: '600ms' }, max: 50 }
    const demand = (second: number): number => 50 + Math.min(450, second)

    const ticks = simulate({ ...BACKEND, spec, seed, demand }, 900)

    assert.equal(directionChanges(ticks), 0, `seed ${seed}`)
    assert.ok(most(ticks) <= 10, `seed ${seed}: at most ${most(ticks)} replicas`)
  }
})

test('scales to zero after idle and grace, and from zero for the first request', () => {
  const spec = { ...BACKEND.spec, min: 0, zero: { idle: '30s', grace: '10s' } }
  const demand = (second: number): number => (second < 100 || second >= 300 ? 20 : 0)

  const ticks = simulate({ ...BACKEND, spec, seed: 3, demand }, 320)

  const gone = ticks.find(({ replicas }) => replicas === 0)
  assert.ok(gone !== undefined && gone.second >= 140 && gone.second < 180, `at ${gone?.second}`)
  assert.equal(gone.decision.reason, 'idle')
  const back = ticks.find(({ second, replicas }) => second > 200 && replicas > 0)
  assert.ok(back !== undefined && back.second <= 302, `back at ${back?.second}`)
})

test('who asks is a lower bound for what is measured', () => {
  const asked = (second: number): number | null => (second > 100 && second < 200 ? 5 : null)

  const ticks = simulate({ ...BACKEND, seed: 1, demand: () => 50, asked }, 300)

  assert.equal(at(ticks, 100).replicas, 1)
  assert.equal(at(ticks, 102).replicas, 5)
  assert.equal(at(ticks, 198).replicas, 5)
  assert.equal(at(ticks, 300).replicas, 1)
})

function at(ticks: readonly Tick[], second: number): Tick {
  const found = ticks.find((one) => one.second === second)
  assert.ok(found !== undefined, `no tick at ${second}`)
  return found
}

function most(ticks: readonly Tick[]): number {
  return Math.max(...ticks.map(({ replicas }) => replicas))
}
