import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTicketKeys, TICKET_PERIOD_MS } from '../../src/process/ticket-keys.ts'

interface Program {
  readonly current: () => Buffer
  readonly changes: readonly Buffer[]
}

test('programs with one secret have the same keys at the same time, others have their own', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 5 * TICKET_PERIOD_MS + 1000 })
  const start = (secret: string | null): Program => {
    const changes: Buffer[] = []
    const { current, stop } = createTicketKeys({
      secret,
      now: Date.now,
      onChange: (keys) => changes.push(keys),
    })
    t.after(stop)
    return { current, changes }
  }
  const secret = 'a'.repeat(32)
  const [one, other] = [start(secret), start(secret)]
  const strangers = [start('b'.repeat(32)), start(null), start(null)]
  const first = one.current()

  assert.equal(first.length, 48)
  assert.deepEqual(other.current(), first)
  const different = [one, ...strangers].map(({ current }) => current().toString('hex'))
  assert.equal(new Set(different).size, 4)

  t.mock.timers.tick(TICKET_PERIOD_MS)

  for (const program of [one, other, ...strangers]) {
    assert.equal(program.changes.length, 1)
    assert.deepEqual(program.changes[0], program.current())
  }
  assert.deepEqual(other.current(), one.current())
  assert.notDeepEqual(one.current(), first)
})

test('keys change once a period, however the timer runs, and no longer after a stop', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1 })
  let changes = 0
  const keys = createTicketKeys({ secret: null, now: Date.now, onChange: () => changes++ })

  t.mock.timers.tick(TICKET_PERIOD_MS - 2)
  assert.equal(changes, 0)
  t.mock.timers.tick(TICKET_PERIOD_MS)
  assert.equal(changes, 1)
  t.mock.timers.tick(TICKET_PERIOD_MS)
  assert.equal(changes, 2)
  keys.stop()
  t.mock.timers.tick(10 * TICKET_PERIOD_MS)
  assert.equal(changes, 2)
})
