// Several instances and one registry, on a clock of their own: one order a name, at every hour of a certificate's life.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AcmeError } from '../../src/acme/protocol/acme-error.ts'
import { createLeases, LeaseLost } from '../../src/acme/orders/lease.ts'
import { createRecordStore } from '../../src/acme/storage/record-store.ts'
import { createSealing } from '../../src/acme/storage/sealing.ts'
import {
  certified,
  createCa,
  createRegistry,
  createTime,
  routesOf,
  startInstance,
  type Instance,
} from '../support/acme-world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}.vote.net`)

function stateOf({ acme }: Instance, name: string): string | undefined {
  return acme.report().names.find((one) => one.name === name)?.state
}

for (const count of [1, 2, 3]) {
  test(`${count} instances make one order for each name, with one account`, async () => {
    const time = createTime(count)
    const registry = createRegistry()
    const ca = createCa(time)
    const instances = Array.from({ length: count }, () =>
      startInstance({ time, registry, cas: [ca], names: NAMES }),
    )

    await time.run(2 * MINUTE, () => certified(registry).length === NAMES.length)
    await time.run(MINUTE)

    assert.deepEqual([...ca.orders].sort(), NAMES)
    assert.equal(ca.accounts.size, 1)
    for (const instance of instances) assert.equal(stateOf(instance, NAMES[0] ?? ''), 'valid')
    assert.ok(![...registry.texts.keys()].some((path) => path.startsWith('orders/')))
  })
}

for (const seed of [1, 2, 3, 4, 5]) {
  test(`the orders of an instance that dies are carried on by the others (seed ${seed})`, async () => {
    const time = createTime(seed)
    const registry = createRegistry()
    const ca = createCa(time)
    ca.issueMs = 3_000
    const [first, ...others] = [1, 2, 3].map(() =>
      startInstance({ time, registry, cas: [ca], names: NAMES }),
    )

    await time.run(MINUTE, () => ca.orders.length >= 4)
    await time.run(seed * 1_000)
    first?.kill()
    await time.run(3 * MINUTE, () => certified(registry).length === NAMES.length)

    assert.deepEqual(certified(registry), NAMES)
    assert.deepEqual([...ca.orders].sort(), NAMES)
    for (const instance of others)
      assert.deepEqual(
        instance.log.filter((one) => !one.startsWith('info')),
        [],
      )
  })
}

test('an instance that stops leaves its order to the next one at once', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  ca.issueMs = 5_000
  const first = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  await time.run(MINUTE, () => ca.orders.length === 1)
  await time.run(1_000)

  await first.acme.stop()
  startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  const isDone = await time.run(14_000, () => certified(registry).length === 1)

  assert.ok(isDone)
  assert.deepEqual(ca.orders, ['a.vote.net'])
})

test('a holder that cannot reach the registry for the time of a lease keeps nothing of its order', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  ca.issueMs = 40_000
  const first = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  await time.run(MINUTE, () => ca.orders.length === 1)
  const second = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  await time.run(2_000)

  first.keys.isAway = true
  await time.run(35_000)
  first.keys.isAway = false
  await time.run(3 * MINUTE, () => certified(registry).length === 1)

  assert.deepEqual(ca.orders, ['a.vote.net'])
  const issued = (one: Instance): boolean => one.log.some((line) => line.includes('was issued'))
  assert.deepEqual([issued(first), issued(second)], [false, true])
})

test('an issued certificate is kept although its record was written by another instance', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const names = ['a.vote.net']
  const { log } = startInstance({ time, registry, cas: [ca], names, settings: { renewAt: 0.5 } })
  await time.run(MINUTE, () => certified(registry).length === 1)
  ca.issueMs = 5_000
  await time.run(4 * DAY, () => ca.orders.length === 2)

  const path = 'certificates/a.vote.net'
  const before = registry.texts.get(path) ?? ''
  await registry.connect().put(path, before, {})
  await time.run(MINUTE)

  assert.notEqual(registry.texts.get(path), before)
  assert.equal(ca.orders.length, 2)
  assert.ok(!log.some((line) => line.startsWith('warn')))
})

test('an order that breaks off at the last write is carried on', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const { keys } = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  let isBroken = true
  const { put } = keys
  keys.put = (path, text, options) => {
    if (!path.startsWith('certificates/') || !isBroken) return put(path, text, options)
    isBroken = false
    return Promise.reject(new Error('the registry is away'))
  }

  await time.run(MINUTE, () => certified(registry).length === 1)

  assert.deepEqual(certified(registry), ['a.vote.net'])
  assert.deepEqual(ca.orders, ['a.vote.net'])
})

test('a certificate that is due at once is a problem, and the next order waits', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  ca.ageMs = 6.9 * DAY
  const [first] = [1, 2].map(() =>
    startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] }),
  )
  await time.run(50_000)
  const early = ca.orders.length
  await time.run(9 * MINUTE)

  assert.deepEqual([early, ca.orders.length], [1, 2])
  assert.match(first?.acme.problems()[0]?.message ?? '', /tried 2 times: .*is due again/)
})

test('a change that waits for the registry ends as a lost lease when another instance has the order', async () => {
  const time = createTime()
  const registry = createRegistry()
  const keys = registry.connect()
  const store = createRecordStore({ keys, sealing: createSealing([]), now: time.now })
  const lease = await createLeases(store, 'a', time, new AbortController().signal).take('n')
  assert.ok(lease !== null)
  await time.run(250)
  keys.isAway = true
  const update = lease.update({ challenges: [] })
  const lost = assert.rejects(update, LeaseLost)

  // Between two tries of the change and before the next beat.
  await time.run(3_500)
  keys.isAway = false
  const { holder, ...rest } = lease.record()
  await registry.connect().put('orders/n', JSON.stringify({ ...rest, holder: `${holder}b` }), {})
  await time.run(MINUTE, () => lease.signal.aborted)

  await lost
})

test('nothing is ordered while the registry is away, and it is a problem until it is back', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const instance = startInstance({ time, registry, cas: [ca], names: [] })
  await time.run(5_000)

  instance.keys.isAway = true
  await time.run(10_000)
  instance.acme.take(routesOf(['a.vote.net']))
  await time.run(5 * MINUTE)
  const whileAway = instance.acme.problems().map(({ message }) => message)
  instance.keys.isAway = false
  await time.run(MINUTE, () => certified(registry).length === 1)

  assert.match(whileAway.join(), /neither ordered nor renewed: the registry is away/)
  assert.deepEqual(ca.orders, ['a.vote.net'])
  assert.deepEqual(instance.acme.problems(), [])
})

test('a certificate in the registry that cannot be read is a problem, and the other names go on', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const record = { key: 'k', directory: ca.directory, obtainedAt: 0, window: null }
  const path = 'certificates/a.vote.net'
  await registry.connect().put(path, JSON.stringify({ cert: 'no PEM', ...record }), {})

  const names = ['a.vote.net', 'b.vote.net']
  const { acme, log } = startInstance({ time, registry, cas: [ca], names })
  await time.run(MINUTE)

  assert.deepEqual(ca.orders, ['b.vote.net'])
  assert.match(
    acme.problems()[0]?.message ?? '',
    /^acme\/certificates\/a\.vote\.net is not in the form .*: cert is no certificate in PEM$/,
  )
  assert.deepEqual(log, ['info a certificate for "b.vote.net" was issued'])
  assert.equal(acme.report().names.length, 2)
})

test('a name whose orders are limited waits as long as the issuer asks, also after a restart', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  let tries = 0
  ca.refusal = () => {
    tries++
    const detail = 'too many certificates (5) already issued for this exact set of identifiers'
    return new AcmeError(`the CA refuses an order: ${detail}`, {
      ...{ type: 'rateLimited', detail, retryAfterMs: 3 * HOUR },
    })
  }
  const first = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  await time.run(MINUTE, () => tries > 0)
  const problems = first.acme.problems().map(({ message }) => message)
  await first.acme.stop()

  const second = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  await time.run(2.5 * HOUR)
  const before = tries
  await time.run(HOUR, () => tries > 1)

  assert.deepEqual([before, tries], [1, 2])
  assert.match(
    problems.join(),
    /tried once: .*too many certificates .*; it is tried again at 2026-11-30 15:0/,
  )
  assert.equal(stateOf(second, 'a.vote.net'), 'failed')
})

test('another issuer is tried when the first refuses', async () => {
  const time = createTime()
  const registry = createRegistry()
  const [first, second] = [createCa(time), createCa(time, 'https://other.example/dir')]
  first.refusal = () => new AcmeError('no', { type: 'rejectedIdentifier', detail: 'no' })

  const { acme } = startInstance({ time, registry, cas: [first, second], names: ['a.vote.net'] })
  await time.run(MINUTE, () => certified(registry).length === 1)

  assert.deepEqual([first.orders, second.orders], [[], ['a.vote.net']])
  assert.equal(acme.report().names[0]?.directory, 'https://other.example/dir')
})

test('renews at its time, and nothing that no route names any more', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const instances = [1, 2].map(() =>
    startInstance({ time, registry, cas: [ca], names: ['a.vote.net', 'b.vote.net'] }),
  )
  await time.run(MINUTE, () => certified(registry).length === 2)
  for (const { acme } of instances) acme.take(routesOf(['a.vote.net'], ['b.vote.net']))
  const [report] = instances[0]?.acme.report().names ?? []
  const renewsAt = report?.renewsAt ?? 0

  await time.run(renewsAt - time.date() - 10 * MINUTE)
  const early = [...ca.orders]
  await time.run(HOUR, () => ca.orders.length === 3)
  await time.run(10 * MINUTE)

  assert.deepEqual(early.sort(), ['a.vote.net', 'b.vote.net'])
  assert.equal(ca.orders.length, 3)
  assert.equal(ca.orders[2]?.replace('+', ''), 'a.vote.net')
  const [first] = instances
  assert.equal(first === undefined ? '' : stateOf(first, 'b.vote.net'), 'kept')
})

test('renews in the window of the issuer, at one moment for all instances', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const start = time.date() + 2 * HOUR
  ca.window = {
    ...{ start, end: start + HOUR, explanationUrl: 'https://ca.example/why' },
    retryAfterMs: 6 * HOUR,
  }
  const instances = [1, 2, 3].map(() =>
    startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] }),
  )
  await time.run(5 * MINUTE)
  const moments = instances.map(({ acme }) => acme.report().names[0]?.renewsAt)

  await time.run(1.9 * HOUR)
  const early = ca.orders.length
  ca.window = null
  await time.run(1.5 * HOUR, () => ca.orders.length === 2)

  assert.equal(new Set(moments).size, 1)
  assert.ok((moments[0] ?? 0) >= start && (moments[0] ?? 0) <= start + HOUR)
  assert.deepEqual([early, ca.orders.length], [1, 2])
})

test('a certificate that no route names is deleted after its end', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const { acme } = startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })
  await time.run(MINUTE, () => certified(registry).length === 1)

  acme.take(routesOf([], ['a.vote.net']))
  const endsAt = acme.report().names[0]?.endsAt ?? 0
  await time.run(endsAt - time.date())
  const atItsEnd = certified(registry)
  await time.run(DAY, () => certified(registry).length === 0)

  assert.deepEqual([atItsEnd, certified(registry), ca.orders], [['a.vote.net'], [], ['a.vote.net']])
})
