/** What control relies on from every provider, whatever its source is. A provider's test brings the source along. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Declaration, Provider, Unreadable } from '../../src/providers/provider.ts'

/** Frontends by id, each with its route. */
export type Routes = Readonly<Record<string, string>>

export interface SourceUnderTest {
  readonly provider: Provider
  write(routes: Routes): Promise<void>
  /** What stands in the source cannot be read as a whole any more. */
  spoil(): Promise<void>
  /** The source is not there. */
  remove(): Promise<void>
}

export type OpenSource = (t: TestContext) => Promise<SourceUnderTest>

export interface Watcher {
  next(): Promise<Declaration | Unreadable>
  /** The next declaration that has these routes, whatever comes before it. */
  until(routes: Routes): Promise<Declaration>
  stop(): Promise<void>
}

export function watchProvider(t: TestContext, provider: Provider): Watcher {
  const stopping = new AbortController()
  const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()

  async function next(): Promise<Declaration | Unreadable> {
    const result = await readings.next()
    assert.ok(result.done !== true, 'the provider ended')
    return result.value
  }

  async function stop(): Promise<void> {
    stopping.abort()
    while ((await readings.next()).done !== true);
  }

  t.after(stop)
  return {
    next,
    stop,
    async until(routes) {
      for (;;) {
        const reading = await next()
        if (reading.readable && areEqual(routesOf(reading), routes)) return reading
      }
    },
  }
}

export function routesOf(reading: Declaration | Unreadable): Routes {
  assert.ok(reading.readable, 'the reading is a declaration')
  return Object.fromEntries(
    reading.objects
      .filter(({ kind }) => kind === 'frontend')
      .map(({ id, value }) => {
        assert.ok(typeof value === 'object' && value !== null && 'route' in value)
        return [id, String(value.route)]
      }),
  )
}

function areEqual(a: Routes, b: Routes): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

export function testProvider(name: string, open: OpenSource): void {
  test(`${name} yields the whole of what is declared at once`, async (t) => {
    const source = await open(t)
    await source.write({ one: 'Host("one")', two: 'Host("two")' })

    const first = await watchProvider(t, source.provider).next()

    assert.deepEqual(routesOf(first), { one: 'Host("one")', two: 'Host("two")' })
  })

  test(`${name} yields the whole again after a change, under another revision`, async (t) => {
    const source = await open(t)
    await source.write({ one: 'Host("one")' })
    const watcher = watchProvider(t, source.provider)
    const first = await watcher.next()

    await source.write({ one: 'Host("one")', two: 'Host("two")' })
    const second = await watcher.until({ one: 'Host("one")', two: 'Host("two")' })

    assert.ok(first.readable)
    assert.notEqual(second.revision, first.revision)
  })

  test(`${name} throws when its source cannot be read the first time`, async (t) => {
    const source = await open(t)
    await source.write({ one: 'Host("one")' })
    await source.remove()

    await assert.rejects(watchProvider(t, source.provider).next())
  })

  for (const harm of ['spoil', 'remove'] as const) {
    test(`${name} takes "${harm}" for no declaration, and recovers`, async (t) => {
      const source = await open(t)
      await source.write({ one: 'Host("one")' })
      const watcher = watchProvider(t, source.provider)
      await watcher.next()

      await source[harm]()
      const harmed = await watcher.next()
      await source.write({ one: 'Host("one")' })
      const healed = await watcher.next()

      assert.ok(!harmed.readable)
      assert.ok(harmed.problems.length > 0)
      assert.deepEqual(routesOf(healed), { one: 'Host("one")' })
    })
  }

  test(`${name} answers a reload even if nothing has changed`, async (t) => {
    const source = await open(t)
    await source.write({ one: 'Host("one")' })
    const watcher = watchProvider(t, source.provider)
    const first = await watcher.next()

    const again = watcher.next()
    source.provider.reload()

    assert.deepEqual(routesOf(await again), routesOf(first))
  })

  test(`${name} ends when it is told to, also while it waits`, async (t) => {
    const source = await open(t)
    await source.write({ one: 'Host("one")' })
    const stopping = new AbortController()
    const readings = source.provider.watch(stopping.signal)[Symbol.asyncIterator]()
    await readings.next()

    const waiting = readings.next()
    stopping.abort()

    assert.equal((await waiting).done, true)
  })
}
