import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { BoundedActuator } from '../../src/scaling/bounded-actuator.ts'

const TIMES = { observeMs: 20, setMs: 20, closeMs: 20 }

function actuatorOf(more: Partial<Actuator>): Actuator {
  return {
    setReplicas: () => Promise.resolve(),
    observed: () => Promise.resolve(1),
    close: () => Promise.resolve(),
    ...more,
  }
}

function createBounded(
  open: () => Promise<Actuator>,
  clock = { now: 0 },
  times = TIMES,
): BoundedActuator {
  return new BoundedActuator(open, { now: () => clock.now, random: () => 0 }, times)
}

test('a call that does not end is cut off, and there is no other before it has ended', async () => {
  let end: (replicas: number) => void = () => {}
  const hanging = new Promise<number>((resolve) => (end = resolve))
  const signals: AbortSignal[] = []
  const bounded = createBounded(() =>
    Promise.resolve(
      actuatorOf({
        observed(signal) {
          signals.push(signal)
          return hanging
        },
      }),
    ),
  )

  await assert.rejects(
    bounded.observed(),
    /^Error: it did not say how many replicas it has within 0\.02 s$/,
  )
  await assert.rejects(bounded.observed(), /it has not ended its last call yet/)

  assert.equal(signals.length, 1)
  assert.equal(signals[0]?.aborted, true)
  assert.equal(bounded.failures.observe, 2)
  end(3)
  await new Promise(setImmediate)
  assert.equal(await bounded.observed(), 3)
})

test('pauses after a failure, longer each time, until a call succeeds', async () => {
  const clock = { now: 0 }
  let fails = true
  const bounded = createBounded(
    () =>
      Promise.resolve(
        actuatorOf({
          setReplicas: () => (fails ? Promise.reject(new Error('no\nway')) : Promise.resolve()),
        }),
      ),
    clock,
  )
  const pauses: number[] = []

  for (let time = 0; time < 9; time++) {
    await assert.rejects(bounded.setReplicas(2), /^Error: no way$/)
    const begun = clock.now
    while (bounded.isPausing()) clock.now += 100
    pauses.push(clock.now - begun)
  }

  assert.deepEqual(
    pauses,
    [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
  )
  fails = false
  await bounded.setReplicas(2)
  assert.equal(bounded.isPausing(), false)
})

test('is opened when it is needed, and again if that failed', async () => {
  let opened = 0
  const bounded = createBounded(() => {
    opened++
    return opened === 1 ? Promise.reject(new Error('no socket')) : Promise.resolve(actuatorOf({}))
  })
  assert.equal(opened, 0)

  await assert.rejects(bounded.observed(), /^Error: no socket$/)
  assert.equal(await bounded.observed(), 1)
  assert.equal(await bounded.observed(), 1)

  assert.equal(opened, 2)
})

test('refuses a number of replicas that is none', async () => {
  for (const wrong of [-1, 1.5, NaN]) {
    const open = actuatorOf({ observed: () => Promise.resolve(wrong) })
    const bounded = createBounded(() => Promise.resolve(open))

    await assert.rejects(bounded.observed(), /^Error: it says that it has /)
  }
})

test('closing ends a call in progress and waits for no actuator without end', async () => {
  const never = new Promise<never>(() => {})
  const bounded = createBounded(
    () => Promise.resolve(actuatorOf({ observed: () => never, close: () => never })),
    { now: 0 },
    { ...TIMES, observeMs: 60_000 },
  )
  const asked = assert.rejects(bounded.observed(), /^Error: it is closed$/)
  await new Promise(setImmediate)

  await Promise.all([asked, bounded.close()])
})
