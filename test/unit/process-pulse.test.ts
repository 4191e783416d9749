import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startPulse, createPulses } from '../../src/process/pulse.ts'
import { eventually } from '../support/until.ts'

test('a thread whose pulse has stopped is held up for as long, and one that has not begun is not', async () => {
  const pulses = createPulses(2)
  const cells = new Float64Array(pulses.memory)
  assert.deepEqual([pulses.stallOf(0), pulses.stallOf(1)], [0, 0])

  const stop = startPulse(pulses.memory, 1)
  await eventually(() => (cells[1] ?? 0) > 0, 'the first startPulse')
  stop()
  await eventually(() => pulses.stallOf(1) > 20, 'the thread is held up')

  assert.equal(pulses.stallOf(0), 0)
  pulses.reset(1)
  assert.equal(pulses.stallOf(1), 0)
})

test('a pulse that goes on shows no hold-up', async (t) => {
  const pulses = createPulses(1)
  const cells = new Float64Array(pulses.memory)
  t.after(startPulse(pulses.memory, 0))

  const beats = new Set<number>()
  await eventually(() => {
    const at = cells[0] ?? 0
    // Right after a startPulse nothing is late, however busy the machine is.
    if (at > 0 && !beats.has(at)) beats.add(at)
    return beats.size >= 3
  }, 'three beats')

  assert.ok(pulses.stallOf(0) < 5_000)
})
