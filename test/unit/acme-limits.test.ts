// Limits of an issuer: those of one name hold up that name, those of the account all names. And windows that never end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AcmeError } from '../../src/acme/protocol/acme-error.ts'
import { concernsAll } from '../../src/acme/orders/issuer-pause.ts'
import {
  certified,
  createCa,
  createRegistry,
  createTime,
  startInstance,
} from '../support/acme-world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NAMES = Array.from({ length: 30 }, (_, at) => `n${at}.vote.net`)

function limit(detail: string, retryAfterMs: number | null = null): AcmeError {
  return new AcmeError(`cannot order: the CA says: ${detail}`, {
    ...{ type: 'rateLimited', detail, status: 429, retryAfterMs },
  })
}

const OF_ACCOUNT = 'too many new orders (300) from this account in the last 3h0m0s, retry later'

test('a limit of the account pauses the issuer for every name, in all instances and after a restart', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  let tries = 0
  ca.refusal = () => {
    tries++
    return limit(OF_ACCOUNT, 30 * MINUTE)
  }
  const start = (): ReturnType<typeof startInstance> =>
    startInstance({ time, registry, cas: [ca], names: NAMES })
  const [first, second] = [start(), start()]

  await time.run(MINUTE)
  const atFirst = tries
  const problems = first.acme.problems().map(({ message }) => message)
  await Promise.all([first.acme.stop(), second.acme.stop()])
  const third = start()
  await time.run(20 * MINUTE)
  const paused = tries
  ca.refusal = () => null
  await time.run(HOUR, () => certified(registry).length === NAMES.length)

  // Those that were under way when the first refusal came.
  assert.ok(atFirst <= 20, `${atFirst}`)
  assert.equal(paused, atFirst)
  assert.equal(problems.length, 1)
  assert.match(
    problems.join(),
    /^nothing is ordered from ca\.example, which limits all orders: .*too many new orders .*; it is tried again at 2026-11-30 12:[34]\d UTC$/,
  )
  // No name has counted it as its own failure.
  assert.equal(certified(registry).length, NAMES.length)
  assert.deepEqual(third.acme.problems(), [])
  assert.deepEqual(
    [...registry.texts.keys()].filter((path) => path.startsWith('failures/')),
    [],
  )
})

test('while one issuer is paused the next one issues', async () => {
  const time = createTime()
  const registry = createRegistry()
  const [first, second] = [createCa(time), createCa(time, 'https://other.example/dir')]
  first.refusal = () => limit(OF_ACCOUNT, HOUR)

  startInstance({ time, registry, cas: [first, second], names: NAMES.slice(0, 4) })
  await time.run(MINUTE, () => certified(registry).length === 4)

  assert.deepEqual([first.orders.length, second.orders.length], [0, 4])
})

test('a limit of one name holds up no other', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const [limited = '', ...others] = NAMES.slice(0, 5)
  ca.refusal = (name) =>
    name === limited ? limit(`too many failed authorizations (5) for "${name}"`, HOUR) : null

  startInstance({ time, registry, cas: [ca], names: [limited, ...others] })
  await time.run(5 * MINUTE, () => certified(registry).length === 4)

  assert.deepEqual(certified(registry), others.sort())
})

const REFUSALS: readonly (readonly [detail: string, concernsAll: boolean])[] = [
  [OF_ACCOUNT, true],
  ['too many new registrations (10) from this IP address in the last 3h0m0s', true],
  ['Service busy; retry later.', true],
  ['too many certificates (50) already issued for "vote.net" in the last 168h0m0s', false],
  ['too many certificates (5) already issued for this exact set of identifiers', false],
  ['too many failed authorizations (5) for "a.vote.net" in the last 1h0m0s', false],
]

for (const [detail, expected] of REFUSALS) {
  test(`${expected ? 'all names wait' : 'the name waits alone'}: ${detail}`, () => {
    assert.equal(concernsAll(limit(detail), 'a.vote.net'), expected)
    assert.equal(concernsAll(limit(detail), '*.a.vote.net'), expected)
  })
}

test('a server that is away for a time that it names is a limit of all, and any other refusal of the name alone', () => {
  const away = { type: 'serverInternal', detail: 'down for maintenance', status: 503 }

  assert.equal(concernsAll(new AcmeError('', { ...away, retryAfterMs: 1 }), 'a.net'), true)
  assert.equal(concernsAll(new AcmeError('', away), 'a.net'), false)
  const identifier = 'a.net'
  const subproblems = [{ type: 'rateLimited', detail: 'too many', identifier }]
  const compound = { type: 'rateLimited', detail: 'some', subproblems }
  assert.equal(concernsAll(new AcmeError('', compound), 'a.net'), false)
  assert.equal(concernsAll(new AcmeError('', { ...away, type: 'caa' }), 'a.net'), false)
})

test('windows that are always in the past bring no orders without end', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const start = time.date() - DAY
  ca.window = { start, end: start + HOUR, explanationUrl: null, retryAfterMs: 6 * HOUR }
  startInstance({ time, registry, cas: [ca], names: ['a.vote.net'] })

  for (let hour = 0; hour < 7; hour++) await time.run(HOUR)

  // Certificates of eight days: one order in a hundredth of that.
  assert.equal(ca.orders.length, 4)
})

test('another address in the settings is reported to the issuer once, and keeps no order back if it is refused', async () => {
  const time = createTime()
  const registry = createRegistry()
  const ca = createCa(time)
  const startWith = (email: string | null, ...names: string[]): ReturnType<typeof startInstance> =>
    startInstance({ time, registry, cas: [ca], names, settings: email === null ? {} : { email } })
  const untilIssued = (count: number): Promise<boolean> =>
    time.run(MINUTE, () => certified(registry).length === count)
  const names = NAMES.slice(0, 5)

  const runs = [['a@vote.net'], ['a@vote.net'], ['b@vote.net'], [null]] as const
  for (const [at, [email]] of runs.entries()) {
    const { acme, log } = startWith(email, ...names.slice(0, at + 1))
    assert.ok(await untilIssued(at + 1))
    await acme.stop()
    assert.deepEqual(
      log.filter((line) => line.startsWith('warn')),
      [],
    )
  }
  const detail = 'c@vote.net is no address'
  ca.emailRefusal = new AcmeError(`cannot change it: ${detail}`, { type: 'invalidContact', detail })
  const last = startWith('c@vote.net', ...names)
  assert.ok(await untilIssued(5))

  assert.deepEqual(ca.emails, ['a@vote.net', 'b@vote.net', null])
  assert.equal(ca.accounts.size, 1)
  assert.match(last.log.join(), /warn cannot change it: c@vote\.net is no address/)
})
