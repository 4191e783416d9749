/** What control relies on from every provider, whatever its source is. A provider's test brings the source along. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Declaration, Provider, Unreadable } from '../../src/providers/provider.ts'

/** Frontends by id, each with its route. */
export type Routes = Readonly<Record<string, string>>

/** What a source is tested with: two objects that it can declare, and how they are read from what it declares. */
export interface Declared {
  readonly one: string
  readonly two: string
  /** As `write` was given it, by `one` and `two`. */
  readonly of: (reading: Declaration | Unreadable) => Routes
}

/** Of most sources; those that have servers only say what they declare. */
const FRONTENDS: Declared = { one: 'Host("one")', two: 'Host("two")', of: routesOf }

export interface SourceUnderTest {
  readonly provider: Provider
  /** Makes the source what it was, too, if it was not there. */
  write(routes: Routes): Promise<void>
  /** The source cannot be read any more. */
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

export function watchProvider(
  t: TestContext,
  provider: Provider,
  of: Declared['of'] = routesOf,
): Watcher {
  const stopping = new AbortController()
  const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()
  const known = new Map<string, unknown>()

  async function next(): Promise<Declaration | Unreadable> {
    const result = await readings.next()
    assert.ok(result.done !== true, 'the provider ended')
    if (result.value.readable) checkDeclaration(result.value, known)
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
        if (reading.readable && areEqual(of(reading), routes)) return reading
      }
    },
  }
}

/** Each name once, a list or changes but never both, and changes that lead from what was `known` to what there is. */
function checkDeclaration(declaration: Declaration, known: Map<string, unknown>): void {
  const { objects, changes, listed, changedAt } = declaration
  const names = (of: Iterable<{ kind: string; id: string }>): string[] =>
    [...of].map(({ kind, id }) => `${kind} ${id}`)
  const all = names(objects)

  assert.equal(new Set(all).size, all.length, 'each name is there once')
  assert.equal(changes === null, listed !== null, 'a list says why, a change does not')
  assert.ok(changedAt > 0 && changedAt <= performance.now())
  if (changes !== null) {
    for (const { kind, id } of changes.deletes) known.delete(`${kind} ${id}`)
    for (const { kind, id, value } of changes.upserts) known.set(`${kind} ${id}`, value)
    assert.deepEqual(new Set(all), new Set(known.keys()), 'the changes are all there is to know')
  }
  known.clear()
  for (const { kind, id, value } of objects) known.set(`${kind} ${id}`, value)
}

export function routesOf(reading: Declaration | Unreadable): Routes {
  assert.ok(reading.readable, 'the reading is a declaration')
  return Object.fromEntries(
    [...reading.objects]
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

export function testProvider(
  name: string,
  open: OpenSource,
  { one, two, of }: Declared = FRONTENDS,
): void {
  const watch = (t: TestContext, provider: Provider): Watcher => watchProvider(t, provider, of)

  test(`${name} yields the whole of what is declared at once`, async (t) => {
    const source = await open(t)
    await source.write({ one, two })

    const first = await watch(t, source.provider).next()

    assert.deepEqual(of(first), { one, two })
    assert.ok(first.readable)
    assert.equal(first.listed, 'first')
  })

  test(`${name} yields the whole again after a change, under another revision`, async (t) => {
    const source = await open(t)
    await source.write({ one })
    const watcher = watch(t, source.provider)
    const first = await watcher.next()

    await source.write({ one, two })
    const second = await watcher.until({ one, two })

    assert.ok(first.readable)
    assert.notEqual(second.revision, first.revision)
  })

  test(`${name} begins each watch with a list`, async (t) => {
    const source = await open(t)
    await source.write({ one })
    const before = watch(t, source.provider)
    await before.next()
    await before.stop()
    await source.write({ two })

    const first = await watch(t, source.provider).next()

    assert.deepEqual(of(first), { two })
    assert.ok(first.readable)
    assert.equal(first.listed, 'first')
  })

  test(`${name} throws when its source cannot be read the first time`, async (t) => {
    const source = await open(t)
    await source.write({ one })
    await source.remove()

    await assert.rejects(watch(t, source.provider).next())
  })

  for (const harm of ['spoil', 'remove'] as const) {
    test(`${name} takes "${harm}" for no declaration, and recovers`, async (t) => {
      const source = await open(t)
      await source.write({ one })
      const watcher = watch(t, source.provider)
      await watcher.next()

      await source[harm]()
      const harmed = await watcher.next().catch((error: unknown) => error)
      await source.write({ two })
      const isLost = harmed instanceof Error
      const healing = isLost ? watch(t, source.provider) : watcher
      const healed = await healing.until({ two })

      if (!isLost) assertHarmed(harmed as Declaration | Unreadable, { one }, of)
      assert.deepEqual(healed.problems, [])
    })
  }

  test(`${name} answers a reload even if nothing has changed`, async (t) => {
    const source = await open(t)
    await source.write({ one })
    const watcher = watch(t, source.provider)
    const first = await watcher.next()

    const next = watcher.next()
    source.provider.reload()
    const again = await next

    assert.deepEqual(of(again), of(first))
    assert.ok(again.readable)
    assert.equal(again.listed, 'asked')
  })

  test(`${name} ends when its signal aborts, also while it waits`, async (t) => {
    const source = await open(t)
    await source.write({ one })
    const stopping = new AbortController()
    const readings = source.provider.watch(stopping.signal)[Symbol.asyncIterator]()
    await readings.next()

    const waiting = readings.next()
    stopping.abort()

    assert.equal((await waiting).done, true)
  })
}

/** Not lost: then it says what is wrong, and declares nothing or what it did before. */
function assertHarmed(harmed: Declaration | Unreadable, before: Routes, of: Declared['of']): void {
  assert.ok(harmed.problems.length > 0)
  if (harmed.readable) assert.deepEqual(of(harmed), before)
}
