import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { followProvider } from '../../src/control/sources/follow.ts'
import type { Follower } from '../../src/control/sources/follow.ts'
import type { SourceState } from '../../src/observe/reports/source-report.ts'
import { SourceRefused } from '../../src/providers/provider.ts'
import type { Changes, Declaration, Provider, Unreadable } from '../../src/providers/provider.ts'
import { eventually } from '../support/until.ts'

/** A number lets that many ms pass. */
type Step = Declaration | Unreadable | Error | number

const unreadable: Unreadable = {
  readable: false,
  changedAt: 0,
  problems: [{ kind: 'file', id: '', message: 'is empty', source: 'fake', key: 'x' }],
}

function list(revision = 'r1', listed = 'first'): Declaration {
  return {
    readable: true,
    revision,
    objects: [],
    changes: null,
    listed,
    problems: [],
    changedAt: 0,
  }
}

function events(changes: Changes, revision = 'r2'): Declaration {
  return { ...list(revision), changes, listed: null }
}

interface Followed {
  readonly follower: Follower
  /** The state at each event, and the waits between them. */
  readonly seen: (SourceState | number)[]
  /** The state at each watch's beginning. */
  readonly watched: SourceState[]
  waits(): number[]
}

/** Plays one list of steps for each time it is watched; the last one stays open. */
function follow(t: TestContext, plays: readonly (readonly Step[])[], random = 0): Followed {
  const stopping = new AbortController()
  const seen: (SourceState | number)[] = []
  const watched: SourceState[] = []
  let time = 0
  const provider: Provider = {
    name: 'fake',
    reload() {},
    async *watch(signal) {
      await new Promise(setImmediate)
      const play = plays[watched.length] ?? []
      watched.push(follower.status().state)
      for (const step of play) {
        if (step instanceof Error) throw step
        if (typeof step === 'number') time += step
        else yield step
      }
      if (watched.length < plays.length || signal.aborted) return
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  }
  const note = (): void => void seen.push(follower.status().state)
  const follower: Follower = followProvider(provider, {
    signal: stopping.signal,
    now: () => time,
    date: () => time,
    random: () => random,
    async sleep(ms) {
      seen.push(ms)
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
  return { follower, seen, watched, waits: () => seen.filter((one) => typeof one === 'number') }
}

test('is live with the first declaration and takes its revision', async (t) => {
  const { follower, seen } = follow(t, [[list('r7')]])
  const before = follower.status().state

  await eventually(() => seen.length === 1, 'a declaration')

  assert.equal(before, 'connecting')
  assert.equal(follower.status().state, 'live')
  assert.equal(follower.status().revision, 'r7')
})

test('comes back after a loss, and says stale and syncing meanwhile', async (t) => {
  const { follower, seen, watched } = follow(t, [[list('r1'), new Error('cut')], [list('r2')]])

  await eventually(() => follower.status().revision === 'r2', 'the second revision')

  assert.deepEqual(seen, ['live', 'stale', 100, 'live'])
  assert.deepEqual(watched, ['connecting', 'syncing'])
  assert.equal(follower.status().error, null)
})

test('is connecting, with the reason, as long as nothing could be read', async (t) => {
  const { follower, seen, watched } = follow(t, [[new Error('refused')], []])

  await eventually(() => watched.length === 2, 'the second watch')

  assert.deepEqual(seen, ['connecting', 100])
  assert.deepEqual(watched, ['connecting', 'connecting'])
  assert.equal(follower.status().error, 'refused')
})

test('has failed when it is not let in, until it is, and tries again seldom', async (t) => {
  const refused = new SourceRefused('wrong password')
  const { follower, seen, watched } = follow(t, [[refused], [list('r1'), refused], [list('r2')]])

  await eventually(() => follower.status().revision === 'r2', 'the second revision')

  assert.deepEqual(seen, ['failed', 2500, 'live', 'failed', 2500, 'live'])
  assert.deepEqual(watched, ['connecting', 'failed', 'failed'])
  assert.equal(follower.status().error, null)
})

test('is stale while its source cannot be read', async (t) => {
  const { follower, seen } = follow(t, [[list('r1'), unreadable]])

  await eventually(() => seen.length === 2, 'two events')

  assert.deepEqual(seen, ['live', 'stale'])
  assert.equal(follower.status().error, 'is empty')
  assert.equal(follower.status().revision, 'r1')
})

test('takes a provider that ends by itself for lost', async (t) => {
  const { seen } = follow(t, [[list()], [list()]])

  await eventually(() => seen.length === 4, 'four events')

  assert.deepEqual(seen, ['live', 'stale', 100, 'live'])
})

test('waits longer with each loss in a row, up to five seconds', async (t) => {
  const lost = new Error('lost')
  const { waits } = follow(t, [...Array.from({ length: 8 }, () => [lost]), []], 1)

  await eventually(() => waits().length === 8, 'eight waits')

  assert.deepEqual(waits(), [200, 400, 800, 1600, 3200, 5000, 5000, 5000])
})

test('waits longer also for a source that answers once and dies at once', async (t) => {
  const dying = [list(), 4999, new Error('lost')]
  const { waits } = follow(t, [dying, dying, dying, []], 1)

  await eventually(() => waits().length === 3, 'three waits')

  assert.deepEqual(waits(), [200, 400, 800])
})

test('begins with the shortest wait again once a watch was good for five seconds', async (t) => {
  const lost = new Error('lost')
  const { waits } = follow(t, [[lost], [lost], [list(), 5000, lost], [lost], []], 1)

  await eventually(() => waits().length === 4, 'four waits')

  assert.deepEqual(waits(), [200, 400, 200, 400])
})

test('counts losses, events and lists by their reasons, with the times of the last', async (t) => {
  const object = { kind: 'backend', id: 'b', value: {}, key: 'b' } as const
  const two = events({ upserts: [object], deletes: [{ kind: 'frontend', id: 'f' }] }, 'r3')
  const { follower, seen } = follow(t, [
    [new Error('away')],
    [7, list('r1'), 3, list('r2', 'reconcile'), 2, two, new Error('cut')],
    [4, list('r4')],
  ])

  await eventually(() => seen.length === 8, 'all events')

  const { losses, events: counted, resyncs, lastSyncAt, lastEventAt, revision } = follower.status()
  assert.equal(losses, 2)
  assert.equal(counted, 2)
  assert.deepEqual(resyncs, { first: 2, reconcile: 1 })
  assert.equal(lastSyncAt, 16)
  assert.equal(lastEventAt, 12)
  assert.equal(revision, 'r4')
})

test('keeps a bounded number of reasons', async (t) => {
  const lists = Array.from({ length: 100 }, (_, at) => list('r', `reason ${at}`))
  const { follower, seen } = follow(t, [lists])

  await eventually(() => seen.length === 100, 'all lists')

  assert.equal(Object.keys(follower.status().resyncs).length, 16)
  assert.equal(follower.status().resyncs['other'], 85)
})
