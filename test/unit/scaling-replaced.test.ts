// Another actuator in the place of one: two of them never act on the same replicas.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeProvider, createScaledSite, type FakeProvider } from '../support/scaled.ts'

/** 7 requests in flight for each replica. */
const SPEC = { concurrency: { target: 10, utilisation: 0.7 } }

test('another actuator acts when the one before has ended', async (t) => {
  const opened: FakeProvider[] = []
  const closing = Promise.withResolvers<void>()
  const site = createScaledSite(t, {
    open() {
      const provider = createFakeProvider()
      opened.push(provider)
      return Promise.resolve(provider)
    },
  })
  site.declare(SPEC)
  site.load(20)
  await site.pass(2_000)
  const [first] = opened
  if (first === undefined) throw new Error('it has no actuator')
  first.hangs = true
  first.close = () => closing.promise
  await site.pass(2_000)
  const told = [...first.told]

  site.declare({ ...SPEC, actuator: { swarm: { service: 'other' } } })
  await site.pass(4_000)
  site.declare(null)
  site.declare({ ...SPEC, actuator: { swarm: { service: 'third' } } })
  await site.pass(4_000)
  const before = opened.length
  closing.resolve()
  await site.pass(4_000)

  assert.equal(before, 1)
  assert.equal(opened.length, 2)
  assert.ok((opened[1]?.told.at(-1) ?? 0) > 1, 'the last one is told')
  assert.deepEqual(first.told, told)
  const complaints = site.lines.filter((line) => !line.startsWith('info:'))
  assert.deepEqual(complaints, [])
})

test('a call that another actuator cuts off is shown, and is no problem of that one', async (t) => {
  const site = createScaledSite(t)
  site.declare(SPEC)
  site.load(50)
  site.provider.setReplicas = (_replicas, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cut off')))
    })
  await site.pass(4_000)

  site.declare({ ...SPEC, actuator: { swarm: { service: 'other' } } })
  await new Promise(setImmediate)

  const { problem, decisions } = site.scaler.report().backends[0] ?? assert.fail()
  assert.equal(problem, null)
  assert.deepEqual(
    decisions.map(({ outcome, error }) => [outcome, error]),
    [['failed', 'another actuator is declared']],
  )
})
