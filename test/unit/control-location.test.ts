import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { openLastGoodFile } from '../../src/control/sources/last-good.ts'
import { sourceKindOf } from '../../src/providers/catalog/sources.ts'
import type { SourceSpec } from '../../src/model/settings.ts'
import type { FilesSource } from '../../src/providers/directory/source.ts'
import type { EtcdSource } from '../../src/providers/etcd/source.ts'
import type { RedisSource } from '../../src/providers/redis/source.ts'
import { frontends } from '../support/source-objects.ts'

const locationOf = (spec: SourceSpec): readonly string[] => sourceKindOf(spec).locations(spec)

const common = {
  name: 's',
  required: true,
  shrink: { holdMs: 0, share: 1, allowEmpty: true },
  username: null,
  password: null,
  tls: null,
  sealKey: null,
}
const etcd: EtcdSource = {
  ...common,
  kind: 'etcd',
  endpoints: ['10.0.0.1:2379', '10.0.0.2:2379'],
  prefix: '/sluice',
  layout: 'sluice',
}
const redis: RedisSource = { ...etcd, kind: 'redis', cluster: false, database: 0 }

test('a registry is at its endpoints, prefix, layout and database, however it is spoken to', () => {
  const same = [
    { ...etcd, endpoints: [...etcd.endpoints].reverse() },
    { ...etcd, username: 'u', password: 'p' },
  ]
  const others = [
    { ...etcd, prefix: 'sluice' },
    { ...etcd, layout: 'vulcand' as const },
    { ...etcd, endpoints: ['10.0.0.1:2379'] },
  ]

  for (const spec of same) assert.deepEqual(locationOf(spec), locationOf(etcd))
  for (const spec of others) assert.notDeepEqual(locationOf(spec), locationOf(etcd))
  assert.notDeepEqual(locationOf({ ...redis, database: 1 } as RedisSource), locationOf(redis))
  assert.notDeepEqual(locationOf(redis), locationOf(etcd))
})

test('a directory has the name that it is written with and the one that it leads to, from the root', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-location-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [directory, link] = [join(folder, 'conf.d'), join(folder, 'link')]
  mkdirSync(directory)
  symlinkSync(directory, link)
  const of = (path: string): readonly string[] =>
    locationOf({ ...common, kind: 'files', directory: path } as FilesSource)

  assert.deepEqual(of(relative(process.cwd(), directory)), of(directory))
  assert.equal(of(link).length, 2)
  assert.ok(of(link).some((name) => of(directory).includes(name)))
})

test('what was saved from another location is not used, and left until the next save', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-location-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const open = (...location: string[]): ReturnType<typeof openLastGoodFile> =>
    openLastGoodFile({ folder, source: 's', location })
  await open('here', 'there').save(frontends(1), '1', 'what it knows')

  assert.deepEqual(open('elsewhere').load(), { state: 'moved', from: ['here', 'there'] })
  const again = open('there').load()
  assert.ok(again.state === 'good')
  assert.equal(again.memory, 'what it knows')
  await open('elsewhere').save(frontends(2), '2')
  assert.equal(open('here').load().state, 'moved')
})
