// needs: etcd, redis-server, consul, zookeeper
// The lock of scaling in each real registry.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import type { KeyStore } from '../../src/providers/store.ts'
import type { ActingLock } from '../../src/scaling/acting-lock.ts'
import { createRegistryExchange } from '../../src/scaling/registry-exchange.ts'
import { createRegistryLock } from '../../src/scaling/registry-lock.ts'
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
const TIMES = { leaseMs: 2_000, beatMs: 300, pollMs: 100 }
const LOG = { debug() {}, info() {}, warn() {}, error() {} }
const NOTHING = { concurrency: 0, rps: 0, errors: 0, durations: [], waiting: 0 }

interface Side {
  readonly name: string
  readonly lock: ActingLock
  /** As SIGKILL: it renews nothing any more. */
  kill(): void
}

async function openKeys(t: TestContext, kind: RemoteKind | 'store'): Promise<KeyStore> {
  const registry =
    kind === 'store'
      ? createStore(t, join(makeFolder(t), 'store.db'))
      : await startRegistry(t, kind)
  return registry.keys()
}

function openSide(t: TestContext, keys: KeyStore, name: string): Side {
  let isDead = false
  const lock = createRegistryLock({
    keys,
    instance: name,
    id: `id of ${name}`,
    world: {
      now: () => performance.now(),
      sleep: async (ms, signal) => {
        await delay(ms, undefined, { signal })
        if (isDead) await delay(600_000, undefined, { signal, ref: false })
      },
    },
    log: LOG,
    times: TIMES,
  })
  lock.begin()
  t.after(() => lock.close())
  return { name, lock, kill: () => (isDead = true) }
}

for (const kind of KINDS) {
  test(`${kind}: one of several instances acts, another after its death, another at once after its end`, async (t) => {
    const keys = await openKeys(t, kind)
    const sides = ['a', 'b', 'c'].map((name) => openSide(t, keys, name))
    const overlaps: string[] = []
    const acting = (of: readonly Side[] = sides): readonly string[] =>
      of.flatMap(({ name, lock }) => (lock.isActing() ? name : []))
    const watching = setInterval(() => {
      if (acting().length > 1) overlaps.push(acting().join(' and '))
    }, 1)
    t.after(() => clearInterval(watching))

    const [first = ''] = await eventually(() => acting().length === 1 && acting(), 'one acts')
    const dying = sides.find(({ name }) => name === first)
    dying?.kill()
    const left = sides.filter((side) => side !== dying)
    const [second = ''] = await eventually(
      () => acting(left).length === 1 && acting(left),
      'another acts',
    )
    const ending = left.find(({ name }) => name === second)
    await ending?.lock.close()
    const [last] = left.filter((side) => side !== ending)
    await eventually(() => last?.lock.isActing() === true, 'the last one acts')

    assert.deepEqual(overlaps, [])
    assert.notEqual(first, second)
    assert.equal(last?.lock.holder(), last?.name)
  })

  test(`${kind}: the instance that acts reads what others have measured`, async (t) => {
    const keys = await openKeys(t, kind)
    const world = {
      now: () => performance.now(),
      sleep: (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal }),
    }
    const open = (id: string, isActing: boolean): ReturnType<typeof createRegistryExchange> =>
      createRegistryExchange({ keys, id, isActing: () => isActing, world, log: LOG })
    const acting = open('a', true)
    const other = open('b', false)
    for (const one of [acting, other]) one.begin()
    t.after(() => Promise.all([acting.close(), other.close()]))

    other.publish(new Map([['vote', { measure: { ...NOTHING, waiting: 3 }, asked: null }]]))

    await eventually(() => acting.others('vote')[0]?.measure.waiting === 3, 'it is known')
    await other.close()
    await eventually(() => acting.others('vote').length === 0, 'it is known no longer')
  })
}
