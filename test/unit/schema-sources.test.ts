/* oxlint-disable no-template-curly-in-string -- references are written so */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDocument } from '../../src/document/document.ts'
import type { SourceSpec } from '../../src/model/settings.ts'
import { SOURCE_KINDS } from '../../src/providers/catalog/sources.ts'
import type { DnsSource } from '../../src/providers/dns/source.ts'
import { etcd, type EtcdSource } from '../../src/providers/etcd/source.ts'
import type { RedisSource } from '../../src/providers/redis/source.ts'
import type { ZookeeperSource } from '../../src/providers/zookeeper/source.ts'
import { resolveSettings, type ResolvedSettings } from '../../src/schema/resolve-settings.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { parseSources } from '../../src/schema/sources.ts'
import { createAuthority } from '../support/certificates.ts'

const KINDS = SOURCE_KINDS.map(({ kind }) => kind).join(', ')
const world = {
  filename: '/etc/sluice/sluice.yaml',
  data: '/var/lib/sluice',
  resolver: resolverSchema.parse(undefined),
}
const common = { required: true, shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false } }
const open = { username: null, password: null, tls: null, sealKey: null }

function resolve(sources: string, env?: Record<string, string>): ResolvedSettings {
  const document = parseDocument(`sources:\n${sources}`, world.filename)
  assert.ok(document.readable)
  const references = {
    env: env ?? {},
    readFile: (path: string) => (path === 'secret' ? 'p/w\n' : assert.fail(path)),
  }
  return resolveSettings({
    ...{ document, filename: world.filename, env: {}, flags: {}, cores: 1 },
    ...(env === undefined ? {} : { references }),
  })
}

function flawsOf(form: unknown, name = 'etcd'): readonly string[] {
  const { sources, flaws } = parseSources({ [name]: form }, world)
  assert.deepEqual(sources, [])
  return flaws.map(({ message }) => message)
}

test('takes the shortest form of each kind, its name for its kind, in written order', () => {
  const { sources, flaws } = parseSources(
    {
      redis: { url: 'redis://r' },
      files: { directory: 'conf.d' },
      etcd: { endpoints: ['127.0.0.1:2379'] },
      store: null,
    },
    world,
  )

  assert.deepEqual(flaws, [])
  const registry = { prefix: '/sluice', layout: 'sluice', ...open }
  assert.deepEqual(sources, [
    {
      ...{ name: 'redis', ...common, kind: 'redis', endpoints: ['r:6379'] },
      ...{ cluster: false, database: 0, ...registry },
    },
    { name: 'files', ...common, kind: 'files', directory: '/etc/sluice/conf.d' },
    { name: 'etcd', ...common, kind: 'etcd', endpoints: ['127.0.0.1:2379'], ...registry },
    { name: 'store', ...common, kind: 'store', path: '/var/lib/sluice/store.db' },
  ])
})

test('takes every key', () => {
  const key = 'ab'.repeat(32)
  const tls = { ca: 'ca.pem', cert: 'c.pem', key: 'k.pem', serverName: 'etcd', verify: false }
  const shrink = { hold: 'forever', share: 0.9, allowEmpty: true }
  const login = { username: 'u', password: 'p', sealKey: key, required: false, shrink, tls }
  const { sources, flaws } = parseSources(
    {
      a: { kind: 'etcd', endpoints: 'x:1, [::1]', prefix: '/p/', layout: 'vulcand', ...login },
      b: { kind: 'redis', endpoints: 'x', database: 3, layout: 'traefik', ...login },
      c: { kind: 'redis', endpoints: ['x', 'y'], cluster: true },
      d: { kind: 'store', path: '/x/y.db' },
    },
    world,
  )

  assert.deepEqual(flaws, [])
  const written = {
    ...{ username: 'u', password: 'p', sealKey: key, tls, required: false },
    shrink: { holdMs: null, share: 0.9, allowEmpty: true },
  }
  const [a, b, c, d] = sources
  assert.deepEqual(a, {
    ...{ name: 'a', kind: 'etcd', endpoints: ['x:1', '[::1]:2379'], ...written },
    ...{ prefix: '/p', layout: 'vulcand' },
  })
  assert.deepEqual(b, {
    ...{ name: 'b', kind: 'redis', endpoints: ['x:6379'], cluster: false, database: 3 },
    ...{ ...written, prefix: 'traefik', layout: 'traefik' },
  })
  assert.ok((c as RedisSource).cluster)
  assert.deepEqual(d, { name: 'd', ...common, kind: 'store', path: '/x/y.db' })
})

test('reads a url of Redis, with what is escaped in it, and https endpoints as TLS', () => {
  const { sources } = parseSources(
    { redis: { url: 'rediss://me:p%2Fw%40@[::1]:7/2' }, etcd: { endpoints: 'https://e' } },
    world,
  )
  const [redis, etcd] = sources as [RedisSource, EtcdSource]
  const tls = { ca: null, cert: null, key: null, serverName: null, verify: true }

  assert.deepEqual(
    [redis.endpoints, redis.username, redis.password, redis.database, redis.tls],
    [['[::1]:7'], 'me', 'p/w@', 2, tls],
  )
  assert.deepEqual([etcd.endpoints, etcd.tls], [['e:2379'], tls])
})

test('reads the connect string of ZooKeeper, with its chroot, as text and as a list', () => {
  const written = {
    a: 'zk1, zk2:2182/lb/',
    b: ['zk1:2181/lb', '[::1]:1/lb'],
    c: ['zk1', 'zk2'],
    d: 'zk1/',
  }

  const found = Object.values(written).map((endpoints) => {
    const source = { kind: 'zookeeper', endpoints, layout: 'traefik' }
    const [spec] = parseSources({ zk: source }, world).sources as ZookeeperSource[]
    return [spec?.endpoints, spec?.prefix]
  })

  assert.deepEqual(found, [
    [['zk1:2181', 'zk2:2182'], '/lb/traefik'],
    [['zk1:2181', '[::1]:1'], '/lb/traefik'],
    [['zk1:2181', 'zk2:2181'], '/traefik'],
    [['zk1:2181'], '/traefik'],
  ])
})

test('says what is wrong with a source, with its whole path and without a password', () => {
  const etcd = { endpoints: 'x:1' }
  const cases: readonly [unknown, string, string?][] = [
    [{}, 'sources.etcd.endpoints: is missing'],
    ['x', 'sources.etcd: must be a map, not "x"'],
    [
      { endpoints: [] },
      'sources.etcd.endpoints: must be a list such as ["127.0.0.1:2379"], not a list',
    ],
    [{ endpoints: 'u:pw@h:1' }, 'sources.etcd.endpoints: must be host:port, not what is written'],
    [
      { endpoints: 'h:70000' },
      'sources.etcd.endpoints: the port must be from 1 to 65535, not "70000"',
    ],
    [{ ...etcd, prefx: '/' }, 'sources.etcd: unknown key "prefx", did you mean "prefix"?'],
    [
      { ...etcd, prefix: '/a//b' },
      'sources.etcd.prefix: must be the beginning of keys such as /sluice or team/sluice, not "/a//b"',
    ],
    [
      { ...etcd, layout: 'x' },
      'sources.etcd.layout: must be sluice or vulcand or traefik or fabio or nerve or serverset or curator or registrator, not "x"',
    ],
    [
      { ...etcd, username: 'u', password: 12345 },
      'sources.etcd.password: must be text of 1 to 4096 characters (digits alone need quotes)',
    ],
    [{ ...etcd, password: 'p' }, 'sources.etcd.password: needs both username and password'],
    [
      { endpoints: 'a/x,b/y' },
      'sources.zookeeper.endpoints: all have the same chroot, which is written after the last',
      'zookeeper',
    ],
    [
      { endpoints: 'a/x//y' },
      'sources.zookeeper.endpoints: its chroot must be the beginning of keys such as /sluice or team/sluice, not "/x//y"',
      'zookeeper',
    ],
    [
      { endpoints: 'u:pw@a/x' },
      'sources.zookeeper.endpoints: must be host:port, not what is written',
      'zookeeper',
    ],
    [
      { endpoints: 'a', username: 'u' },
      'sources.zookeeper.username: needs both username and password',
      'zookeeper',
    ],
    [{ ...etcd, sealKey: 'secret' }, 'sources.etcd.sealKey: must be 64 hexadecimal digits'],
    [{ ...etcd, tls: { cert: 'c' } }, 'sources.etcd.tls: needs both cert and key, or neither'],
    [{ ...etcd, shrink: { share: 2 } }, 'sources.etcd.shrink.share: must be from 0 to 1'],
    [
      { ...etcd, shrink: { hold: 'ever' } },
      'sources.etcd.shrink.hold: must be a duration such as 10s, 500ms or 1m30s, not "ever"',
    ],
    [{}, 'sources.redis: needs a url or endpoints', 'redis'],
    [
      { url: 'redis://u:p/w@h' },
      'sources.redis.url: must be as redis://user:password@host:6379/0; a password has its / and @ as %2F and %40',
      'redis',
    ],
    [
      { url: 'redis://h', endpoints: 'h' },
      'sources.redis.endpoints: is said by the url already',
      'redis',
    ],
    [
      { url: 'redis://:a@h', password: 'b' },
      'sources.redis.password: is said by the url already',
      'redis',
    ],
    [
      { endpoints: 'a,b' },
      'sources.redis.endpoints: several are the seeds of a cluster: add cluster: true, or name one',
      'redis',
    ],
    [
      { endpoints: 'a', cluster: true, database: 1 },
      'sources.redis.database: a cluster has database 0 only',
      'redis',
    ],
    [{}, 'sources.files.directory: is missing', 'files'],
    [
      {},
      `sources.mine: needs a kind, one of ${KINDS}; a name that is one of them is enough`,
      'mine',
    ],
    [
      { kind: 'etdc' },
      `sources.mine.kind: must be one of ${KINDS}, not "etdc", did you mean "etcd"?`,
      'mine',
    ],
    [etcd, 'sources.file: the name "file" is that of the main file; give it another', 'file'],
    [etcd, 'sources.a@b: the name "a@b" cannot hold an @, begin with a dot, or be a number', 'a@b'],
    [etcd, 'sources..x: the name ".x" cannot hold an @, begin with a dot, or be a number', '.x'],
    [etcd, 'sources...: the id ".." is reserved', '..'],
    [etcd, 'sources.7: the name "7" cannot hold an @, begin with a dot, or be a number', '7'],
  ]
  for (const [form, message, name] of cases) assert.deepEqual(flawsOf(form, name), [message])
})

test('a source of DNS takes names with and without addresses, and the settings of the resolver', () => {
  const backends = {
    srv: '_http._tcp.vote.service.consul',
    url: 'https://Tasks.Vote',
    port: 'tasks.vote.:8080',
    map: { name: 'vote', type: 'SRV', scheme: 'https' },
    other: { name: '_ldap._tcp.vote', type: 'SRV', port: 636 },
    addresses: { name: 'vote', type: 'A' },
    ported: { name: 'vote', port: 81 },
  }
  const { sources, flaws } = parseSources({ dns: { servers: ['127.0.0.1:8600'], backends } }, world)

  assert.deepEqual(flaws, [])
  const [spec] = sources as readonly DnsSource[]
  assert.deepEqual(spec?.resolver, { ...world.resolver, servers: ['127.0.0.1:8600'] })
  assert.deepEqual(
    spec.backends.map(
      ({ id, name, type, scheme, port }) => `${id} ${name} ${type} ${scheme} ${port}`,
    ),
    [
      'srv _http._tcp.vote.service.consul SRV http null',
      'url tasks.vote A https 443',
      'port tasks.vote. A http 8080',
      'map vote SRV https null',
      'other _ldap._tcp.vote SRV http 636',
      'addresses vote A http 80',
      'ported vote A http 81',
    ],
  )
})

test('a source of DNS refuses what names no server', () => {
  for (const [backends, message] of [
    [{}, /must name at least one backend/],
    [{ a: 'http://10.0.0.1:80' }, /must be a name, not the address/],
    [{ a: 'ftp://a' }, /must be a name such as _http\._tcp\.vote\.internal or http:\/\/vote:8080/],
    [{ a: 'a/b' }, /must be a name such as/],
    [{ a: 'a_-' }, /is not a valid name/],
    [{ a: 'http://a:0' }, /the port must be from 1 to 65535, not 0/],
    [{ 'a/b': 'a' }, /the id must be 1 to 128 letters/],
    [{ a: { name: 'a', type: 'MX' } }, /./],
  ] as const) {
    assert.match(flawsOf({ backends }, 'dns').join(), message)
  }
})

test('the embedded store is the source where none is written, and none where none is wanted', () => {
  const store = [{ name: 'store', ...common, required: false, kind: 'store', path: '/d/store.db' }]

  assert.deepEqual(parseSources(undefined, { ...world, data: '/d' }).sources, store)
  assert.deepEqual(parseSources(null, { ...world, data: '/d' }).sources, store)
  assert.deepEqual(parseSources({}, world), { sources: [], flaws: [] })
})

test('a source that cannot be understood stops a start, with line and column; another mistake does not', () => {
  const { settings, problems, fatal } = resolve(
    '  etcd: { endpoints: x, layot: a }\n  store:\nworkers: many\n',
  )

  assert.deepEqual(
    settings.sources.map(({ name }) => name),
    ['store'],
  )
  assert.equal(problems.length, 2)
  assert.deepEqual(fatal, [
    {
      ...{ kind: 'settings', id: '', source: 'file', line: 2, column: 25 },
      message: 'sources.etcd: unknown key "layot", did you mean "layout"?',
      key: '/etc/sluice/sluice.yaml#/sources/etcd/layot',
    },
  ])
})

test('puts in what settings refer to; a source that lacks its password is none', () => {
  const text =
    '  etcd: { endpoints: x, username: u, password: "${file:secret}" }\n  redis: { url: "redis://:${PW}@h" }\n'
  const whole = resolve(text, { PW: 'x%2Fy' })
  const lacking = resolve(text, {})
  const asWritten = resolve(text)

  const passwords = ({ settings }: ResolvedSettings): unknown[] =>
    settings.sources.map((source) => ('password' in source ? source.password : undefined))
  assert.deepEqual(passwords(whole), ['p/w', 'x/y'])
  assert.deepEqual(passwords(lacking), ['p/w'])
  assert.deepEqual(
    lacking.fatal.map(({ message, line }) => [message, line]),
    [
      [
        'sources.redis.url: the variable PW is not set, or empty; set it, or delete line 3 if it is not needed',
        3,
      ],
    ],
  )
  assert.equal(passwords(asWritten)[0], '${file:secret}')
})

test('what was put in never stands in a message', () => {
  const { problems } = resolve('  etcd: { endpoints: "${PW}", prefix: "a ${PW}" }\n', {
    PW: 's3 cret',
  })

  assert.equal(problems.length, 2)
  assert.doesNotMatch(JSON.stringify(problems), /s3/)
})

test('no source makes it throw', () => {
  const form = fc.dictionary(
    fc.constantFrom('kind', 'endpoints', 'url', 'tls', 'shrink', 'prefix', 'path', 'directory'),
    fc.oneof(fc.anything(), fc.constantFrom('redis', 'etcd', 'x:1', 'redis://x')),
  )
  const name = fc.oneof(fc.string(), fc.constantFrom('etcd', 'redis', 'files', 'store'))
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(form, fc.anything())), (written) => {
      const { sources, flaws } = parseSources(written, world)
      assert.ok(sources.length + flaws.length >= Object.keys(written).length)
    }),
  )
})

test('reads the files of a source, and says which of them is wrong', (t) => {
  const { cert, key } = createAuthority(t).issue('etcd')
  const files: Readonly<Record<string, string>> = { 'c.pem': cert, 'k.pem': key, bad: 'x' }
  const read = (path: string): string => files[path] ?? assert.fail(path)
  const specOf = (ca: string): SourceSpec => {
    const tls = { ca, cert: 'c.pem', key: 'k.pem' }
    const [spec] = parseSources({ etcd: { endpoints: 'x', tls } }, world).sources
    return spec ?? assert.fail()
  }

  const good = etcd.withFiles(specOf('c.pem'), read)
  const bad = etcd.withFiles(specOf('bad'), read)

  assert.ok(good.ok && !bad.ok)
  const tls = { ca: cert, cert, key, serverName: null, verify: true }
  assert.deepEqual((good.value as EtcdSource).tls, tls)
  assert.match(bad.problems[0]?.message ?? '', /^sources\.etcd\.tls\.ca: "bad" is not usable PEM/)
})
