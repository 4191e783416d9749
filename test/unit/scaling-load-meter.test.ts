import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoadMeter } from '../../src/scaling/load-meter.ts'
import { COUNT, NO_TRAFFIC, SHARED } from '../../src/scoreboard/layout.ts'
import { Scoreboard, type Slot } from '../../src/scoreboard/scoreboard.ts'

interface Site {
  readonly meter: LoadMeter
  readonly backend: Slot
  readonly servers: readonly [Slot, Slot]
}

function createSite(): Site {
  const scoreboard = new Scoreboard(2, 0)
  const [backend, one, two] = [1, 2, 3].map(() => scoreboard.slot(scoreboard.allocate()))
  assert.ok(backend !== undefined && one !== undefined && two !== undefined)
  const meter = new LoadMeter(backend, 0)
  meter.update(backend, [
    { slot: one, drain: false },
    { slot: two, drain: false },
  ])
  return { meter, backend, servers: [one, two] }
}

function setInFlight({ shared, at }: Slot, inFlight: number): void {
  Atomics.store(shared, at + SHARED.inFlight, inFlight)
}

function end({ counts, base }: Slot, status: number, bucket: number): void {
  for (const cell of [COUNT.status + status, COUNT.duration + bucket]) {
    counts[base + cell] = (counts[base + cell] ?? 0) + 1
  }
}

test('the mean of requests in flight is weighted by time, over all servers', () => {
  const { meter, servers } = createSite()
  meter.sample(0)
  setInFlight(servers[0], 6)
  setInFlight(servers[1], 4)
  meter.sample(500)
  meter.sample(1000)
  setInFlight(servers[0], 0)
  meter.sample(1500)

  const taken = meter.take(2000)

  // 0 for half a second, 10 for a second, 4 for half a second.
  assert.equal(taken?.measure.concurrency, (10 * 1000 + 4 * 500) / 2000)
  assert.equal(taken?.from, 0)
  assert.equal(meter.take(4000)?.measure.concurrency, 4)
  assert.equal(meter.take(4000), null)
})

test('counts what ended since the last measure, with errors and durations', () => {
  const { meter, servers } = createSite()
  end(servers[0], 2, 3)
  end(servers[1], 5, 3)
  end(servers[1], 0, 14)

  const measure = meter.take(1500)?.measure

  assert.equal(measure?.rps, 2)
  assert.equal(measure?.errors, 4 / 3)
  assert.deepEqual([measure?.durations[3], measure?.durations[14]], [2, 1])
  assert.equal(measure?.durations.length, 15)
  assert.equal(meter.take(3000)?.measure.rps, 0)
})

test('what a server had counted before it was added is no load', () => {
  const { meter, backend, servers } = createSite()
  meter.update(backend, [{ slot: servers[0], drain: false }])
  meter.take(1000)
  end(servers[1], 2, 0)

  meter.update(backend, [
    { slot: servers[0], drain: false },
    { slot: servers[1], drain: false },
  ])

  assert.equal(meter.take(2000)?.measure.rps, 0)
})

test('a server that is gone counts until its requests have ended', () => {
  const { meter, backend, servers } = createSite()
  setInFlight(servers[1], 5)
  meter.take(1000)

  meter.update(backend, [{ slot: servers[0], drain: false }])
  assert.equal(meter.take(2000)?.measure.concurrency, 5)
  setInFlight(servers[1], 0)
  end(servers[1], 2, 0)
  assert.equal(meter.take(3000)?.measure.rps, 1)
  // Its slot is another object's now.
  setInFlight(servers[1], 9)

  assert.equal(meter.take(4000)?.measure.concurrency, 0)
})

test('servers that drain or are down are not ready', () => {
  const { meter, backend, servers } = createSite()
  assert.equal(meter.ready(), 2)
  const [one, two] = servers
  Atomics.store(one.shared, one.at + SHARED.trafficShare, NO_TRAFFIC)
  assert.equal(meter.ready(), 1)

  meter.update(backend, [
    { slot: one, drain: false },
    { slot: two, drain: true },
  ])

  assert.equal(meter.ready(), 0)
})
