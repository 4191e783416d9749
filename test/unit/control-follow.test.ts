import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { followProvider } from '../../src/control/follow.ts'
import type { Follower, SourceState } from '../../src/control/follow.ts'
import type { Declaration, Provider, Unreadable } from '../../src/providers/provider.ts'
import { declare } from '../support/declared.ts'
import { eventually } from '../support/until.ts'

type Step = Declaration | Unreadable | Error

const unreadable: Unreadable = {
  readable: false,
  changedAt: 0,
  problems: [{ kind: 'file', id: '', message: 'is empty', source: 'fake', key: 'x' }],
}

/** Plays one list of steps for each time it is watched; the last one stays open. */
function createFake(...plays: readonly (readonly Step[])[]): Provider {
  let watched = 0
  return {
    name: 'fake',
    reload() {},
    async *watch(signal) {
      for (const step of plays[watched++] ?? []) {
        if (step instanceof Error) throw step
        yield step
      }
      if (watched < plays.length) return
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  }
}

interface Followed {
  readonly follower: Follower
  /** The state at each event, and the waits between them. */
  readonly events: (SourceState | number)[]
}

function follow(t: TestContext, provider: Provider, random = 0): Followed {
  const stopping = new AbortController()
  const events: (SourceState | number)[] = []
  const note = (): void => void events.push(follower.status().state)
  const follower: Follower = followProvider(provider, {
    signal: stopping.signal,
    now: () => 0,
    random: () => random,
    async sleep(ms) {
      events.push(ms)
      await new Promise(setImmediate)
    },
    onDeclaration: note,
    onUnreadable: note,
    onLost: note,
  })
  t.after(async () => {
    stopping.abort()
    await follower.done
  })
  return { follower, events }
}

test('is live with the first declaration and takes its revision', async (t) => {
  const { follower, events } = follow(t, createFake([declare({}, 'r7')]))
  const before = follower.status().state

  await eventually(() => events.length === 1, 'a declaration')

  assert.equal(before, 'connecting')
  assert.equal(follower.status().state, 'live')
  assert.equal(follower.status().revision, 'r7')
})

test('comes back after a loss, and says stale and syncing meanwhile', async (t) => {
  const provider = createFake([declare({}, 'r1'), new Error('cut')], [declare({}, 'r2')])
  const { follower, events } = follow(t, provider)

  await eventually(() => follower.status().revision === 'r2', 'the second revision')

  assert.deepEqual(events, ['live', 'stale', 100, 'live'])
  assert.equal(follower.status().error, null)
})

test('has failed when it is lost before anything was read', async (t) => {
  const { follower, events } = follow(t, createFake([new Error('refused')], []))

  await eventually(() => events.length === 2, 'a wait')

  assert.deepEqual(events, ['failed', 100])
  assert.equal(follower.status().error, 'refused')
})

test('is stale while its source cannot be read', async (t) => {
  const { follower, events } = follow(t, createFake([declare({}, 'r1'), unreadable]))

  await eventually(() => events.length === 2, 'two events')

  assert.deepEqual(events, ['live', 'stale'])
  assert.equal(follower.status().error, 'is empty')
  assert.equal(follower.status().revision, 'r1')
})

test('takes a provider that ends by itself for lost', async (t) => {
  const { events } = follow(t, createFake([declare({})], [declare({})]))

  await eventually(() => events.length === 4, 'four events')

  assert.deepEqual(events, ['live', 'stale', 100, 'live'])
})

test('waits longer with each loss in a row, up to five seconds, and anew after a success', async (t) => {
  const lost = new Error('lost')
  const { events } = follow(
    t,
    createFake(...Array.from({ length: 8 }, () => [lost]), [declare({}), lost], []),
    1,
  )

  await eventually(() => events.filter(Number.isInteger).length === 9, 'nine waits')

  assert.deepEqual(
    events.filter(Number.isInteger),
    [200, 400, 800, 1600, 3200, 5000, 5000, 5000, 200],
  )
})
