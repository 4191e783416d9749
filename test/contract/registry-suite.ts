/**
 * What control relies on from every registry: its provider sees everything that is written, whole, and its KeyStore
 * writes it. `testRegistry` is for each of them, `testRegistryLink` for those that are reached over a network. How keys end
 * by themselves is in registry-expiry-suite.ts: `testRegistryExpiry` where they have a time to live, `testRegistrySessions`
 * where they belong to a session of their writer.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import type { Provider } from '../../src/providers/provider.ts'
import { type KeyStore, StoreConflict } from '../../src/providers/store.ts'
import { type Objects, watchRegistry, within } from './registry-watch.ts'

export interface RegistryUnderTest {
  /** In the native layout, below a root that nothing else in this test's registry has. */
  readonly provider: Provider
  /** At the same root. */
  readonly keys: KeyStore
  /** Writes past all code of ours what follows the root's own text: `/frontends/a/frontend`; `2/x` is beside the root. */
  put(suffix: string, value: string | Buffer): Promise<void>
}

/** Each test has an empty root. `reconcileMs` when the provider shall list again so often, otherwise its usual time. */
export type OpenRegistry<R extends RegistryUnderTest = RegistryUnderTest> = (
  t: TestContext,
  reconcileMs?: number,
) => Promise<R>

export const frontend = (route: string): string => JSON.stringify({ route, backend: 'b' })
export const pathOf = (id: string): string => `frontends/${id}/frontend`

export async function putFrontends(keys: KeyStore, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => keys.put(pathOf(id), frontend(`Host("${id}")`), {})))
}

export function frontendsOf(objects: Objects): readonly string[] {
  return [...objects.values()].filter(({ kind }) => kind === 'frontend').map(({ id }) => id)
}

export function numbered(count: number, prefix = 'f'): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

/** Values that no writer of ours would write. Those that are no JSON at all must come with a fault. */
const badTexts: Readonly<Record<string, { readonly text: string; readonly isFault: boolean }>> = {
  'an empty text': { text: '', isFault: true },
  'half a JSON text': { text: '{"route": "Host(', isFault: true },
  'a control character': { text: '{"route":"a\u0000\nb","backend":"b"}', isFault: true },
  'JSON of 100,000 levels': { text: '['.repeat(100_000) + ']'.repeat(100_000), isFault: true },
  'a text of 2 MiB': { text: frontend('x'.repeat(2 << 20)), isFault: true },
  null: { text: 'null', isFault: false },
  'an array': { text: '[]', isFault: false },
  'a number': { text: '1e999', isFault: false },
  'a __proto__ member': { text: '{"__proto__":{"polluted":true},"route":"a"}', isFault: false },
}

export function testRegistry(name: string, open: OpenRegistry): void {
  test(`${name} yields the whole at once`, async (t) => {
    const { provider, keys } = await open(t)
    await putFrontends(keys, ['one', 'two'])
    await keys.put('backends/b/servers/s', '"http://127.0.0.1:5001"', {})

    const watch = watchRegistry(t, provider)
    const first = await watch.next()

    const server = watch.objects().get('server b/s')
    assert.deepEqual(frontendsOf(watch.objects()).toSorted(), ['one', 'two'])
    assert.equal(server?.value, 'http://127.0.0.1:5001')
    assert.ok(server.key.endsWith('backends/b/servers/s'), server.key)
    assert.notEqual(first.listed, null)
    assert.notEqual(first.revision, '')
    assert.ok(Math.abs(performance.now() - first.changedAt) < 60_000)
  })

  test(`${name} yields an empty list where there is nothing`, async (t) => {
    const { provider } = await open(t)
    const watch = watchRegistry(t, provider)

    const first = await watch.next()

    assert.notEqual(first.listed, null)
    assert.equal(watch.objects().size, 0)
  })

  test(`${name} yields a put and a delete as what has changed`, async (t) => {
    const { provider, keys } = await open(t)
    await putFrontends(keys, ['one'])
    const watch = watchRegistry(t, provider)
    const { revision } = await watch.next()

    await keys.put(pathOf('two'), frontend('Host("two")'), {})
    const added = await watch.next()
    await keys.put(pathOf('two'), frontend('Host("2")'), {})
    const changed = await watch.next()
    await keys.delete(pathOf('one'), {})
    const removed = await watch.next()

    assert.deepEqual(
      added.changes?.upserts.map(({ kind, id }) => `${kind} ${id}`),
      ['frontend two'],
    )
    assert.deepEqual(added.changes?.deletes, [])
    assert.deepEqual(changed.changes?.upserts[0]?.value, { route: 'Host("2")', backend: 'b' })
    assert.deepEqual(
      removed.changes?.deletes.map(({ kind, id }) => `${kind} ${id}`),
      ['frontend one'],
    )
    assert.deepEqual(frontendsOf(watch.objects()), ['two'])
    assert.notEqual(added.revision, revision)
    assert.notEqual(removed.revision, changed.revision)
  })

  test(`${name} is held up to 64 MiB: what is beyond is a fault, until something is removed`, async (t) => {
    const { provider, keys } = await open(t)
    // Dense text weighs sixteen times its length: a megabyte each, of which a sixteenth is on the wire.
    const long = frontend(','.repeat(62_500))
    for (const id of numbered(68)) await keys.put(pathOf(id), long, {})
    const watch = watchRegistry(t, provider)
    await watch.next()
    const faults = (): readonly string[] =>
      [...watch.objects().values()].flatMap(({ fault }) => (fault === undefined ? [] : [fault]))

    const first = faults()
    await keys.put(pathOf('late'), long, {})
    await keys.put(pathOf('small'), frontend('x'), {})
    await watch.until(
      (objects) => objects.has('frontend late') && objects.has('frontend small'),
      '',
    )
    const more = faults()
    const small = watch.objects().get('frontend small')
    for (const id of ['f0', 'f1']) await keys.delete(pathOf(id), {})
    provider.reload()
    await watch.until((objects) => objects.size === 68 && faults().length === 0, 'room')

    assert.equal(first.length, 1)
    assert.match(first[0] ?? '', /the source already holds 64 MiB of text; remove something/)
    assert.equal(more.length, 2)
    assert.equal(small?.fault, undefined)
  })

  test(`${name} yields many changes as few to a reader that is busy`, async (t) => {
    const { provider, keys } = await open(t)
    const watch = watchRegistry(t, provider)
    await watch.next()

    await putFrontends(keys, numbered(500))
    while (watch.objects().size < 500) {
      await passed(20)
      await watch.next()
    }

    assert.ok(watch.yields() <= 50, `${watch.yields()} yields`)
  })

  test(`${name} ends with what was written last, however often that was`, async (t) => {
    const { provider, keys } = await open(t)
    const watch = watchRegistry(t, provider)
    await watch.next()

    for (let round = 0; round < 100; round++) {
      await keys.put(pathOf('one'), frontend(`Host("${round}")`), {})
      if (round % 3 === 0) await keys.delete(pathOf('one'), {})
    }
    await keys.put(pathOf('one'), frontend('Host("last")'), {})

    await watch.until(
      (objects) => JSON.stringify(objects.get('frontend one')?.value).includes('last'),
      'the last text',
    )
  })

  for (const [what, { text, isFault }] of Object.entries(badTexts)) {
    test(`${name} declares ${what} under its own key, and everything else as it is`, async (t) => {
      const { provider, keys, put } = await open(t)
      await putFrontends(keys, ['good'])
      await put(`/${pathOf('bad')}`, text)
      const watch = watchRegistry(t, provider)
      await watch.next()
      const listed = watch.objects()
      await put(`/${pathOf('late')}`, text)
      await watch.until((objects) => objects.has('frontend late'), 'the bad text that came late')
      await putFrontends(keys, ['later'])
      await watch.until((objects) => objects.has('frontend later'), 'the good one after it')

      for (const object of [listed.get('frontend bad'), watch.objects().get('frontend late')]) {
        assert.ok(object !== undefined, 'it is declared')
        assert.match(object.key, /frontends\/(?:bad|late)\/frontend$/)
        if (isFault) assert.match(object.fault ?? '', /./, 'it says why it is no value')
        if (isFault) assert.equal(object.value, undefined)
      }
      assert.deepEqual(listed.get('frontend good')?.value, { route: 'Host("good")', backend: 'b' })
      assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    })
  }

  test(`${name} goes on after keys that no layout knows`, async (t) => {
    const { provider, keys, put } = await open(t)
    for (const suffix of [
      '/frontends',
      '/frontends//frontend',
      '/frontends/a/b/c/d',
      '/frontends/__proto__/frontend',
      '/frontends/line\nbreak/frontend',
      `/frontends/${'x'.repeat(400)}/frontend`,
      '/nothing/of/ours',
      '/',
    ]) {
      await put(suffix, frontend('Host("x")'))
    }
    await putFrontends(keys, ['good'])

    const watch = watchRegistry(t, provider)
    await watch.next()

    assert.deepEqual(watch.objects().get('frontend good')?.value, {
      route: 'Host("good")',
      backend: 'b',
    })
    assert.equal(({} as { route?: string }).route, undefined)
  })

  test(`${name} lists again when it is asked to`, async (t) => {
    const { provider, keys } = await open(t)
    await putFrontends(keys, ['one'])
    const watch = watchRegistry(t, provider)
    await watch.next()

    const again = watch.next()
    provider.reload()

    assert.notEqual((await again).listed, null)
    assert.deepEqual(frontendsOf(watch.objects()), ['one'])
  })

  test(`${name} lists again from time to time`, async (t) => {
    const { provider, keys } = await open(t, 100)
    await putFrontends(keys, ['one'])
    const watch = watchRegistry(t, provider)
    await watch.next()

    const reasons = [(await watch.next()).listed, (await watch.next()).listed]

    assert.deepEqual(reasons, ['reconcile', 'reconcile'])
    assert.deepEqual(frontendsOf(watch.objects()), ['one'])
  })

  test(`${name} ends when its signal aborts, also while it waits, and can be watched again`, async (t) => {
    const { provider, keys } = await open(t)
    await putFrontends(keys, ['one'])
    for (let round = 0; round < 3; round++) {
      const stopping = new AbortController()
      const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()
      await readings.next()

      const waiting = readings.next()
      stopping.abort()

      assert.equal((await within(waiting, 1_000, 'its end')).done, true)
    }
  })

  test(`${name} holds what was put, and says so in order`, async (t) => {
    const { keys } = await open(t)
    const first = await keys.put('backends/b/backend', '{}', {})
    const second = await keys.put('backends/b/backend', '{"a":1}', {})
    await keys.put('listeners/web', '"ü€😀"', {})

    const [backend, listener] = (await keys.list()).toSorted((a, b) => (a.path < b.path ? -1 : 1))

    assert.notEqual(first, second)
    assert.deepEqual(backend, {
      path: 'backends/b/backend',
      text: '{"a":1}',
      revision: second,
      ttlMs: null,
    })
    assert.deepEqual(await keys.get('backends/b/backend'), backend)
    assert.equal(listener?.text, '"ü€😀"')
    assert.equal(await keys.get('backends/other/backend'), null)
    assert.equal(await keys.delete('backends/b/backend', {}), true)
    assert.equal(await keys.delete('backends/b/backend', {}), false)
    assert.deepEqual(
      (await keys.list()).map(({ path }) => path),
      ['listeners/web'],
    )
  })

  test(`${name} compares before it sets, and before it deletes`, async (t) => {
    const { keys } = await open(t)
    const path = 'listeners/web'
    const conflicts = (attempt: Promise<unknown>): Promise<void> =>
      assert.rejects(attempt, (error) => error instanceof StoreConflict && error.message !== '')

    await conflicts(keys.put(path, '1', { expected: '1' }))
    const first = await keys.put(path, '1', { expected: null })
    await conflicts(keys.put(path, '2', { expected: null }))
    const second = await keys.put(path, '2', { expected: first })
    await conflicts(keys.put(path, '3', { expected: first }))
    await conflicts(keys.delete(path, { expected: first }))
    assert.equal((await keys.get(path))?.text, '2')
    assert.equal(await keys.delete(path, { expected: second }), true)
    await keys.put(path, '4', { expected: null })

    assert.equal((await keys.get(path))?.text, '4')
  })

  test(`${name} lets one of many that compare and set at once win`, async (t) => {
    const { keys } = await open(t)
    const expected = await keys.put('listeners/web', '0', {})

    const outcomes = await Promise.allSettled(
      numbered(20).map((id) => keys.put('listeners/web', `"${id}"`, { expected })),
    )

    const won = outcomes.filter(({ status }) => status === 'fulfilled')
    assert.equal(won.length, 1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof StoreConflict)
    }
  })
}
