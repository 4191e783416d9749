// needs: etcd
/** How a provider of etcd comes through losses: of members, of the quorum, of connections again and again; and of those who own a lease. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import type { EtcdSource } from '../../src/providers/etcd/source.ts'
import { createEtcdProvider, openEtcdKeyStore } from '../../src/providers/etcd/etcd-provider.ts'
import { createLayout } from '../support/layouts.ts'
import type { Provider } from '../../src/providers/provider.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { etcdSource } from '../support/etcd-source.ts'
import { type Etcd, startEtcd, startEtcdCluster } from '../support/etcd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { frontendsOf, numbered, putFrontends } from './registry-suite.ts'
import { type Objects, watchRegistry, within } from './registry-watch.ts'

const NOTICED_MS = 5_500
const prefix = '/sluice'
const keyOf = (id: string): string => `${prefix}/frontends/${id}/frontend`
const frontend = '{"route":"Host(\\"a\\")","backend":"b"}'

function createProvider(spec: EtcdSource): Provider {
  return createEtcdProvider(spec, createLayout('sluice', spec), { random: () => 0 })
}

async function openKeys(t: TestContext, { endpoint }: Etcd): Promise<KeyStore> {
  const keys = await openEtcdKeyStore(etcdSource([endpoint]))
  t.after(() => keys.close())
  return keys
}

test('a cluster that loses its quorum, and the member that we talk to, is left and found again', async (t) => {
  const members = await startEtcdCluster(t, 3)
  const [first, second, third] = members
  assert.ok(first !== undefined && second !== undefined && third !== undefined)
  const provider = createProvider(etcdSource(members.map(({ endpoint }) => endpoint)))
  const keys = await openEtcdKeyStore(etcdSource([third.endpoint]))
  t.after(() => keys.close())
  await putFrontends(keys, ['a'])
  const watch = watchRegistry(t, provider)
  await watch.next()

  await first.kill()
  const memberLostMs = await watch.lost(1_000)
  const next = watchRegistry(t, provider)
  await next.next()
  await within(untilPut(keys, 'b'), 8_000, 'a write after the election')
  await next.until((objects) => objects.has('frontend b'), 'a write seen through another member')
  // The one that stays.
  const alone = watchRegistry(t, createProvider(etcdSource([second.endpoint])))
  await alone.next()
  await third.kill()
  const quorumLostMs = await alone.lost(NOTICED_MS)
  await watchRegistry(t, provider).lost(10_000)
  await third.start()
  const again = await watchUntilItHolds(t, provider)

  assert.deepEqual(frontendsOf(again), ['a', 'b'])
  t.diagnostic(
    `noticed: member ${memberLostMs.toFixed(0)} ms, quorum ${quorumLostMs.toFixed(0)} ms`,
  )
})

async function untilPut(keys: KeyStore, id: string): Promise<void> {
  for (;;) {
    try {
      return await putFrontends(keys, [id])
    } catch {
      await passed(50)
    }
  }
}

async function watchUntilItHolds(t: TestContext, provider: Provider): Promise<Objects> {
  for (const deadline = Date.now() + 15_000; ;) {
    const watch = watchRegistry(t, provider)
    try {
      await watch.next()
      return watch.objects()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

test('revisions that are lower than before are reported once', async (t) => {
  const server = await startEtcd(t)
  const provider = createProvider(etcdSource([server.endpoint]))
  const before = await openEtcdKeyStore(etcdSource([server.endpoint]))
  await putFrontends(before, ['a', 'b', 'c'])
  await before.close()
  const first = watchRegistry(t, provider)
  await first.next()

  await server.kill()
  await first.lost(NOTICED_MS)
  await server.wipe()
  await server.start()
  await putFrontends(await openKeys(t, server), ['a'])
  const again = await watchRegistry(t, provider).next()
  const later = await watchRegistry(t, provider).next()

  assert.equal(again.listed, 'rewound')
  assert.equal(later.listed, 'first')
})

// etcd removes the keys of a lease up to half a second after its end.
test('the keys of a lease are gone soon after its end, and stay while it is renewed', async (t) => {
  const etcd = await startEtcd(t)
  const watch = watchRegistry(t, createProvider(etcdSource([etcd.endpoint])))
  await watch.next()
  const { ID } = await etcd.call('/v3/lease/grant', { TTL: 1 })
  await etcd.call('/v3/kv/put', {
    key: Buffer.from(keyOf('renewed')).toString('base64'),
    value: Buffer.from(frontend).toString('base64'),
    lease: ID,
  })
  const renew = setInterval(() => {
    // The last one may meet the end of etcd.
    etcd.call('/v3/lease/keepalive', { ID }).catch(() => {})
  }, 350)
  t.after(() => clearInterval(renew))
  await watch.until((objects) => objects.has('frontend renewed'), 'the key that is renewed')

  const lates: number[] = []
  for (const id of numbered(3, 'left')) {
    const grantedAt = performance.now()
    await etcd.put(keyOf(id), frontend, 1)
    await watch.until((objects) => objects.has(`frontend ${id}`), 'the key that is left')
    await watch.until((objects) => !objects.has(`frontend ${id}`), 'its end')
    lates.push(Math.round(performance.now() - grantedAt - 1_000))
    assert.ok(watch.objects().has('frontend renewed'))
  }

  assert.ok(
    (lates.toSorted((a, b) => a - b)[1] ?? Infinity) <= 600,
    `late by ${lates.join(', ')} ms`,
  )
  assert.ok(Math.min(...lates) >= 0, `early: ${lates.join(', ')} ms`)
})

test('what is declared equals what was written, after 2,500 writes and 13 cuts', async (t) => {
  const etcd = await startEtcd(t)
  const proxy = await startTcpProxy(t, etcd.port)
  const keys = await openKeys(t, etcd)
  const provider = createProvider(etcdSource([proxy.address]))
  await putFrontends(keys, numbered(300))
  let cuts = 0
  let objects: Objects = new Map()
  const stopping = new AbortController()
  t.after(() => stopping.abort())

  async function write(): Promise<void> {
    for (let count = 0; count < 2_500; count++) {
      const id = `f${(count * 7919) % 400}`
      if (count % 5 === 4) await keys.delete(`frontends/${id}/frontend`, {})
      else await keys.put(`frontends/${id}/frontend`, JSON.stringify({ route: `${count}` }), {})
      if (count % 200 === 199) {
        cuts++
        // The last one falls into the list with which the next watch begins.
        if (cuts === 12) void proxy.cutAfter(20_000).then(() => cuts++)
        proxy.cutAll()
      }
    }
    await keys.put('frontends/last/frontend', '{"route":"last"}', {})
  }
  const written = write()
  while (!objects.has('frontend last')) {
    const watch = watchRegistry(t, provider)
    try {
      do {
        await watch.next()
        objects = watch.objects()
      } while (!objects.has('frontend last'))
    } catch (error) {
      assert.ok(error instanceof Error && error.message.startsWith('etcd '), String(error))
    }
  }
  await written

  const expected = (await keys.list()).map(({ path, text }): [string, unknown] => [
    path,
    JSON.parse(text),
  ])
  const declared = [...objects.values()].map(({ id, value }): [string, unknown] => [
    `frontends/${id}/frontend`,
    value,
  ])
  assert.equal(cuts, 13)
  assert.deepEqual(
    new Map(declared as [string, unknown][]),
    new Map(expected as [string, unknown][]),
  )
})
