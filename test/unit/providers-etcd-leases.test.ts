import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createLeaseClock } from '../../src/providers/etcd/lease-clock.ts'
import type { LeaseAnswer } from '../../src/providers/etcd/lease-clock.ts'
import { createLeases } from '../../src/providers/etcd/leases.ts'
import type { LeaseWorld, Leases } from '../../src/providers/etcd/leases.ts'
import type { ListedKey } from '../../src/providers/etcd/list.ts'
import { createChance } from '../fuzz/random.ts'
import type { Chance } from '../fuzz/random.ts'
import { eventually } from '../support/until.ts'

interface Life {
  /** How late its end was noticed, ms; below 0: a key was dropped whose lease had not ended. */
  readonly lateMs: number
  readonly questions: number
  readonly seconds: number
}

/** A lease whose owner renews it, at any time before its end, until it dies; asked over a link that is slow at times. */
function live(
  chance: Chance,
  ttlSeconds: number,
  renewals: number,
  slowOnceIn: number,
  fromMs = 0,
): Life {
  const ttlMs = ttlSeconds * 1000
  const renewedAt: number[] = []
  for (let i = 0; i < renewals; i++) {
    const at = (renewedAt.at(-1) ?? 0) + 1 + chance.below(ttlMs - 2)
    renewedAt.push(at)
  }
  const endAt = (at: number): number => (renewedAt.findLast((one) => one <= at) ?? 0) + ttlMs
  const endsAt = (renewedAt.at(-1) ?? 0) + ttlMs
  const removedAt = endsAt + chance.below(500)
  const clock = createLeaseClock()
  let now = fromMs
  for (let questions = 1; ; questions++) {
    const askedAt = now
    const lookedAt = askedAt + (chance.once(slowOnceIn) ? chance.below(800) : chance.below(3))
    const answeredAt = lookedAt + (chance.once(slowOnceIn) ? chance.below(800) : chance.below(3))
    const left = lookedAt >= removedAt ? -1 : Math.trunc((endAt(lookedAt) - lookedAt) / 1000)
    const answer = { leftSeconds: left, grantedSeconds: ttlSeconds, askedAt, answeredAt }
    const next = clock.take(answer, 40)
    if (next === 'gone') {
      return { lateMs: answeredAt - endsAt, questions, seconds: answeredAt / 1000 }
    }
    now = answeredAt + next
  }
}

test('a lease that is renewed is never taken for ended, however slow the link is', () => {
  for (let seed = 0; seed < 3_000; seed++) {
    const chance = createChance(seed)
    const ttl = chance.pick([2, 3, 5, 10, 30])

    const { lateMs } = live(
      chance,
      ttl,
      chance.below(12),
      1 + chance.below(6),
      chance.below(ttl * 1000),
    )

    assert.ok(lateMs >= 0, `seed ${seed}: ${-lateMs} ms before its end, TTL ${ttl} s`)
  }
})

test('the end of a lease is noticed within 60 ms, when it was known before its last second', () => {
  for (let seed = 0; seed < 3_000; seed++) {
    const chance = createChance(seed)
    const ttl = chance.pick([2, 3, 5, 10, 30])

    const { lateMs } = live(chance, ttl, chance.below(7), Infinity)

    assert.ok(lateMs <= 60, `seed ${seed}: ${lateMs} ms late, TTL ${ttl} s`)
  }
})

test('a lease that is far from its end is asked for less than once a second', () => {
  const chance = createChance(1)
  const renewing = createLeaseClock()
  let questions = 0

  for (let now = 0; now < 60_000; questions++) {
    // Renewed every 3 s: from 7 to 10 s are left.
    const leftSeconds = 7 + chance.below(3)
    const answer = { leftSeconds, grantedSeconds: 10, askedAt: now, answeredAt: now + 1 }
    const next = renewing.take(answer, 40)
    assert.notEqual(next, 'gone')
    now += 1 + Number(next)
  }

  assert.ok(questions <= 11, `${questions} questions in a minute`)
})

interface World extends LeaseWorld {
  readonly gone: string[]
  readonly doubts: Error[]
}

function createWorld(answer: (lease: string) => Partial<LeaseAnswer>): World {
  const [gone, doubts]: [string[], Error[]] = [[], []]
  return {
    gone,
    doubts,
    ask: (lease) =>
      Promise.resolve({
        leftSeconds: -1,
        grantedSeconds: 5,
        askedAt: performance.now(),
        answeredAt: performance.now(),
        ...answer(lease),
      }),
    confirm: () => Promise.resolve(),
    onGone: (paths) => void gone.push(...paths),
    onDoubt: (error) => void doubts.push(error),
  }
}

function openLeases(t: TestContext, world: LeaseWorld): Leases {
  const leases = createLeases(world)
  t.after(leases.close)
  return leases
}

test('all keys of a lease that has ended are gone, and none that has another by now', async (t) => {
  const world = createWorld((lease) => ({ leftSeconds: lease === 'old' ? -1 : 4 }))
  const leases = openLeases(t, world)
  for (const path of ['a', 'b', 'moved', 'kept', 'deleted']) leases.note(path, 'old')
  leases.note('moved', 'new')
  leases.note('kept', null)
  leases.note('deleted', null)

  await eventually(() => world.gone.length > 0, 'the end of the lease')

  assert.deepEqual(world.gone, ['a', 'b'])
  assert.equal(leases.isGone('old'), true)
  assert.equal(leases.isGone('new'), false)
  leases.note('a', null)
  leases.note('b', null)
  assert.equal(leases.isGone('old'), false)
})

test('a lease is left to etcd when it is too short, or cannot be asked for, or has lost its keys', async (t) => {
  const asked: string[] = []
  const world = createWorld(() => ({ leftSeconds: 0, grantedSeconds: 1 }))
  const ask: LeaseWorld['ask'] = (lease) => {
    asked.push(lease)
    return lease === 'refused' ? Promise.reject(new Error('permission denied')) : world.ask(lease)
  }
  const leases = openLeases(t, { ...world, ask })
  const key = (path: string): ListedKey => ({
    entry: { path, key: path, text: '' },
    lease: 'listed',
  })
  leases.replace([key('listed'), key('dropped')])
  leases.replace([])
  leases.note('short', 'short')
  leases.note('refused', 'refused')

  await eventually(() => asked.length === 2, 'both questions')
  await eventually(() => leases.isGone('short') === false, 'the answers')

  assert.deepEqual(asked.toSorted(), ['refused', 'short'])
  assert.deepEqual(world.gone, [])
})

test('a key is not dropped unless the other members agree', async (t) => {
  let confirmations = 0
  const world = createWorld(() => ({}))
  const confirm = (): Promise<never> => {
    confirmations++
    return Promise.reject(new Error('no leader'))
  }
  const leases = openLeases(t, { ...world, confirm })

  leases.note('a', 'ended')
  await eventually(() => confirmations === 1, 'the question')

  assert.equal(leases.isGone('ended'), false)
  assert.deepEqual(world.gone, [])
})
