/** What control relies on from every registry that is reached over a network: any loss or silence throws, and the next watch has it all. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Daemon } from '../support/daemon.ts'
import { eventually } from '../support/until.ts'
import { frontendsOf, numbered, putFrontends } from './registry-suite.ts'
import type { OpenRegistry, RegistryUnderTest } from './registry-suite.ts'
import { watchRegistry, within } from './registry-watch.ts'

export interface RemoteRegistryUnderTest extends RegistryUnderTest {
  /** The provider sees the registry through it; `keys` and `put` do not. */
  readonly proxy: TcpProxy
  /** Waits until a provider that asks again and again does so on an open connection: a cut before that loses nothing. */
  settle?(): Promise<unknown>
  readonly server: Pick<Daemon, 'kill' | 'start' | 'wipe'>
}

/** How long a silent link may go unnoticed, and what a busy machine adds. */
const SILENCE_MS = 5_000
const SLACK_MS = 500

export function testRegistryLink(name: string, open: OpenRegistry<RemoteRegistryUnderTest>): void {
  test(`${name} throws at once when its connection is cut`, async (t) => {
    const { provider, keys, proxy, settle } = await open(t)
    await putFrontends(keys, ['one'])
    const watch = watchRegistry(t, provider)
    await watch.next()
    await settle?.()

    proxy.cutAll()

    assert.ok((await watch.lost(SILENCE_MS)) < 1_000)
  })

  test(`${name} throws when its connections are refused`, async (t) => {
    const { provider, proxy } = await open(t)
    await proxy.refuse()

    await watchRegistry(t, provider).lost(SILENCE_MS + SLACK_MS)
  })

  // These three only wait, each for a link of its own.
  describe(`${name} and silence`, { concurrency: true }, () => {
    test(`${name} throws when an open link falls silent`, async (t) => {
      const { provider, keys, proxy } = await open(t)
      await putFrontends(keys, ['one'])
      const watch = watchRegistry(t, provider)
      await watch.next()

      proxy.blackhole()

      await watch.lost(SILENCE_MS + SLACK_MS)
    })

    test(`${name} throws when the server accepts connections and sends nothing`, async (t) => {
      const { provider, proxy } = await open(t)
      proxy.blackhole()

      await watchRegistry(t, provider).lost(SILENCE_MS + SLACK_MS)
    })

    test(`${name} keeps a link that is idle for longer than a silence may last`, async (t) => {
      const { provider, keys } = await open(t)
      const watch = watchRegistry(t, provider)
      await watch.next()

      const change = watch.next()
      // Nothing to wait for: that nothing happens is what is tested.
      await passed(SILENCE_MS + 2_000)
      await putFrontends(keys, ['late'])
      const { listed } = await change

      assert.equal(listed, null)
      assert.deepEqual(frontendsOf(watch.objects()), ['late'])
    })
  })

  test(`${name} ends when its signal aborts while its link is silent`, async (t) => {
    const { provider, proxy } = await open(t)
    proxy.blackhole()
    const stopping = new AbortController()
    const readings = provider.watch(stopping.signal)[Symbol.asyncIterator]()

    const waiting = readings.next()
    await eventually(() => proxy.open() > 0, 'a connection')
    stopping.abort()

    assert.equal((await within(waiting, 1_000, 'its end')).done, true)
  })

  test(`${name} never yields half a list, wherever the connection is cut`, async (t) => {
    const { provider, keys, proxy } = await open(t)
    const ids = numbered(1_200)
    await putFrontends(keys, ids)
    let cuts = 0

    for (const bytes of [1, 50, 500, 5_000, 20_000, 50_000, 80_000]) {
      const cut = proxy.cutAfter(bytes).then(() => true)
      const watch = watchRegistry(t, provider)
      const first = await watch.next().catch(() => null)

      assert.ok(first === null || watch.objects().size === ids.length, `cut after ${bytes} bytes`)
      if (first === null) cuts++
      await watch.stop().catch(() => {})
      assert.ok(first !== null || (await within(cut, 1_000, 'the cut')))
      await proxy.pass()
    }

    assert.ok(cuts >= 5, `${cuts} cuts fell into a list`)
  })

  test(`${name} has at the next watch what was written while it was away`, async (t) => {
    const { provider, keys, proxy } = await open(t)
    await putFrontends(keys, numbered(500, 'old'))
    const watch = watchRegistry(t, provider)
    await watch.next()

    await proxy.refuse()
    await watch.lost(SILENCE_MS + SLACK_MS)
    await putFrontends(keys, numbered(500, 'new'))
    await Promise.all(numbered(500, 'old').map((id) => keys.delete(`frontends/${id}/frontend`, {})))
    await proxy.pass()
    const again = watchRegistry(t, provider)
    const { listed } = await again.next()

    assert.notEqual(listed, null)
    assert.deepEqual(frontendsOf(again.objects()).toSorted(), numbered(500, 'new').toSorted())
  })

  test(`${name} has everything in the end when it is cut while others write`, async (t) => {
    const { provider, keys, proxy, settle } = await open(t)
    const writers = numbered(10, 'w')
    const written = Promise.all(
      writers.map(async (writer) => {
        for (const id of numbered(60, writer + '-')) await putFrontends(keys, [id])
      }),
    )
    for (let round = 0; round < 6; round++) {
      const watch = watchRegistry(t, provider)
      const first = await watch.next()
      assert.notEqual(first.listed, null)
      await settle?.()
      if (round % 2 === 0) proxy.cutAll()
      else void proxy.cutAfter(1_000)
      // Between two questions there is nothing to cut.
      const again = settle === undefined ? undefined : setInterval(proxy.cutAll, 20)
      await putFrontends(keys, numbered(30, `r${round}-`))
      await watch.lost(SILENCE_MS + SLACK_MS).finally(() => clearInterval(again))
      // It may have been lost before the cut came.
      await proxy.pass()
    }
    await written

    const watch = watchRegistry(t, provider)
    await watch.next()

    assert.equal(watch.objects().size, writers.length * 60 + 6 * 30)
  })

  test(`${name} throws when the server is killed, and has its data again with it`, async (t) => {
    const { provider, keys, server } = await open(t)
    await putFrontends(keys, ['one', 'two'])
    const watch = watchRegistry(t, provider)
    await watch.next()

    await server.kill()
    await watch.lost(SILENCE_MS + SLACK_MS)
    await watchRegistry(t, provider).lost(SILENCE_MS + SLACK_MS)
    await server.start()
    const again = watchRegistry(t, provider)
    const { listed } = await again.next()

    assert.notEqual(listed, null)
    assert.deepEqual(frontendsOf(again.objects()).toSorted(), ['one', 'two'])
  })

  test(`${name} says so when the server comes back with nothing, and hears what comes then`, async (t) => {
    const { provider, keys, server } = await open(t)
    await putFrontends(keys, numbered(50))
    const watch = watchRegistry(t, provider)
    await watch.next()

    await server.kill()
    await watch.lost(SILENCE_MS + SLACK_MS)
    await server.wipe()
    await server.start()
    const again = watchRegistry(t, provider)
    const { listed } = await again.next()
    const emptied = again.objects().size
    await putFrontends(keys, ['new'])
    await again.next()

    assert.notEqual(listed, null)
    assert.equal(emptied, 0)
    assert.deepEqual(frontendsOf(again.objects()), ['new'])
  })

  test(`${name} sees nothing of a root that only begins like its own`, async (t) => {
    const { provider, keys, put } = await open(t)
    await put('2/frontends/beside/frontend', '{"route":"Host(\\"x\\")","backend":"b"}')
    await putFrontends(keys, ['one'])
    const watch = watchRegistry(t, provider)
    await watch.next()
    const listed = frontendsOf(watch.objects())

    await put('2/frontends/later/frontend', '{"route":"Host(\\"x\\")","backend":"b"}')
    await putFrontends(keys, ['two'])
    await watch.until((objects) => objects.has('frontend two'), 'the second of its own')

    assert.deepEqual(listed, ['one'])
    assert.deepEqual(frontendsOf(watch.objects()).toSorted(), ['one', 'two'])
    assert.equal((await keys.list()).length, 2)
  })

  test(`${name} declares bytes that are not UTF-8 with a fault, and everything else as it is`, async (t) => {
    const { provider, keys, put } = await open(t)
    await put('/frontends/bad/frontend', Buffer.from([0x22, 0xff, 0xfe, 0xc0, 0x22]))
    await putFrontends(keys, ['good'])

    const watch = watchRegistry(t, provider)
    await watch.next()

    assert.match(watch.objects().get('frontend bad')?.fault ?? '', /./)
    assert.deepEqual(watch.objects().get('frontend good')?.value, {
      route: 'Host("good")',
      backend: 'b',
    })
  })
}
