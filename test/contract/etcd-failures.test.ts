// needs: etcd
/** What happens to a real etcd in bad nights, and what its provider makes of it: it recovers, or says what it is refused. Never silence. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import type { EtcdSource } from '../../src/providers/etcd/source.ts'
import { listKeys } from '../../src/providers/etcd/list.ts'
import { createKeyPrefix } from '../../src/providers/etcd/key-prefix.ts'
import { openSession } from '../../src/providers/etcd/session.ts'
import { watchKeys } from '../../src/providers/etcd/watch.ts'
import { createEtcdProvider, openEtcdKeyStore } from '../../src/providers/etcd/etcd-provider.ts'
import { createLayout } from '../support/layouts.ts'
import { type Provider, SourceRefused } from '../../src/providers/provider.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { READER, startGuardedEtcd, startTlsEtcd } from '../support/etcd-cluster.ts'
import { etcdSource } from '../support/etcd-source.ts'
import { type Etcd, startEtcd } from '../support/etcd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { frontendsOf, numbered, putFrontends } from './registry-suite.ts'
import { type RegistryWatch, watchRegistry, within } from './registry-watch.ts'

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

/** The error with which it ends, whatever it yields before. */
async function endOf(watch: RegistryWatch): Promise<unknown> {
  for (;;) {
    try {
      await watch.next()
    } catch (error) {
      return error
    }
  }
}

async function assertRefused(watch: RegistryWatch, message: RegExp): Promise<void> {
  const error = await within(endOf(watch), NOTICED_MS, 'a refusal')
  assert.ok(error instanceof SourceRefused, String(error))
  assert.match(error.message, message)
}

test('a history that was compacted without a watch costs one list, and no deleted key comes back', async (t) => {
  const etcd = await startEtcd(t)
  const keys = await openKeys(t, etcd)
  const proxy = await startTcpProxy(t, etcd.port)
  const provider = createProvider(etcdSource([proxy.address]))
  await putFrontends(keys, ['deleted', 'kept'])
  const watch = watchRegistry(t, provider)
  await watch.next()

  await proxy.refuse()
  await watch.lost(NOTICED_MS)
  await etcd.del(keyOf('deleted'))
  const revision = await etcd.put(keyOf('new'), frontend)
  await etcd.call('/v3/kv/compaction', { revision, physical: true })
  await proxy.pass()
  const again = watchRegistry(t, provider)
  await again.next()
  await putFrontends(keys, ['newer'])
  await again.next()

  assert.deepEqual(frontendsOf(again.objects()).toSorted(), ['kept', 'new', 'newer'])
})

test('a watch from a revision that was compacted, or that the store has yet to reach, ends at once', async (t) => {
  const etcd = await startEtcd(t)
  const root = createKeyPrefix(prefix)
  const login = { username: null, password: null, token: null }
  const session = openSession(etcdSource([etcd.endpoint]), etcd.endpoint, login)
  t.after(() => session.close())
  await etcd.put(keyOf('a'), frontend)
  const { header } = await listKeys(session, root)
  const revision = await etcd.put(keyOf('b'), frontend)
  await etcd.call('/v3/kv/compaction', { revision })
  const ends = (from: string): Promise<Error> =>
    new Promise((resolve) => {
      const onEvents = (): void => resolve(new Error('it goes on'))
      watchKeys(session, root, { ...header, revision: from }, { onEvents, onEnd: resolve })
    })

  assert.match((await ends('1')).message, /compacted up to revision/)
  assert.match((await ends('1000000')).message, /the store is not the one that was listed/)
})

test('a token that expires ends neither a watch nor the next one', async (t) => {
  const etcd = await startGuardedEtcd(t, prefix, ['--auth-token-ttl', '1'])
  const provider = createProvider(etcdSource([etcd.endpoint], READER))
  await etcd.put(keyOf('a'), frontend)
  const watch = watchRegistry(t, provider)
  await watch.next()

  const change = watch.next()
  // The token's time, with the second after which etcd looks for what has expired.
  await passed(3_000)
  await etcd.put(keyOf('b'), frontend)
  const { listed } = await change
  await watch.stop()
  await passed(2_500)
  const again = watchRegistry(t, provider)
  await again.next()

  assert.equal(listed, null)
  assert.deepEqual(frontendsOf(again.objects()), ['a', 'b'])
})

test('a token that is no longer known is exchanged within the same request', async (t) => {
  const { endpoint } = await startGuardedEtcd(t, prefix)
  const login = { ...READER, token: 'unknown.1' }
  const session = openSession(etcdSource([endpoint], READER), endpoint, login)
  t.after(() => session.close())

  const responses = await Promise.all(
    numbered(5).map(() => listKeys(session, createKeyPrefix(prefix))),
  )

  assert.equal(responses.length, 5)
  assert.notEqual(login.token, 'unknown.1')
})

test('a right that is taken away under an open watch is a refusal, and its return is enough', async (t) => {
  const etcd = await startGuardedEtcd(t, prefix)
  const provider = createProvider(etcdSource([etcd.endpoint], READER))
  await etcd.put(keyOf('a'), frontend)
  const watch = watchRegistry(t, provider)
  await watch.next()

  await etcd.revokeRead(prefix)
  await assertRefused(watch, /cannot read "\/sluice\/": permission denied/)
  await assertRefused(watchRegistry(t, provider), /cannot list "\/sluice\/": permission denied/)
  await etcd.grantRead(prefix)
  const again = watchRegistry(t, provider)
  await again.next()

  assert.deepEqual(frontendsOf(again.objects()), ['a'])
})

test('a wrong password, none, and one that is changed under an open watch are refusals', async (t) => {
  const etcd = await startGuardedEtcd(t, prefix)
  const { endpoint } = etcd
  const wrong = createProvider(etcdSource([endpoint], { ...READER, password: 'wrong' }))
  const anonymous = createProvider(etcdSource([endpoint]))
  const right = watchRegistry(t, createProvider(etcdSource([endpoint], READER)))
  await right.next()

  await assertRefused(watchRegistry(t, wrong), /cannot log in as "reader": authentication failed/)
  await assertRefused(watchRegistry(t, anonymous), /user name is empty/)
  await etcd.changePassword('changed')

  await assertRefused(right, /cannot log in as "reader"/)
})

test('a right to another prefix that begins alike is none to ours', async (t) => {
  const etcd = await startGuardedEtcd(t, '/sluice2')
  const watch = watchRegistry(t, createProvider(etcdSource([etcd.endpoint], READER)))

  await assertRefused(watch, /permission denied/)
})

test('credentials for an etcd that asks for none do no harm', async (t) => {
  const etcd = await startEtcd(t)
  await etcd.put(keyOf('a'), frontend)
  const watch = watchRegistry(t, createProvider(etcdSource([etcd.endpoint], READER)))

  await watch.next()

  assert.deepEqual(frontendsOf(watch.objects()), ['a'])
})

test('a page of values that no message can hold is asked for in parts, and a value that none can by its key', async (t) => {
  const etcd = await startEtcd(t, { args: ['--max-request-bytes', String(32 << 20)] })
  const text = JSON.stringify({ route: 'x'.repeat(1_000_000), backend: 'b' })
  const huge = Buffer.alloc(20 << 20, 'x')
  for (const id of numbered(18)) await etcd.put(keyOf(id), text)
  await etcd.put(keyOf('f7-huge'), huge)
  const watch = watchRegistry(t, createProvider(etcdSource([etcd.endpoint])))
  await watch.next()
  const listed = watch.objects()

  await etcd.put(keyOf('f8-huge'), huge)
  await watch.lost(NOTICED_MS)
  const again = watchRegistry(t, createProvider(etcdSource([etcd.endpoint])))
  await again.next()

  assert.equal(listed.size, 19)
  assert.match(listed.get('frontend f7-huge')?.fault ?? '', /longer than 1 MiB/)
  assert.equal(again.objects().size, 20)
})

test('TLS, with its names checked, and certificates on both sides', async (t) => {
  const { etcd, tls } = await startTlsEtcd(t, ['127.0.0.1'], false)
  const named = await startTlsEtcd(t, ['etcd.test'], true)
  await etcd.put(keyOf('a'), frontend)
  await named.etcd.put(keyOf('b'), frontend)
  const { endpoint } = named.etcd
  const mutual = { ...named.tls, serverName: 'etcd.test' }
  const seen = async (spec: EtcdSource): Promise<readonly string[]> => {
    const watch = watchRegistry(t, createProvider(spec))
    await watch.next()
    return frontendsOf(watch.objects())
  }

  assert.deepEqual(await seen(etcdSource([etcd.endpoint], { tls })), ['a'])
  assert.deepEqual(await seen(etcdSource([endpoint], { tls: mutual })), ['b'])
  assert.deepEqual(
    await seen(etcdSource([endpoint], { tls: { ...named.tls, ca: null, verify: false } })),
    ['b'],
  )
  for (const wrong of [
    named.tls,
    { ...mutual, ca: tls.ca },
    { ...mutual, cert: null, key: null },
  ]) {
    await assert.rejects(seen(etcdSource([endpoint], { tls: wrong })), /cannot list/)
  }
  await assert.rejects(seen(etcdSource([etcd.endpoint])), /cannot list/)
})
