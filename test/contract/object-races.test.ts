import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createClient, SluiceError } from '../../src/client/client.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import { openEtcdKeyStore } from '../../src/providers/etcd/etcd-key-store.ts'
import { startEtcd } from '../support/etcd.ts'
import { etcdSource } from '../support/etcd-source.ts'
import { type ObjectsSite, startObjectsSite } from '../support/objects-api.ts'

/** More: SLUICE_RACES=10000. */
const RACES = Number(process.env['SLUICE_RACES'] ?? 100)

test('of two writers with If-Match none loses an update, in the embedded store', async (t) => {
  const site = await startObjectsSite(t)

  await race(t, site)
})

test('of two writers with If-Match none loses an update, in etcd', async (t) => {
  const etcd = await startEtcd(t)
  const keys: KeyStore = await openEtcdKeyStore(etcdSource([etcd.endpoint]))
  const site = await startObjectsSite(t, { keys })

  await race(t, site)
})

/** Each writer reads the count, and writes the next one if the other did not; what was acknowledged is what is there. */
async function race(t: TestContext, { origin }: ObjectsSite): Promise<void> {
  const { objects, close } = createClient({ baseUrl: origin })
  t.after(close)
  const value = (priority: number): object => ({ route: 'Host("a")', backend: 'b', priority })
  await objects.put('frontend', 'race', value(0))
  const counts = { acknowledged: 0, refused: 0, lost: 0 }

  async function write(): Promise<void> {
    const { value: before, revision } = await objects.get('frontend', 'race')
    const { priority } = before as { priority: number }
    try {
      await objects.put('frontend', 'race', value(priority + 1), { ifMatch: revision })
      counts.acknowledged += 1
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      if (error.status === 412) counts.refused += 1
      // A registry that did not answer in time: whether it was written is not known.
      else counts.lost += 1
    }
  }

  for (let round = 0; round < RACES; round++) await Promise.all([write(), write()])

  const { priority } = (await objects.get('frontend', 'race')).value as { priority: number }
  const { acknowledged, refused, lost } = counts
  t.diagnostic(JSON.stringify(counts))
  assert.ok(priority >= acknowledged && priority <= acknowledged + lost, `${priority}`)
  assert.equal(acknowledged + refused + lost, RACES * 2)
  assert.ok(lost <= RACES / 100 && acknowledged + lost >= RACES, JSON.stringify(counts))
}
