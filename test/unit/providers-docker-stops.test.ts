import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createStops, type Stops } from '../../src/providers/docker/stops.ts'
import { turn } from '../support/until.ts'

interface Stage {
  readonly stops: Stops
  readonly changes: readonly string[]
  readonly tick: (ms: number) => void
}

function open(t: TestContext, config: object = {}): Stage {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const changes: string[] = []
  const stops = createStops({
    inspect: () => Promise.resolve({ Config: config }),
    onChange: (id, isStopping) => changes.push(`${id} ${isStopping ? 'stops' : 'runs on'}`),
  })
  return { stops, changes, tick: (ms) => t.mock.timers.tick(ms) }
}

for (const signal of ['15', '9', 'TERM', 'SIGTERM']) {
  test(`the signal ${signal} stops a container at once`, (t) => {
    const { stops, changes } = open(t)

    stops.signalled('web', signal)

    assert.ok(stops.isStopping('web'))
    assert.deepEqual(changes, ['web stops'])
  })
}

for (const [signal, config, isStop] of [
  ['3', { StopSignal: 'SIGQUIT' }, true],
  ['28', { StopSignal: 'SIGWINCH' }, true],
  ['37', { StopSignal: 'SIGRTMIN+3' }, true],
  ['3', {}, false],
  ['1', {}, false],
  ['10', { StopSignal: 'SIGTERM' }, false],
] as const) {
  test(`the signal ${signal} ${isStop ? 'stops' : 'does not stop'} a container with ${JSON.stringify(config)}`, async (t) => {
    const { stops } = open(t, config)

    stops.signalled('web', signal)
    await turn()

    assert.equal(stops.isStopping('web'), isStop)
  })
}

test('a container that runs on after its time to stop does not stop any more', async (t) => {
  const { stops, changes, tick } = open(t, { StopTimeout: 60 })

  stops.signalled('web', '15')
  await turn()
  tick(64_000)
  const before = stops.isStopping('web')
  tick(1_500)

  assert.ok(before)
  assert.ok(!stops.isStopping('web'))
  assert.deepEqual(changes, ['web stops', 'web runs on'])
})

test('a container that has started again does not stop, whatever was asked of the one before', async (t) => {
  const { stops } = open(t, { StopSignal: 'SIGQUIT' })

  stops.signalled('web', '15')
  stops.signalled('web', '3')
  stops.forget('web')
  await turn()

  assert.ok(!stops.isStopping('web'))
})

test('a container stops by SIGTERM also if it cannot be inspected', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stops = createStops({ inspect: () => Promise.reject(new Error('gone')), onChange() {} })

  stops.signalled('web', '15')
  stops.signalled('other', '3')
  await turn()

  assert.deepEqual([stops.isStopping('web'), stops.isStopping('other')], [true, false])
})
