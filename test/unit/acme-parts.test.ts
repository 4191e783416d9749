// Parts of certificates by ACME that decide by themselves: sealing, back-off, the time of a renewal, hooks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runHook } from '../../src/acme/dns/hook.ts'
import { nextFailure } from '../../src/acme/orders/back-off.ts'
import { planWindow, renewalMoment } from '../../src/acme/orders/renewal.ts'
import { createSealing } from '../../src/acme/storage/sealing.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const [ONE, TWO] = ['01'.repeat(32), '02'.repeat(32)]

test('sealed records open with their key and in their place only', () => {
  const sealed = createSealing([ONE]).seal('certificates/a', 'secret')

  assert.ok(!sealed.includes('secret'))
  assert.deepEqual(createSealing([TWO, ONE]).open('certificates/a', sealed), {
    ok: true,
    value: 'secret',
  })
  for (const [keys, path] of [
    [[TWO], 'certificates/a'],
    [[ONE], 'certificates/b'],
  ] as const) {
    const opened = createSealing(keys).open(path, sealed)
    assert.match(opened.ok ? '' : opened.reason, /another key than acme\.seal, or is damaged/)
  }
  const without = createSealing([]).open('certificates/a', sealed)
  assert.match(without.ok ? '' : without.reason, /set acme\.seal/)
  assert.deepEqual(createSealing([ONE]).open('x', '{"a":1}'), { ok: true, value: '{"a":1}' })
})

test('waits longer after each refusal, and as long as the issuer asks', () => {
  const refusal = { type: 'unauthorized', detail: 'no', retryAfterMs: null }
  const waits: number[] = []
  let failure = nextFailure(undefined, refusal, 0, 0)
  for (let turn = 0; turn < 5; turn++) {
    waits.push((failure.retryAt - failure.at) / MINUTE)
    failure = nextFailure(failure, refusal, failure.retryAt, 0)
  }
  const lost = nextFailure(undefined, { ...refusal, type: 'unreachable' }, 0, 0)
  const asked = nextFailure(undefined, { ...refusal, retryAfterMs: 3 * DAY }, 0, 0)

  assert.deepEqual(waits, [1, 10, 100, 1440, 1440])
  assert.deepEqual([lost.retryAt, asked.retryAt], [MINUTE, 3 * DAY])
})

test('renews at two thirds, at half of a short lifetime, in the window, and never in the last twentieth', () => {
  const lifetime = (days: number): Parameters<typeof renewalMoment>[0] => ({
    ...{ beginsAt: 0, endsAt: days * DAY, serial: '0a', issuer: '' },
  })
  const window = { start: 0, end: 1, moment: 5 * DAY, explanation: null, lookAt: 0 }
  const within = (at: number, from: number, to: number): void =>
    assert.ok(at >= from * DAY && at <= to * DAY, `${at / DAY}`)

  within(renewalMoment(lifetime(90), null, null, 0), 55, 60)
  within(renewalMoment(lifetime(6), null, null, 0), 2.6, 3)
  within(renewalMoment(lifetime(90), null, 0.5, 0), 40, 45)
  assert.equal(renewalMoment(lifetime(90), window, null, 0), 5 * DAY)
  assert.equal(renewalMoment(lifetime(4), window, null, 0), 3.8 * DAY)
  // A window in the past: not in the first hundredth, at most a day, from the issue on.
  assert.equal(renewalMoment(lifetime(200), { ...window, moment: 0 }, null, DAY), 2 * DAY)
  assert.equal(renewalMoment(lifetime(10), { ...window, moment: 0 }, null, 0), DAY / 10)
})

test('keeps its moment while the window stays, and takes no window that ends before it begins', () => {
  const said = { start: 100, end: 200, explanationUrl: null }
  const first = planWindow(said, null, 1, 0.25)
  const again = planWindow(said, first, 2, 0.75)
  const moved = planWindow({ ...said, start: 0, end: 100 }, again, 3, 0.75)

  assert.deepEqual([first?.moment, again?.moment, again?.lookAt, moved?.moment], [125, 125, 2, 75])
  assert.equal(planWindow({ ...said, end: 100 }, null, 1, 0), null)
})

test('a hook that fails or is not there says so', async () => {
  await assert.rejects(
    runHook(['/bin/sh', '-c', 'echo no >&2; exit 3'], ['cleanup', 'n', 'v'], 5_000),
    { message: 'the hook "/bin/sh" failed (cleanup): it ended with 3: no' },
  )
  await assert.rejects(runHook(['/nothing/here'], ['present', 'n', 'v'], 5_000), {
    message: 'the hook "/nothing/here" failed (present): there is no such program',
  })
  await runHook(
    ['/bin/sh', '-c', 'test "$1 $2 $3 $ACME_NAME" = "present n v n"', 'x'],
    ['present', 'n', 'v'],
    5_000,
  )
})
