import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyStore } from '../../src/providers/store.ts'
import { openEtcdKeyStore } from '../../src/providers/etcd/etcd-key-store.ts'
import { startEtcd } from '../support/etcd.ts'
import { etcdSource } from '../support/etcd-source.ts'
import { type ObjectsSite, startObjectsSite } from '../support/objects-api.ts'

/** More: SLUICE_RACES=10000. */
const RACES = Number(process.env['SLUICE_RACES'] ?? 100)

test('of two writers with If-Match none loses an update, in the embedded store', async (t) => {
  const site = await startObjectsSite(t)

  await race(site)
})

test('of two writers with If-Match none loses an update, in etcd', async (t) => {
  const etcd = await startEtcd(t)
  const keys: KeyStore = await openEtcdKeyStore(etcdSource([etcd.endpoint]))
  const site = await startObjectsSite(t, { keys })

  await race(site)
})

/** Each writer reads the count, and writes the next one if the other did not; what was acknowledged is what is there. */
async function race(site: ObjectsSite): Promise<void> {
  const path = '/api/objects/frontend/race'
  const value = (priority: number): object => ({ route: 'Host("a")', backend: 'b', priority })
  await site.send('PUT', path, value(0))
  let acknowledged = 0
  let refused = 0

  async function write(): Promise<void> {
    const read = await site.fetch(path)
    const { value: before } = (await read.json()) as { value: { priority: number } }
    const etag = read.headers.get('etag') ?? ''
    const { status } = await site.send('PUT', path, value(before.priority + 1), {
      'if-match': etag,
    })
    if (status === 200) acknowledged += 1
    else if (status === 412) refused += 1
    else assert.fail(`status ${status}`)
  }

  for (let round = 0; round < RACES; round++) await Promise.all([write(), write()])

  const last = (await (await site.fetch(path)).json()) as { value: { priority: number } }
  assert.equal(last.value.priority, acknowledged)
  assert.equal(acknowledged + refused, RACES * 2)
  assert.ok(acknowledged >= RACES)
}
