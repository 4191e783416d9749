// needs: etcd, redis-server, consul, zookeeper
// The locks and records of certificates in each real registry.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { SYSTEM } from '../../src/acme/orders/world.ts'
import { createLeases, LeaseLost, type Lease, type Leases } from '../../src/acme/orders/lease.ts'
import { createRecordStore, type RecordStore } from '../../src/acme/storage/record-store.ts'
import { createSealing } from '../../src/acme/storage/sealing.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { makeFolder } from '../support/program.ts'
import { createStore, startRegistry, type RemoteKind } from '../support/registries.ts'
import { eventually } from '../support/until.ts'

const KINDS: readonly (RemoteKind | 'store')[] = [
  'etcd',
  'redis',
  'consul-kv',
  'zookeeper',
  'store',
]
const TIMES = { leaseMs: 2_000, beatMs: 300 }
const SEAL = 'ab'.repeat(32)
const NAME = '*.vote.example'

interface Side {
  readonly store: RecordStore
  readonly leases: Leases
  readonly stop: () => void
}

async function openKeys(t: TestContext, kind: RemoteKind | 'store'): Promise<KeyStore> {
  const registry =
    kind === 'store'
      ? createStore(t, join(makeFolder(t), 'store.db'))
      : await startRegistry(t, kind)
  return registry.keys()
}

function openSide(t: TestContext, keys: KeyStore, holder: string): Side {
  const stopping = new AbortController()
  t.after(() => stopping.abort())
  const store = createRecordStore({ keys, sealing: createSealing([SEAL]), now: SYSTEM.now })
  const leases = createLeases(store, holder, SYSTEM, stopping.signal, TIMES)
  return { store, leases, stop: () => stopping.abort() }
}

function took(side: Side): Promise<Lease> {
  return eventually(() => side.leases.take(NAME), 'the order is taken')
}

for (const kind of KINDS) {
  test(`${kind}: of many instances one takes an order, and what it writes the others see`, async (t) => {
    const keys = await openKeys(t, kind)
    const sides = ['a', 'b', 'c', 'd'].map((holder) => openSide(t, keys, holder))

    const leases = await Promise.all(sides.map(({ leases }) => leases.take(NAME)))
    const held = leases.filter((lease) => lease !== null)
    const [lease] = held
    const challenge = { kind: 'http-01', name: 'n', token: 't', keyAuthorization: 't.k' } as const
    await lease?.update({ challenges: [challenge] })

    assert.equal(held.length, 1)
    for (const { store } of sides) {
      await eventually(async () => {
        await store.poll()
        return store.all('orders').get(NAME)?.record.challenges[0]?.token === 't'
      }, 'the challenge is seen')
    }
    await lease?.release(true)
    for (const { store } of sides) {
      await eventually(async () => {
        await store.poll()
        return !store.all('orders').has(NAME)
      }, 'the order is gone')
    }
    for (const { text } of await keys.list()) assert.ok(!text.includes('t.k'), 'it is sealed')
  })

  test(`${kind}: an order without a beat is taken over as it is, and lost to its holder`, async (t) => {
    const keys = await openKeys(t, kind)
    const [first, second] = [openSide(t, keys, 'a'), openSide(t, keys, 'b')]
    const lease = await took(first)
    const order = { directory: 'https://ca.example/', url: 'https://ca.example/1', key: 'pem' }
    await lease.update({ order })
    assert.equal(await second.leases.take(NAME), null)

    // As the death of the program does: no beat follows.
    first.stop()
    const other = await took(second)

    assert.deepEqual(other.record().order, order)
    await assert.rejects(lease.update({ challenges: [] }), (error) => {
      return error instanceof LeaseLost || (error instanceof Error && error.message === 'aborted')
    })
    assert.equal((await first.store.read('orders', NAME))?.record.holder, 'b')
    await other.release(true)
  })
}
