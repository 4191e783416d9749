/** The layouts of service discovery: which server each key declares. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refuseObjectName } from '../../src/model/names.ts'
import type { KeyEntry, MemberChoice, MemberLayoutName } from '../../src/providers/layout.ts'
import { createMembers } from '../../src/providers/layouts/members/formats.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'

function read(
  name: MemberLayoutName,
  keys: Readonly<Record<string, unknown>>,
  choice?: MemberChoice,
): readonly DeclaredObject[] {
  const mirror = createMirror(createMembers(name, choice))
  mirror.replace(Object.entries(keys).map(([path, value]) => entry(path, value)))
  return [...mirror.declare({ revision: '1', listed: 'first', changedAt: 1 }).objects]
}

function entry(path: string, value: unknown): KeyEntry {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return { path, key: `/services/${path}`, text }
}

/** `backend/server url`, or what is wrong with it. */
function urls(...given: Parameters<typeof read>): readonly string[] {
  return read(...given).map(({ id, value, fault }) => {
    const url = (value as { url?: string } | undefined)?.url
    return `${id} ${url ?? `- ${fault ?? 'has neither value nor fault'}`}`
  })
}

const NERVE = { host: '10.0.0.1', port: 8080, name: 'i-7' }

test('nerve: each znode below a service is a server of the backend of that name', () => {
  const found = read('nerve', {
    'web/i-7_0000000003': { ...NERVE, weight: 3, haproxy_server_options: 'backup' },
    'web/i-8_0000000004': { ...NERVE, host: 'fe80::1', weight: 0 },
    'app/services/i-9_0000000001': NERVE,
  })

  assert.deepEqual(
    found.map(({ kind, id, value }) => [kind, id, value]),
    [
      ['server', 'web/i-7_0000000003', { url: 'http://10.0.0.1:8080', weight: 3, backup: true }],
      ['server', 'web/i-8_0000000004', { url: 'http://[fe80::1]:8080', drain: true }],
      ['server', 'app/i-9_0000000001', { url: 'http://10.0.0.1:8080' }],
    ],
  )
})

test('nerve: an encoded name is read instead of the data', () => {
  const json = JSON.stringify({ ...NERVE, name: 'ü?>'.repeat(40) })
  const name = `base64_${json.length}_${Buffer.from(json).toString('base64url')}_0000000012`

  const found = urls('nerve', { [`web/${name}`]: '', [`web/${name.replace(/12$/, '13')}`]: '' })

  assert.deepEqual(found, [
    'web/base64_0000000012 http://10.0.0.1:8080',
    'web/base64_0000000013 http://10.0.0.1:8080',
  ])
})

test('nerve: options of HAProxy without a meaning here, and bad weights, are remarks', () => {
  const [object] = read('nerve', {
    'web/a': { ...NERVE, weight: -1, haproxy_server_options: 'check inter 2s backup' },
  })

  assert.deepEqual(object?.value, { url: 'http://10.0.0.1:8080', backup: true })
  assert.deepEqual(object.remarks, [
    'weight: must be from 0 to 1000',
    'haproxy_server_options: "check" is not used',
    'haproxy_server_options: "inter" is not used',
    'haproxy_server_options: "2s" is not used',
  ])
})

const MEMBER = {
  serviceEndpoint: { host: '10.0.0.1', port: 31000 },
  additionalEndpoints: { admin: { host: '10.0.0.1', port: 31001 } },
  status: 'ALIVE',
  shard: 0,
}

test('server sets: members that are alive, at the service endpoint or at the one that is named', () => {
  const keys = {
    'www/prod/web/member_0000000001': MEMBER,
    'www/prod/web/member_0000000002': { ...MEMBER, status: 'STARTING' },
    'www/prod/web/singleton_candidate_0000000003': MEMBER,
  }

  const main = urls('serverset', keys)
  const admin = urls('serverset', keys, { scheme: 'https', endpoint: 'admin' })
  const other = urls('serverset', keys, { scheme: 'http', endpoint: 'toString' })

  assert.deepEqual(main, ['www.prod.web/member_0000000001 http://10.0.0.1:31000'])
  assert.deepEqual(admin, ['www.prod.web/member_0000000001 https://10.0.0.1:31001'])
  assert.deepEqual(other, [
    'www.prod.web/member_0000000001 - has no additional endpoint "toString"',
  ])
})

test('Curator: the plain port, or the TLS port if there is only that or https is wanted', () => {
  const instance = { name: 'web', id: 'a', address: '10.0.0.1', port: 8080, sslPort: null }
  const keys = {
    'web/plain': { ...instance, serviceType: 'DYNAMIC', payload: null },
    'web/tls': { ...instance, port: null, sslPort: 8443 },
    'web/both': { ...instance, sslPort: 8443 },
    'web/off': { ...instance, enabled: false },
  }

  assert.deepEqual(urls('curator', keys), [
    'web/plain http://10.0.0.1:8080',
    'web/tls https://10.0.0.1:8443',
    'web/both http://10.0.0.1:8080',
  ])
  assert.deepEqual(urls('curator', keys, { scheme: 'https', endpoint: null }), [
    'web/plain https://10.0.0.1:8080',
    'web/tls https://10.0.0.1:8443',
    'web/both https://10.0.0.1:8443',
  ])
})

test('registrator: the JSON of ZooKeeper and the text of other registries', () => {
  const service = { Name: 'web', IP: '10.0.0.1', PublicPort: 32768, PrivatePort: 80, Tags: [] }

  const found = urls('registrator', {
    'web/32768': service,
    'web/host:web_1:80': '10.0.0.2:32769',
    'web/host:web_2:80': '[::1]:32770',
    'web/bad': 'nothing',
  })

  assert.deepEqual(found, [
    'web/32768 http://10.0.0.1:32768',
    'web/host:web_1:80 http://10.0.0.2:32769',
    'web/host:web_2:80 http://[::1]:32770',
    'web/bad - its host must be text, not ""',
  ])
})

test('a member that cannot be read is set aside with its reason, and no other', () => {
  const found = urls('nerve', {
    'web/a': NERVE,
    'web/b': '{"host":',
    'web/c': { port: 1 },
    'web/d': { ...NERVE, port: '80x' },
    'web/e': { ...NERVE, host: 'a/b' },
    'we b/f': NERVE,
    'web/g': '[1]',
  })

  assert.equal(found[0], 'web/a http://10.0.0.1:8080')
  for (const [at, reason] of [
    [1, /^web\/b - cannot be read as JSON/],
    [2, /^web\/c - its host must be text, not undefined/],
    [3, /^web\/d - its port must be from 1 to 65535, not "80x"/],
    [4, /^web\/e - its host /],
    [5, /^we b\/f - the id must be /],
    [6, /^web\/g - must be a map, not a list/],
  ] as const) {
    assert.match(found[at] ?? '', reason)
  }
})

test('what is no member declares nothing: services, empty znodes', () => {
  assert.deepEqual(urls('nerve', { web: { haproxy: {} }, 'web/empty': '' }), [])
  assert.deepEqual(urls('curator', { 'web/empty': '' }), [])
  assert.deepEqual(urls('registrator', { 'web/empty': '' }), [])
})

test('of two keys with one name the first counts, and says so beside its own remarks', () => {
  const [object, ...others] = read('nerve', {
    'a/b/i': { ...NERVE, port: 2 },
    'a.b/i': { ...NERVE, port: 1, weight: -1 },
  })

  assert.deepEqual(object?.value, { url: 'http://10.0.0.1:1' })
  assert.deepEqual(object.remarks, [
    'weight: must be from 0 to 1000',
    'has the same name as "/services/a/b/i", which is not used',
  ])
  assert.deepEqual(others, [])
})

test('whatever the keys and texts are, each name is declared once, valid or with a fault', () => {
  const segment = fc.oneof(
    fc.constantFrom('web', 'services', 'member_1', 'base64_1_e30_2', '__proto__', 'x'.repeat(200)),
    fc.string({ maxLength: 20 }).map((text) => text.replaceAll('/', '')),
  )
  const text = fc.oneof(
    fc.json(),
    fc.string(),
    fc.record({ host: fc.anything(), port: fc.anything() }).map((one) => JSON.stringify(one) ?? ''),
  )
  const name = fc.constantFrom<MemberLayoutName>('nerve', 'serverset', 'curator', 'registrator')

  fc.assert(
    fc.property(
      name,
      fc.array(fc.tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), text), { maxLength: 8 }),
      (layout, keys) => {
        const found = read(
          layout,
          Object.fromEntries(keys.map(([path, value]) => [path.join('/'), value])),
        )

        assert.equal(new Set(found.map(({ id }) => id)).size, found.length)
        for (const object of found) {
          const isValid = object.fault === undefined
          assert.equal(isValid, object.value !== undefined)
          if (isValid) assert.equal(refuseObjectName(object), null)
        }
      },
    ),
  )
})
