/** What control relies on from every registry whose keys end by themselves, after a time to live or with their writer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frontend, frontendsOf, pathOf, putFrontends } from './registry-suite.ts'
import type { OpenRegistry, RegistryUnderTest } from './registry-suite.ts'
import { watchRegistry } from './registry-watch.ts'

export interface ExpiringRegistryUnderTest extends RegistryUnderTest {
  /** The shortest TTL worth a test, and how late its key may go. */
  readonly expiry: { readonly ttlMs: number; readonly lateMs: number }
}

export function testRegistryExpiry(
  name: string,
  open: OpenRegistry<ExpiringRegistryUnderTest>,
): void {
  test(`${name} takes a key away when its time to live is over, and not before`, async (t) => {
    const { provider, keys, expiry } = await open(t)
    const watch = watchRegistry(t, provider)
    await watch.next()

    const asked = performance.now()
    await keys.put(pathOf('brief'), frontend('Host("brief")'), { ttlMs: expiry.ttlMs })
    const acknowledged = performance.now()
    await watch.until((objects) => objects.has('frontend brief'), 'the key')
    const removed = await watch.until((objects) => !objects.has('frontend brief'), 'its end')
    const gone = performance.now()

    assert.equal(removed.listed, null)
    assert.ok(gone - asked >= expiry.ttlMs - 50, `after ${gone - asked} ms`)
    assert.ok(
      gone - acknowledged <= expiry.ttlMs + expiry.lateMs,
      `${gone - acknowledged} ms for a TTL of ${expiry.ttlMs} ms`,
    )
  })

  test(`${name} keeps a key that is put again within its time to live`, async (t) => {
    const { provider, keys, expiry } = await open(t)
    const { ttlMs } = expiry
    const watch = watchRegistry(t, provider)
    await watch.next()
    await keys.put(pathOf('kept'), frontend('Host("kept")'), { ttlMs })
    await keys.put(pathOf('brief'), frontend('Host("brief")'), { ttlMs })
    await keys.put(pathOf('kept'), frontend('Host("kept")'), {})

    await watch.until((objects) => objects.has('frontend brief'), 'both keys')
    await watch.until((objects) => !objects.has('frontend brief'), 'the end of one')

    assert.deepEqual(frontendsOf(watch.objects()), ['kept'])
    assert.equal((await keys.get(pathOf('kept')))?.ttlMs, null)
  })

  test(`${name} says how long a key has to live`, async (t) => {
    const { keys } = await open(t)
    await keys.put('listeners/web', '{}', { ttlMs: 60_000 })

    const found = [await keys.get('listeners/web'), ...(await keys.list())]

    assert.equal(found.length, 2)
    for (const { ttlMs } of found.map((key) => ({ ttlMs: key?.ttlMs ?? 0 }))) {
      assert.ok(ttlMs > 50_000 && ttlMs <= 60_000, `${ttlMs} ms`)
    }
  })
}

export interface SessionRegistryUnderTest extends RegistryUnderTest {
  /** Of another client, whose keys go with it. `suffix`: as that of `put`. */
  readonly session: {
    put(suffix: string, value: string): Promise<unknown>
    /** Without a word to the registry. */
    kill(): Promise<void>
    /** How long its keys may stay after that. */
    readonly lateMs: number
  }
}

export function testRegistrySessions(
  name: string,
  open: OpenRegistry<SessionRegistryUnderTest>,
): void {
  test(`${name} takes the keys of a writer away when its session ends, and no others`, async (t) => {
    const { provider, keys, session } = await open(t)
    await putFrontends(keys, ['kept'])
    const watch = watchRegistry(t, provider)
    await watch.next()
    await session.put(`/${pathOf('brief')}`, frontend('Host("brief")'))
    await watch.until((objects) => objects.has('frontend brief'), 'the key')

    const killed = performance.now()
    await session.kill()
    const removed = await watch.until((objects) => !objects.has('frontend brief'), 'its end')
    const lateMs = performance.now() - killed

    assert.equal(removed.listed, null)
    assert.ok(lateMs <= session.lateMs, `${lateMs} ms`)
    assert.deepEqual(frontendsOf(watch.objects()), ['kept'])
  })

  test(`${name} refuses a time to live, and says what there is instead`, async (t) => {
    const { keys } = await open(t)

    const refused = keys.put(pathOf('brief'), frontend('x'), { ttlMs: 1_000 })

    await assert.rejects(refused, /cannot put ".+" with a time to live: .+ ephemeral/)
    assert.deepEqual(await keys.list(), [])
  })
}
