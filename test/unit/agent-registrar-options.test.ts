import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRegistrar } from '../../src/agent/registrar/catalog.ts'

function read(name: string, written: unknown): Readonly<Record<string, unknown>> {
  const parsed = parseRegistrar(name, written, ['registries', name])
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return { ...parsed.value }
}

function flaws(name: string, written: unknown): string {
  const parsed = parseRegistrar(name, written, ['registries', name])
  assert.ok(!parsed.ok)
  return parsed.problems.map(({ message }) => message).join('\n')
}

test('a registry is written as a source that reads it, with a time to live', () => {
  const etcd = read('etcd', { endpoints: 'https://a,https://b:1', layout: 'nerve', ttl: '2500ms' })
  assert.deepEqual(etcd['endpoints'], ['a:2379', 'b:1'])
  assert.deepEqual([etcd['prefix'], etcd['ttlMs']], ['/services', 3_000])
  assert.notEqual(etcd['tls'], null)
  const redis = read('cache', { kind: 'redis', url: 'redis://u:p@h:1/3' })
  assert.deepEqual(
    [redis['name'], redis['kind'], redis['endpoints'], redis['database'], redis['password']],
    ['cache', 'redis', ['h:1'], 3, 'p'],
  )
  assert.deepEqual([redis['prefix'], redis['ttlMs']], ['/sluice', 10_000])
  const zookeeper = read('zookeeper', { endpoints: 'a,b:1/app', layout: 'vulcand' })
  assert.deepEqual(
    [zookeeper['prefix'], zookeeper['endpoints']],
    ['/app/vulcand', ['a:2181', 'b:1']],
  )
  assert.deepEqual(read('consul', {})['access'], {
    ...{ endpoints: ['127.0.0.1:8500'], token: null, datacenter: null, namespace: null },
    ...{ partition: null, stale: false },
  })
  assert.equal(read('sluice', { url: 'https://lb' })['url'], 'https://lb:8182')
  assert.equal(read('sluice', { url: 'unix:/run/sluice.sock' })['url'], 'unix:/run/sluice.sock')
})

test('a mistake in a registry is named with its place, and no secret', () => {
  assert.match(flaws('store', {}), /registries\.store: needs a kind, one of etcd, consul/)
  assert.match(flaws('a', { kind: 'etc' }), /must be one of .* did you mean "etcd"/)
  assert.match(flaws('a', 'etcd'), /must be a map/)
  assert.match(flaws('etcd', {}), /registries\.etcd\.endpoints: is missing/)
  assert.match(flaws('etcd', { endpoints: 'a', sealKey: 'x' }), /unknown key "sealKey"/)
  assert.match(
    flaws('etcd', { endpoints: 'a', layout: 'traefik' }),
    /layout: must be sluice or nerve/,
  )
  assert.match(flaws('etcd', { endpoints: 'a', ttl: '1s' }), /ttl: .*2s/)
  assert.match(flaws('etcd', { endpoints: 'a', username: 'u' }), /needs both username and password/)
  assert.match(flaws('redis', {}), /needs a url or endpoints/)
  assert.match(
    flaws('redis', { endpoints: ['a', 'b'], cluster: true }),
    /prefix: of a cluster needs a hash tag.*"{\/sluice}"/,
  )
  assert.match(flaws('consul', { endpoints: ['a', 'b'] }), /name the local one/)
  assert.match(flaws('consul', { deregisterAfter: '10s' }), /deregisterAfter: .*1m/)
  assert.match(flaws('sluice', { url: 'ftp://lb' }), /url: must be as http/)
  assert.doesNotMatch(flaws('sluice', { url: 'http://user:secret@lb/x' }), /secret/)
  assert.match(flaws('sluice', { tls: {} }), /tls: needs a url with https/)
  assert.match(
    flaws('sluice', { url: 'https://lb', token: 'secret', tls: { verify: false } }),
    /tls\.verify: false would send the token/,
  )
})
