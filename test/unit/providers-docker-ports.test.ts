import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPortWatch, type PortWatch } from '../../src/providers/docker/port-watch.ts'
import { eventually } from '../support/until.ts'

const ADDRESS = { host: '10.0.0.1', port: 80, isPublished: false }

interface Stage {
  readonly ports: PortWatch
  readonly changes: string[]
  /** Of the attempts so far. */
  attempts(): number
  /** Resolves the oldest open attempt. */
  answer(error: string | null): void
  /** What every attempt gets from now on. */
  answerAll(error: string | null): void
  pass(ms: number): void
}

function open(): Stage {
  const waiting: ((error: string | null) => void)[] = []
  const changes: string[] = []
  let attempts = 0
  let always: { readonly error: string | null } | null = null
  let time = 0
  const ports = createPortWatch({
    onChange: (id) => changes.push(id),
    now: () => time,
    connect() {
      attempts += 1
      if (always !== null) return Promise.resolve(always.error)
      return new Promise((resolve) => waiting.push(resolve))
    },
  })
  return {
    ports,
    changes,
    attempts: () => attempts,
    answer: (error) => waiting.shift()?.(error),
    answerAll(error) {
      always = { error }
      for (const resolve of waiting.splice(0)) resolve(error)
    },
    pass: (ms) => void (time += ms),
  }
}

test('an address is open once a connection was accepted, and is not tried again', async (t) => {
  const { ports, answer, attempts } = open()
  t.after(() => ports.close())

  ports.watch('web', [ADDRESS])
  const before = ports.look('web', '10.0.0.1', 80)
  answer(null)
  await ports.tried(1_000)

  assert.deepEqual(before, { error: null, isLate: false })
  assert.equal(ports.look('web', '10.0.0.1', 80), 'open')
  assert.equal(attempts(), 1)
})

test('an address that refuses is tried again until it accepts', async (t) => {
  const { ports, answer, answerAll, attempts, changes } = open()
  t.after(() => ports.close())

  ports.watch('web', [ADDRESS])
  answer('connection refused')
  await eventually(() => attempts() === 2, 'a second attempt')
  const between = ports.look('web', '10.0.0.1', 80)
  answerAll(null)
  await eventually(() => ports.look('web', '10.0.0.1', 80) === 'open', 'it is open')

  assert.deepEqual(between, { error: 'connection refused', isLate: false })
  assert.deepEqual(changes, ['web', 'web'])
})

test('an address that has never accepted is late after 10 s', async (t) => {
  const { ports, answerAll, pass, changes } = open()
  t.after(() => ports.close())

  ports.watch('web', [ADDRESS])
  answerAll('connection refused')
  await ports.tried(1_000)
  pass(10_000)
  await eventually(() => changes.length === 2, 'it is late')

  assert.deepEqual(ports.look('web', '10.0.0.1', 80), {
    ...{ error: 'connection refused', isLate: true },
  })
})

test('a container that has started again is tried again', async (t) => {
  const { ports, answerAll, attempts } = open()
  t.after(() => ports.close())
  const addresses = [ADDRESS]
  answerAll(null)
  ports.watch('web', addresses)
  await ports.tried(1_000)

  ports.watch('web', addresses)
  const same = attempts()
  ports.forget('web')
  ports.watch('web', addresses)
  await ports.tried(1_000)

  assert.deepEqual([same, attempts()], [1, 2])
})

test('an attempt that ends after its container has gone changes nothing', async (t) => {
  const { ports, answer, changes } = open()
  t.after(() => ports.close())
  ports.watch('web', [ADDRESS])

  ports.forget('web')
  answer(null)
  await ports.tried(1_000)

  assert.deepEqual(changes, [])
})

test('at most 64 connections are attempted at the same time, the new addresses first', async (t) => {
  const { ports, answer, attempts } = open()
  t.after(() => ports.close())
  for (let at = 0; at < 100; at++) ports.watch(`c${at}`, [{ ...ADDRESS, port: at + 1 }])
  const first = attempts()

  ports.watch('new', [ADDRESS])
  answer('connection refused')
  await eventually(() => attempts() === 65, 'the next attempt')

  assert.equal(first, 64)
})

test('the wait for first attempts ends with its time', async (t) => {
  const { ports } = open()
  t.after(() => ports.close())
  ports.watch('web', [ADDRESS])

  await ports.tried(5)

  assert.deepEqual(ports.look('web', '10.0.0.1', 80), { error: null, isLate: false })
})
