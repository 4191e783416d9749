// What several instances exchange of their load, over a registry in memory and a clock that only the test moves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Measure } from '../../src/policy/scaling/measure.ts'
import type { Shared } from '../../src/scaling/measure-exchange.ts'
import {
  createRegistryExchange,
  type RegistryExchange,
} from '../../src/scaling/registry-exchange.ts'
import {
  createRegistry,
  createTime,
  type FakeRegistry,
  type FakeTime,
} from '../support/acme-world.ts'

interface Side {
  readonly exchange: RegistryExchange
  readonly log: string[]
  readonly puts: string[]
  isAway: boolean
}

function open(time: FakeTime, registry: FakeRegistry, id: string, isActing = false): Side {
  const keys = registry.connect()
  const log: string[] = []
  const puts: string[] = []
  const note = (_fields: object, message: string): void => void log.push(message)
  const exchange = createRegistryExchange({
    keys: {
      ...keys,
      put(path, text, options) {
        puts.push(text)
        if (side.isAway) return Promise.reject(new Error('the registry is away'))
        return keys.put(path, text, options)
      },
    },
    id,
    isActing: () => isActing,
    world: time,
    log: { debug: note, info: note, warn: note, error: note },
  })
  exchange.begin()
  const side: Side = { exchange, log, puts, isAway: false }
  return side
}

function measured(more: Partial<Measure> = {}, asked: Shared['asked'] = null): Shared {
  const measure = { concurrency: 1, rps: 2, errors: 0, durations: [1, 2], waiting: 0, ...more }
  return { measure, asked }
}

test('the instance that acts knows what the others measured and were asked for', async () => {
  const time = createTime()
  const registry = createRegistry()
  const acting = open(time, registry, 'a', true)
  const others = ['b', 'c'].map((id) => open(time, registry, id))

  const asked = { replicas: 5, leftMs: 60_000 }
  others[0]?.exchange.publish(new Map([['vote', measured({ concurrency: 7 })]]))
  others[1]?.exchange.publish(new Map([['vote', measured({ concurrency: 8 }, asked)]]))
  await time.run(3_000)

  const found = acting.exchange.others('vote')
  assert.deepEqual(
    found.map(({ measure }) => measure.concurrency).toSorted((one, other) => one - other),
    [7, 8],
  )
  assert.deepEqual(
    found.map((one) => one.asked),
    [null, asked],
  )
  assert.deepEqual(acting.exchange.others('result'), [])
})

test('an instance that dies counts no longer after 15 s, and its record is removed', async () => {
  const time = createTime()
  const registry = createRegistry()
  const acting = open(time, registry, 'a', true)
  const dead = open(time, registry, 'b')
  dead.exchange.publish(new Map([['vote', measured()]]))
  await time.run(10_000)
  const before = acting.exchange.others('vote').length

  dead.isAway = true
  await time.run(21_000)
  const after = acting.exchange.others('vote').length
  await time.run(60_000)

  assert.deepEqual([before, after], [1, 0])
  assert.deepEqual([...registry.texts.keys()], [])
})

test('an instance that ends takes its record away', async () => {
  const time = createTime()
  const registry = createRegistry()
  const { exchange } = open(time, registry, 'b')
  exchange.publish(new Map([['vote', measured()]]))
  await time.run(3_000)
  const before = registry.texts.size

  await exchange.close()

  assert.deepEqual([before, registry.texts.size], [1, 0])
})

test('what does not change is written every 5 s, what changes every 2 s, and a first waiting request within a moment', async () => {
  const time = createTime()
  const { exchange, puts } = open(time, createRegistry(), 'b')
  exchange.publish(new Map([['vote', measured()]]))
  await time.run(30_000)
  const still = puts.length
  for (let second = 0; second < 30; second++) {
    exchange.publish(new Map([['vote', measured({ concurrency: second })]]))
    await time.run(1_000)
  }
  const moving = puts.length - still

  exchange.publish(new Map([['vote', measured({ concurrency: 1_000 })]]))
  await time.run(2_000)
  exchange.publish(new Map([['vote', measured({ waiting: 1 })]]))
  const before = puts.length
  await time.run(250)

  assert.ok(still >= 5 && still <= 7, `${still} writes in 30 s`)
  assert.ok(moving >= 10 && moving <= 16, `${moving} writes in 30 s`)
  assert.equal(puts.length, before + 1)
})

test('an instance that acts writes only what it was asked for, and nothing without that', async () => {
  const time = createTime()
  const registry = createRegistry()
  const { exchange, puts } = open(time, registry, 'a', true)
  exchange.publish(new Map([['vote', measured()]]))
  await time.run(20_000)
  const before = puts.length

  exchange.publish(new Map([['vote', measured({}, { replicas: 3, leftMs: null })]]))
  await time.run(3_000)

  assert.equal(before, 0)
  assert.match([...registry.texts.values()][0] ?? '', /"concurrency":0.*"replicas":3/)
})

test('records that are malformed, too large or hostile are taken for what they are', async () => {
  const time = createTime()
  const registry = createRegistry()
  const keys = registry.connect()
  const texts = [
    'no JSON',
    '[]',
    '{"backends":{"vote":1}}',
    '{"backends":{"vote":{"measure":{"concurrency":"9","rps":-1,"waiting":1e400,"durations":"x"}}}}',
    '{"backends":{"vote":{"measure":{"concurrency":2},"asked":{"replicas":-1}}}}',
    JSON.stringify({ backends: { vote: { measure: { durations: Array(1_000).fill(1) } } } }),
  ]
  for (const [at, text] of texts.entries()) await keys.put(`instances/x${at}`, text, {})
  const acting = open(time, registry, 'a', true)

  await time.run(2_000)

  const found = acting.exchange.others('vote')
  const nothing = { concurrency: 0, rps: 0, errors: 0, waiting: 0 }
  assert.deepEqual(
    found.map(({ measure: { durations, ...measure }, asked }) => [
      measure,
      durations.length,
      asked,
    ]),
    [
      [nothing, 0, null],
      [{ ...nothing, concurrency: 2 }, 0, null],
      [nothing, 64, null],
    ],
  )
  assert.deepEqual(acting.log, [])
})

test('a registry that is away is said once', async () => {
  const time = createTime()
  const side = open(time, createRegistry(), 'b')
  side.isAway = true
  side.exchange.publish(new Map([['vote', measured()]]))

  await time.run(20_000)

  assert.deepEqual(side.log, [
    'the instances cannot exchange what they measure: the registry is away',
  ])
})
