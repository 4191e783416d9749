import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Listed } from '../../src/providers/listing/object-mirror.ts'
import { watchListing } from '../../src/providers/listing/watch-listing.ts'
import type { Declaration, DeclaredObject } from '../../src/providers/provider.ts'

interface Stage {
  /** What the next lists return. */
  objects: readonly DeclaredObject[]
  failure: Error | null
  lists: number
  /** Called in the middle of a list. */
  onList: (() => void) | null
  hint(): void
  end(error: Error): void
  readonly reloads: Set<() => void>
  readonly stopping: AbortController
  readonly readings: AsyncGenerator<Declaration, void, undefined>
  next(): Promise<Declaration>
}

function stage(t: TestContext, reconcileMs = 1_000_000): Stage {
  const stopping = new AbortController()
  const reloads = new Set<() => void>()
  let hint = (): void => undefined
  let end = (_: Error): void => undefined
  const self: Stage = {
    objects: [frontend('a')],
    failure: null,
    lists: 0,
    onList: null,
    hint: () => hint(),
    end: (error) => end(error),
    reloads,
    stopping,
    readings: watchListing(
      {
        subscribe: (onHint, onEnd) => {
          hint = onHint
          end = onEnd
          return Promise.resolve()
        },
        async list(): Promise<Listed> {
          self.lists += 1
          const { objects, failure } = self
          self.onList?.()
          await new Promise(setImmediate)
          if (failure !== null) throw failure
          return { objects, problems: [] }
        },
      },
      { signal: stopping.signal, reloads, reconcileMs, quietMs: 1 },
    ),
    async next() {
      const { value } = await self.readings.next()
      assert.ok(value !== undefined)
      return value
    },
  }
  t.after(async () => {
    stopping.abort()
    await self.readings.return()
  })
  return self
}

function frontend(id: string, route = id): DeclaredObject {
  return { kind: 'frontend', id, key: `key of ${id}`, value: { route } }
}

test('the first list is declared as one', async (t) => {
  const { next } = stage(t)

  const first = await next()

  assert.equal(first.listed, 'first')
  assert.equal(first.changes, null)
  assert.deepEqual([...first.objects], [frontend('a')])
})

test('a hint lists again, and the difference is declared as changes', async (t) => {
  const source = stage(t)
  const first = await source.next()
  source.objects = [frontend('b')]

  const second = source.next()
  source.hint()

  const { changes, listed, objects, revision } = await second
  assert.equal(listed, null)
  assert.deepEqual(changes, {
    upserts: [frontend('b')],
    deletes: [{ kind: 'frontend', id: 'a' }],
  })
  assert.deepEqual([...objects], [frontend('b')])
  assert.notEqual(revision, first.revision)
})

test('a hint without a difference is not declared', async (t) => {
  const source = stage(t)
  await source.next()
  source.hint()
  const next = source.next()
  while (source.lists < 2) await new Promise(setImmediate)

  source.objects = [frontend('a', 'other')]
  source.hint()

  assert.deepEqual((await next).changes?.upserts, [frontend('a', 'other')])
})

test('a hint during a list leads to another one', async (t) => {
  const source = stage(t)
  source.onList = () => {
    source.onList = null
    source.objects = [frontend('late')]
    source.hint()
  }

  const first = await source.next()
  const second = await source.next()

  assert.deepEqual([...first.objects], [frontend('a')])
  assert.deepEqual([...second.objects], [frontend('late')])
})

test('many hints lead to few lists', async (t) => {
  const source = stage(t)
  await source.next()
  source.objects = [frontend('b')]

  for (let count = 0; count < 1000; count++) source.hint()
  await source.next()

  assert.equal(source.lists, 2)
})

test('a reload is declared as asked for, even without a difference', async (t) => {
  const source = stage(t)
  await source.next()

  const next = source.next()
  for (const reload of source.reloads) reload()

  assert.equal((await next).listed, 'asked')
})

test('a periodic list is declared as one', async (t) => {
  const source = stage(t, 5)
  await source.next()

  assert.equal((await source.next()).listed, 'reconcile')
})

test('the end of events and a failing list are losses', async (t) => {
  const [ended, failing] = [stage(t), stage(t)]
  await ended.next()
  await failing.next()

  const ends = assert.rejects(ended.next(), /cut off/)
  ended.end(new Error('cut off'))
  failing.failure = new Error('refused')
  const fails = assert.rejects(failing.next(), /refused/)
  failing.hint()

  await Promise.all([ends, fails])
  assert.equal(ended.reloads.size, 0)
})

test('the end of events ends a list that hangs', async (t) => {
  const failure = new Error('the link is silent')
  let end = (_: Error): void => undefined
  const source = {
    subscribe: (_onHint: () => void, onEnd: (error: Error) => void): Promise<void> => {
      end = onEnd
      return Promise.resolve()
    },
    list: (signal: AbortSignal): Promise<Listed> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')))
      }),
  }
  const { signal } = new AbortController()
  const readings = watchListing(source, { signal, reloads: new Set(), reconcileMs: 1_000_000 })

  const lost = assert.rejects(readings.next(), failure)
  await new Promise(setImmediate)
  end(failure)

  await lost
  t.after(() => readings.return())
})

test('the signal ends it while it waits', async (t) => {
  const source = stage(t)
  await source.next()

  const waiting = source.readings.next()
  source.stopping.abort()

  assert.equal((await waiting).done, true)
})
