// needs: etcd
/** Values that other writers have broken are repaired by the API. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEtcdKeyStore } from '../../src/providers/etcd/etcd-key-store.ts'
import { startEtcd } from '../support/etcd.ts'
import { etcdSource } from '../support/etcd-source.ts'
import { startObjectsSite } from '../support/objects-api.ts'

test('an object whose bytes in etcd are not UTF-8 is shown with its fault, replaced and deleted', async (t) => {
  const etcd = await startEtcd(t)
  const keys = await openEtcdKeyStore(etcdSource([etcd.endpoint]))
  const site = await startObjectsSite(t, { keys })
  const broken = Buffer.from([0x22, 0xff, 0xfe, 0x22])
  const path = (id: string): string => `/api/objects/frontend/${id}`
  for (const id of ['one', 'two']) await etcd.put(`/sluice/frontends/${id}/frontend`, broken)

  const shown = await site.fetch(path('one'))
  const listed = await site.fetch('/api/objects/frontend')
  const replaced = await site.send('PUT', path('one'), { route: 'Host("a")', backend: 'b' })
  const deleted = await site.send('DELETE', path('two'))

  assert.equal(shown.status, 200)
  assert.match(await shown.text(), /is not UTF-8 text/)
  assert.equal((await listed.text()).match(/is not UTF-8 text/g)?.length, 2)
  assert.equal(replaced.status, 200, await replaced.text())
  assert.ok(deleted.status < 300, await deleted.text())
  assert.deepEqual(
    (await keys.list()).map(({ path: key, text }) => [key, text]),
    [['frontends/one/frontend', '{"route":"Host(\\"a\\")","backend":"b"}']],
  )
})
