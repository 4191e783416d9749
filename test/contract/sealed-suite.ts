/** What control relies on from a registry whose values are sealed. For each of them, with the native layout. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Layout } from '../../src/providers/layout.ts'
import { createSluiceLayout } from '../../src/providers/layouts/native/layout.ts'
import { createStore } from '../../src/providers/registry/object-store.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { createSealedValues } from '../../src/providers/sealed/sealed-values.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { createKeyring } from '../support/keyring.ts'
import { watchRegistry } from './registry-watch.ts'

export interface SealedUnderTest {
  readonly provider: Provider
  readonly keys: KeyStore
}

/** `layout`: of the provider. */
export type OpenSealed = (t: TestContext, layout: Layout) => Promise<SealedUnderTest>

const frontend = (route: string): string => JSON.stringify({ route, backend: 'b' })
const pathOf = (id: string): string => `frontends/${id}/frontend`

export function testSealedValues(name: string, open: OpenSealed): void {
  test(`${name} yields sealed values open, beside plain ones, and marks them`, async (t) => {
    const { layout, ring } = await sealedLayout()
    const { provider, keys } = await open(t, layout)
    await keys.put(pathOf('sealed'), await ring.seal(frontend('Host("sealed")')), {})
    await keys.put(pathOf('plain'), frontend('Host("plain")'), {})

    const watch = watchRegistry(t, provider)
    await watch.next()

    const sealed = watch.objects().get('frontend sealed')
    const plain = watch.objects().get('frontend plain')
    assert.deepEqual(sealed?.value, { route: 'Host("sealed")', backend: 'b' })
    assert.equal(sealed.isSealed, true)
    assert.deepEqual(plain?.value, { route: 'Host("plain")', backend: 'b' })
    assert.equal(plain.isSealed, undefined)
  })

  test(`${name} sets one value aside that cannot be opened, among 100`, async (t) => {
    const { layout, ring } = await sealedLayout()
    const { provider, keys } = await open(t, layout)
    const other = await createKeyring()
    for (let id = 0; id < 99; id++)
      await keys.put(pathOf(`f${id}`), await ring.seal(frontend(`Host("f${id}")`)), {})
    await keys.put(pathOf('foreign'), await other.seal(frontend('Host("foreign")')), {})

    const watch = watchRegistry(t, provider)
    await watch.next()

    const faulty = [...watch.objects().values()].filter(({ fault }) => fault !== undefined)
    assert.equal(watch.objects().size, 100)
    assert.deepEqual(
      faulty.map(({ id }) => id),
      ['foreign'],
    )
    assert.match(faulty[0]?.fault ?? '', /decrypt\.keyring does not hold/)
  })

  test(`${name} yields the last of sealed and plain values that are written in turn`, async (t) => {
    const { layout, ring } = await sealedLayout()
    const { provider, keys } = await open(t, layout)
    const watch = watchRegistry(t, provider)
    await watch.next()

    for (let at = 0; at < 20; at++) {
      const text = frontend(`Host("h${at}")`)
      await keys.put(pathOf('f'), at % 2 === 0 ? await ring.seal(text) : text, {})
    }
    await keys.put(pathOf('gone'), await ring.seal(frontend('Host("gone")')), {})
    await keys.delete(pathOf('gone'), {})
    await keys.put(pathOf('end'), await ring.seal(frontend('Host("end")')), {})
    await watch.until((objects) => objects.has('frontend end'), 'the last value')

    assert.deepEqual(watch.objects().get('frontend f')?.value, {
      route: 'Host("h19")',
      backend: 'b',
    })
    assert.equal(watch.objects().has('frontend gone'), false)
  })

  test(`${name} writes sealed values that its readers open`, async (t) => {
    const { layout } = await sealedLayout()
    const { provider, keys } = await open(t, layout)
    const store = createStore(keys, layout)

    await store.put('frontend', 'f', { route: 'Host("f")', backend: 'b' })
    const [raw] = await keys.list()
    const watch = watchRegistry(t, provider)
    await watch.next()

    assert.ok(!(raw?.text ?? 'route').includes('route'))
    assert.deepEqual((await store.get('frontend', 'f'))?.value, {
      route: 'Host("f")',
      backend: 'b',
    })
    assert.equal(watch.objects().get('frontend f')?.isSealed, true)
  })
}

async function sealedLayout(): Promise<{
  readonly layout: Layout
  readonly ring: Awaited<ReturnType<typeof createKeyring>>
}> {
  const ring = await createKeyring()
  const sealed = await createSealedValues({ keyring: ring.secret, keys: ['**'], mode: 'auto' })
  return { layout: { ...createSluiceLayout(), sealed }, ring }
}
