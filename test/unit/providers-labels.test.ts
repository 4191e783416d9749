import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { refuseObjectName } from '../../src/model/names.ts'
import { createLabelReader } from '../../src/providers/labels/label-reader.ts'
import { OF_BACKEND, OF_FRONTEND } from '../../src/providers/labels/native.ts'
import { jsonSchemaText } from '../../src/schema/json-schema.ts'
import {
  admit,
  container,
  readLabels,
  replicas,
  setAsideOf,
  valuesOf,
  type Labels,
} from '../support/labelled.ts'

const SHOP: Labels = { 'sluice.enable': 'true', 'sluice.host': 'shop.example', 'sluice.port': '80' }

test('three labels are a frontend, its backend and a server', () => {
  const labelled = readLabels([container(SHOP)])

  assert.deepEqual(valuesOf(labelled), {
    'frontend web-shop': { route: 'Host("shop.example")', backend: 'web-shop' },
    'backend web-shop': {},
    'server web-shop/shop-web-1': { url: 'http://10.0.0.1:80' },
  })
  assert.deepEqual(
    labelled.objects.map(({ key }) => key),
    Array(3).fill('container shop-web-1'),
  )
  const { snapshot, setAside } = admit(labelled)
  assert.deepEqual(setAside, [])
  assert.equal(snapshot.frontends.get('web-shop')?.backend, 'web-shop')
  assert.equal(snapshot.backends.get('web-shop')?.servers.length, 1)
  assert.deepEqual(labelled.problems, [])
})

test('a frontend of connections by labels has a server name and a plain server', () => {
  const labelled = readLabels(
    [
      container({ ...SHOP, 'sluice.protocol': 'tcp', 'sluice.listeners': 'tls' }),
      container(
        {
          ...{ 'sluice.enable': 'true', 'sluice.name': 'any', 'sluice.protocol': 'tcp' },
          ...{ 'sluice.rule': 'HostSNI("*")', 'sluice.scheme': 'tls', 'sluice.port': '80' },
        },
        { id: 'b' },
      ),
    ],
    { defaultRule: 'Host("{name}")' },
  )

  assert.deepEqual(valuesOf(labelled), {
    'frontend web-shop': {
      ...{ route: 'HostSNI("shop.example") && Listener("tls")', backend: 'web-shop' },
      protocol: 'tcp',
    },
    'backend web-shop': {},
    'server web-shop/shop-web-1': { url: 'tcp://10.0.0.1:80' },
    'frontend any': { route: 'HostSNI("*")', backend: 'any', protocol: 'tcp' },
    'backend any': {},
    'server any/b': { url: 'tls://10.0.0.1:80' },
  })
  assert.deepEqual(admit(labelled).setAside, [])
})

test('the only exposed port needs no label, several do', () => {
  const { 'sluice.port': _port, ...labels } = SHOP
  const one = readLabels([container(labels)])
  const several = readLabels([container(labels, { ports: [80, 443] })])
  const none = readLabels([container(labels, { ports: [] })])

  assert.deepEqual(valuesOf(one)['server web-shop/shop-web-1'], { url: 'http://10.0.0.1:8080' })
  assert.deepEqual(valuesOf(several)['server web-shop/shop-web-1'], {
    fault: 'has several ports, 80, 443: choose one with the label sluice.port',
  })
  assert.deepEqual(valuesOf(none)['server web-shop/shop-web-1'], {
    fault: 'has no port: write the label sluice.port',
  })
})

test('every option of a file is an option of a label, in the type that it needs there', () => {
  const labelled = readLabels([
    container({
      ...SHOP,
      'sluice.host': 'shop.example, *.shop.example',
      'sluice.path': '/api',
      'sluice.rule': 'Method("GET") || Method("HEAD")',
      'sluice.listeners': 'web, secure',
      'sluice.priority': '7',
      'sluice.passHost': 'false',
      'sluice.scheme': 'https',
      'sluice.weight': '3',
      'sluice.backup': 'true',
      'sluice.balance': 'hash',
      'sluice.hash.from': 'client-ip',
      'sluice.sticky': 'true',
      'sluice.sticky.cookie': 'lb',
      'sluice.health.path': '/up',
      'sluice.health.interval': '10',
      'sluice.health.status': '200,204',
      'sluice.ratelimit.requests': '10',
      'sluice.ratelimit.period': '1m',
      'sluice.headers.request.set.X-Who': '42',
      'sluice.headers.response.remove': 'Server, X-Powered-By',
      'sluice.middlewares[0].kind': 'bodylimit',
      'sluice.middlewares[0].size': '1MiB',
      'sluice.labels.team': 'shop',
    }),
  ])

  const { snapshot, setAside } = admit(labelled)

  assert.deepEqual(setAside, [])
  const frontend = snapshot.frontends.get('web-shop')
  assert.equal(
    frontend?.route,
    'Host("shop.example", "*.shop.example") && PathPrefix("/api") && ' +
      '(Listener("web") || Listener("secure")) && (Method("GET") || Method("HEAD"))',
  )
  assert.equal(frontend.priority, 7)
  assert.equal(frontend.passHost, false)
  assert.deepEqual(
    frontend.middlewares.map(({ kind }) => kind),
    ['headers', 'ratelimit', 'headers', 'bodylimit'],
  )
  assert.deepEqual(frontend.labels, { team: 'shop' })
  const backend = snapshot.backends.get('web-shop')
  assert.equal(backend?.balance, 'hash')
  assert.equal(backend.sticky?.cookie, 'lb')
  assert.equal(backend.health?.intervalMs, 10_000)
  assert.deepEqual(backend.health.http?.statuses, [
    [200, 200],
    [204, 204],
  ])
  const [server] = backend.servers
  assert.equal(server?.url, 'https://10.0.0.1:80')
  assert.equal(server.weight, 3)
  assert.equal(server.backup, true)
})

test('the labels of frontends and backends are the members that a file has', () => {
  const { definitions = {}, ...schema } = JSON.parse(jsonSchemaText()) as Record<string, never>
  const members = (section: string): string[] => {
    const { properties } = schema as unknown as { properties: Record<string, never> }
    const { additionalProperties } = properties[section] as unknown as {
      additionalProperties: { properties: object }
    }
    return Object.keys(additionalProperties.properties)
  }
  const all = (...lists: (readonly string[])[]): string[] => [...new Set(lists.flat())].sort()

  assert.deepEqual(definitions, {})
  assert.deepEqual(
    all(OF_FRONTEND, ['route', 'backend', 'timeouts', 'retry']),
    all(members('frontends')),
  )
  assert.deepEqual(all(OF_BACKEND, ['servers', 'breaker', 'labels']), all(members('backends')))
})

const LISTEN = { listen: '127.0.0.1' } as const

test('a port is a listener that leads to the backend, without a route, if the source permits it', () => {
  const labels = { 'sluice.enable': 'true', 'sluice.listen': '3213' }

  const permitted = readLabels([container(labels)], { ...LISTEN, defaultRule: 'Host("{name}")' })
  const refused = readLabels([container(labels)])

  assert.deepEqual(valuesOf(permitted), {
    'listener docker-3213': { address: '127.0.0.1:3213', backend: 'web-shop' },
    'backend web-shop': {},
    'server web-shop/shop-web-1': { url: 'http://10.0.0.1:8080' },
  })
  const { snapshot, setAside } = admit(permitted)
  assert.deepEqual([setAside, snapshot.listeners.get('docker-3213')?.backend], [[], 'web-shop'])
  assert.deepEqual(permitted.problems, [])
  assert.deepEqual(setAsideOf(refused), [
    'listener docker-3213: label "sluice.listen" is not permitted: the source has no option listen with the address to listen on',
  ])
})

test('a port may stand beside a route, and in a group of its own', () => {
  const labelled = readLabels(
    [
      container({
        ...SHOP,
        'sluice.ratelimit.requests': '1',
        'sluice.frontends.local.listen': '3213',
        'sluice.frontends.db.listen': '5432',
        'sluice.frontends.db.port': '5432',
        'sluice.frontends.db.protocol': 'tcp',
      }),
    ],
    LISTEN,
  )

  const {
    'listener docker-3213': local,
    'listener docker-5432': db,
    ...others
  } = valuesOf(labelled)
  assert.deepEqual(local, { address: '127.0.0.1:3213', backend: 'web-shop' })
  assert.deepEqual(db, { address: '127.0.0.1:5432', protocol: 'tcp', backend: 'web-shop-db' })
  assert.deepEqual(Object.keys(others).sort(), [
    'backend web-shop',
    'backend web-shop-db',
    'frontend web-shop',
    'server web-shop-db/shop-web-1',
    'server web-shop/shop-web-1',
  ])
})

test('a port that would lead past a guard, or is none, is not opened', () => {
  const reasons = (labels: Labels): readonly string[] =>
    setAsideOf(readLabels([container({ ...SHOP, ...labels })], LISTEN))

  assert.deepEqual(reasons({ 'sluice.listen': '3213', 'sluice.ratelimit.requests': '1' }), [
    'listener docker-3213: label "sluice.listen" leads past sluice.ratelimit: write it below sluice.frontends.NAME',
  ])
  assert.match(
    reasons({ 'sluice.listen': '3213', 'sluice.ratelimits': '1' }).join('\n'),
    /listener docker-3213: label "sluice.ratelimits" is not known/,
  )
  for (const port of ['80', '70000', '127.0.0.1:3213', '', '3213/tcp']) {
    assert.match(
      reasons({ 'sluice.listen': port }).join('\n'),
      /^listener docker-web-shop: label "sluice.listen" must be a port from 1024 to 65535, not "/,
    )
  }
})

test('of two services with one port the older one has it, and the other is reported', () => {
  const labels = { 'sluice.enable': 'true', 'sluice.listen': '3213' }
  const users = { id: 'shop-users-1', service: 'users-shop', createdAt: 1 }

  const { objects, problems } = readLabels([container(labels), container(labels, users)], LISTEN)

  const listener = objects.find(({ kind }) => kind === 'listener')
  assert.deepEqual(listener?.value, { address: '127.0.0.1:3213', backend: 'web-shop' })
  assert.deepEqual(
    problems.map(({ id, key, message }) => [id, key, message]),
    [
      [
        'docker-3213',
        'container shop-users-1',
        'its backend differs from that of container shop-web-1, which is older and in force',
      ],
    ],
  )
})

test('several frontends have a name each, and share the backend unless they write one of their own', () => {
  const labelled = readLabels([
    container({
      ...SHOP,
      'sluice.frontends.api.host': 'api.example',
      'sluice.frontends.api.ratelimit.requests': '5',
      'sluice.frontends.admin.host': 'admin.example',
      'sluice.frontends.admin.port': '9000',
      'sluice.frontends.www.host': 'www.shop.example',
      'sluice.frontends.www.redirect.to': 'https://shop.example{uri}',
    }),
  ])

  assert.deepEqual(valuesOf(labelled), {
    'frontend web-shop': { route: 'Host("shop.example")', backend: 'web-shop' },
    'frontend web-shop-api': {
      route: 'Host("api.example")',
      backend: 'web-shop',
      ratelimit: { requests: '5' },
    },
    'frontend web-shop-admin': { route: 'Host("admin.example")', backend: 'web-shop-admin' },
    'frontend web-shop-www': {
      route: 'Host("www.shop.example")',
      redirect: { to: 'https://shop.example{uri}' },
    },
    'backend web-shop': {},
    'server web-shop/shop-web-1': { url: 'http://10.0.0.1:80' },
    'backend web-shop-admin': {},
    'server web-shop-admin/shop-web-1': { url: 'http://10.0.0.1:9000' },
  })
  assert.deepEqual(setAsideOf(labelled), [])
})

test('named frontends alone leave no backend of the whole container behind', () => {
  const labelled = readLabels([
    container(
      {
        'sluice.enable': 'true',
        'sluice.frontends.a.host': 'a.example',
        'sluice.frontends.a.port': '1',
        'sluice.frontends.b.host': 'b.example',
        'sluice.frontends.b.port': '2',
      },
      { ports: [1, 2, 3] },
    ),
  ])

  assert.deepEqual(Object.keys(valuesOf(labelled)).sort(), [
    'backend web-shop-a',
    'backend web-shop-b',
    'frontend web-shop-a',
    'frontend web-shop-b',
    'server web-shop-a/shop-web-1',
    'server web-shop-b/shop-web-1',
  ])
})

test('labels give other names, also that of a backend in another source', () => {
  const named = readLabels([container({ ...SHOP, 'sluice.name': 'shop' })])
  const joined = readLabels([container({ ...SHOP, 'sluice.backend': 'pool' })])
  const foreign = readLabels([container({ ...SHOP, 'sluice.backend': 'pool@file' })])

  assert.deepEqual(Object.keys(valuesOf(named)), [
    'frontend shop',
    'backend shop',
    'server shop/shop-web-1',
  ])
  assert.deepEqual(Object.keys(valuesOf(joined)), [
    'frontend web-shop',
    'backend pool',
    'server pool/shop-web-1',
  ])
  assert.deepEqual(Object.keys(valuesOf(foreign)), [
    'frontend web-shop',
    'server pool@file/shop-web-1',
  ])
})

test('a misspelled label sets its frontend aside, with the name that is meant', () => {
  const labelled = readLabels([
    container({ ...SHOP, 'sluice.hots': 'x', 'sluice.backend.port': '1' }),
    container({ ...SHOP, 'sluice.frontends.api.hots': 'x' }, { id: 'b', service: 'b' }),
    container({ 'sluice.enable': 'true', 'sluice.frontends': 'x' }, { id: 'c', service: 'c' }),
  ])

  assert.deepEqual(setAsideOf(labelled), [
    'frontend b-api: label "sluice.frontends.api.hots" is not known, did you mean "sluice.frontends.api.host"?',
    'frontend c: label "sluice.frontends" needs a name below it',
    'frontend web-shop: label "sluice.hots" is not known, did you mean "sluice.host"?; label "sluice.backend.port" is not known',
  ])
})

test('a wrong value sets aside only its own object', () => {
  const bad = (labels: Labels): readonly string[] =>
    setAsideOf(readLabels([container({ ...SHOP, ...labels })]))

  assert.deepEqual(bad({ 'sluice.weight': 'heavy' }), [
    'server web-shop/shop-web-1: weight: must be a whole number from 1 to 1000, not "heavy"',
  ])
  assert.deepEqual(bad({ 'sluice.port': '0' }), [
    'server web-shop/shop-web-1: label sluice.port must be a port from 1 to 65535, not "0"',
  ])
  assert.deepEqual(bad({ 'sluice.scheme': 'ftp' }), [
    'server web-shop/shop-web-1: label sluice.scheme must be http, https, h2c, tcp or tls, not "ftp"',
  ])
  assert.deepEqual(
    bad({ 'sluice.health.interval': '5x' })[0],
    [
      'backend web-shop: health.interval: must be a duration such as 10s, 500ms or 1m30s, not "5x"',
    ][0],
  )
  assert.deepEqual(bad({ 'sluice.rule': 'Host(' }).length, 1)
  assert.deepEqual(bad({ 'sluice.host': '' }), ['frontend web-shop: label "sluice.host" is empty'])
  assert.deepEqual(
    bad({ 'sluice.health': 'x', 'sluice.health.path': '/' })[0],
    'backend web-shop: label "sluice.health" has a value and members',
  )
})

test('a frontend without a route is set aside', () => {
  const labelled = readLabels([
    container({ 'sluice.enable': 'true', 'sluice.ratelimit.requests': '1' }),
    container({ 'sluice.enable': '1', 'sluice.frontends.a.port': '1' }, { id: 'b', service: 'b' }),
  ])

  assert.deepEqual(setAsideOf(labelled), [
    'frontend b-a: has no route: write sluice.frontends.a.host, sluice.frontends.a.path or sluice.frontends.a.rule',
    'frontend web-shop: has no route: write sluice.host, sluice.path or sluice.rule',
  ])
})

test('a server that cannot be reached says why, and one that does not serve is not declared', () => {
  const reason = 'is in no network of Sluice'
  const lost = readLabels([container(SHOP, { address: () => ({ reason }) })])
  const starting = readLabels([container(SHOP, { isServing: false })])
  const six = readLabels([container(SHOP, { address: (port) => ({ host: 'fd00::7', port }) })])

  assert.deepEqual(setAsideOf(lost), [`server web-shop/shop-web-1: ${reason}`])
  assert.deepEqual(Object.keys(valuesOf(starting)), ['frontend web-shop', 'backend web-shop'])
  assert.deepEqual(valuesOf(six)['server web-shop/shop-web-1'], { url: 'http://[fd00::7]:80' })
})

test('instances with equal labels are one frontend, one backend and a server each', () => {
  const labelled = readLabels(replicas(5, { ...SHOP, 'sluice.health.path': '/up' }))

  assert.equal(labelled.objects.length, 7)
  assert.deepEqual(labelled.problems, [])
  assert.equal(admit(labelled).snapshot.backends.get('web-shop')?.servers.length, 5)
})

test('of conflicting definitions the earlier one is in force, and the other is reported', () => {
  const [first, second] = replicas(2, SHOP)
  assert.ok(first !== undefined && second !== undefined)
  const changed = { ...second, labels: new Map(Object.entries({ ...SHOP, 'sluice.host': 'new' })) }

  const labelled = readLabels([changed, first])
  const alone = readLabels([changed])

  assert.deepEqual(valuesOf(labelled)['frontend web-shop'], {
    route: 'Host("shop.example")',
    backend: 'web-shop',
  })
  assert.deepEqual(labelled.problems, [
    {
      kind: 'frontend',
      id: 'web-shop',
      message: 'its route differs from that of container shop-web-1, which is older and in force',
      source: '',
      key: 'container shop-web-2',
    },
  ])
  assert.equal(labelled.objects.filter(({ kind }) => kind === 'server').length, 2)
  assert.deepEqual(valuesOf(alone)['frontend web-shop'], {
    route: 'Host("new")',
    backend: 'web-shop',
  })
})

test('a definition that can be read is preferred to an earlier one that cannot', () => {
  const [first, second] = replicas(2, SHOP)
  assert.ok(first !== undefined && second !== undefined)
  const faulty = { ...first, labels: new Map(Object.entries({ ...SHOP, 'sluice.hots': 'x' })) }

  const labelled = readLabels([faulty, second])

  assert.deepEqual(setAsideOf(labelled), [])
  assert.deepEqual(
    labelled.problems.map(({ key, message }) => `${key}: ${message}`),
    [
      'container shop-web-1: label "sluice.hots" is not known, did you mean "sluice.host"?; the labels of container shop-web-2 are in force',
    ],
  )
})

test('an instance that joins a backend without options changes none of them', () => {
  const shop = container({ ...SHOP, 'sluice.balance': 'random' }, { createdAt: 2 })
  const canary = container(
    { 'sluice.enable': 'true', 'sluice.backend': 'web-shop', 'sluice.weight': '5' },
    { id: 'canary', service: 'canary', createdAt: 1 },
  )

  const labelled = readLabels([shop, canary])

  assert.deepEqual(labelled.problems, [])
  assert.deepEqual(valuesOf(labelled)['backend web-shop'], { balance: 'random' })
  assert.deepEqual(valuesOf(labelled)['server web-shop/canary'], {
    url: 'http://10.0.0.1:8080',
    weight: 5,
  })
})

test('names that are no ids become ids, and those that then are equal are reported', () => {
  const labelled = readLabels([
    container(SHOP, { service: 'a b', createdAt: 1 }),
    container(SHOP, { service: 'a/b', id: 'x', createdAt: 2 }),
  ])

  assert.deepEqual(Object.keys(valuesOf(labelled)).slice(0, 3), [
    'frontend a-b',
    'backend a-b',
    'server a-b/shop-web-1',
  ])
  assert.equal(admit(labelled).snapshot.frontends.get('a-b')?.backend, 'a-b')
  assert.match(labelled.problems[0]?.message ?? '', /differs from that of container shop-web-1/)
})

test('an instance is read if it is enabled, or if all are and it is not disabled', () => {
  const of = (labels: Labels, exposedByDefault = false): number =>
    readLabels([container(labels)], { exposedByDefault }).objects.length
  const host = { 'sluice.host': 'a' }

  assert.equal(of({ ...host, 'sluice.enable': 'TRUE' }), 3)
  assert.equal(of({ ...host, 'sluice.enable': 'false' }, true), 0)
  assert.equal(of(host), 0)
  assert.equal(of(host, true), 3)
  assert.equal(of({}, true), 2)
  assert.equal(of({ ...host, 'Traefik.Enable': 'true' }), 3)
  assert.equal(of({ ...host, 'traefik.enable': 'true', 'sluice.enable': '0' }), 0)
})

test('labels that are not read because of a missing or wrong switch are reported', () => {
  const problems = (labels: Labels): string[] =>
    readLabels([container(labels)]).problems.map(({ level, message }) => `${level}: ${message}`)

  assert.deepEqual(problems({ 'sluice.host': 'a' }), [
    'hint: has "sluice.host", but no sluice.enable: true, so that nothing of it is read (exposedByDefault is false)',
  ])
  assert.deepEqual(problems({ 'sluice.enable': 'on', 'sluice.host': 'a' }), [
    'undefined: label "sluice.enable" must be true or false, not "on"; nothing of it is read',
  ])
  assert.deepEqual(problems({ maintainer: 'x' }), [])
})

test('an instance that is enabled without a label of a route is reported, unless its labels say whose servers it joins', () => {
  const problems = (labels: Labels, defaultRule: string | null = null): string[] => {
    const of = { 'sluice.enable': 'true', ...labels }
    const read = readLabels([container(of)], { defaultRule })
    return read.problems.map(({ level, key, message }) => `${level}: ${key}: ${message}`)
  }

  const bare = problems({})

  assert.deepEqual(bare, [
    'hint: container shop-web-1: has no route: write sluice.host, sluice.path or sluice.rule, unless another source declares a frontend for backend "web-shop"',
  ])
  assert.deepEqual(problems({ 'sluice.host': 'a' }), [])
  assert.deepEqual(problems({ 'sluice.hots': 'a' }), [])
  assert.deepEqual(problems({ 'sluice.backend': 'shop' }), [])
  assert.deepEqual(problems({ 'sluice.name': 'shop' }), [])
  assert.deepEqual(problems({ 'sluice.frontends.api.host': 'a' }), [])
  assert.deepEqual(problems({ 'traefik.http.routers.a.rule': 'Host(`a`)' }), [])
  assert.deepEqual(problems({}, 'Host("{name}.localhost")'), [])
})

// Traefik 459.
test('a space around the name of a label is not a part of it', () => {
  const labelled = readLabels([container({ ' sluice.enable': 'true', 'sluice.host ': 'a' })])

  assert.deepEqual(valuesOf(labelled)['frontend web-shop'], {
    route: 'Host("a")',
    backend: 'web-shop',
  })
})

test('the default rule is the route of an instance without one', () => {
  const rules = { exposedByDefault: true, defaultRule: 'Host("{name}.localhost")' }
  const plain = readLabels([container({}, { service: 'web_shop' })], rules)
  const routed = readLabels([container({ 'sluice.path': '/x' })], rules)

  assert.deepEqual(valuesOf(plain)['frontend web_shop'], {
    route: 'Host("web-shop.localhost")',
    backend: 'web_shop',
  })
  assert.deepEqual(valuesOf(routed)['frontend web-shop'], {
    route: 'PathPrefix("/x")',
    backend: 'web-shop',
  })
})

test('the translation of an instance is kept while it is the same object', () => {
  const reader = createLabelReader({
    ...{ kind: 'docker', exposedByDefault: false, constraint: null },
    ...{ defaultRule: null, listen: null, virtualHost: false },
  })
  const items = replicas(3, SHOP)
  const before = reader.read(items).objects

  const after = reader.read([...items].reverse()).objects

  const identical = before.filter((object) => after.includes(object))
  assert.equal(identical.length, before.length)
})

const WORDS = [
  ...['sluice', 'enable', 'host', 'port', 'frontends', 'a', 'b', 'health', 'path', 'backend'],
  ...['name', 'weight', 'middlewares', '0', '[1]', '__proto__', 'constructor', '', 'rule', 'x y'],
  ...['redirect', 'to', 'sticky', 'Traefik', 'traefik', 'http', 'routers', 'services', 'service'],
  ...['loadbalancer', 'server', 'middlewares', 'stripprefix', 'prefixes', 'entrypoints', 'chain'],
  ...[
    'ipallowlist',
    'sourcerange',
    'headers',
    'stsseconds',
    'customresponseheaders',
    'url',
    'HOST',
  ],
]
const name = fc.array(fc.constantFrom(...WORDS), { maxLength: 6 }).map((steps) => steps.join('.'))
const text = fc.oneof(
  fc.constantFrom('true', 'a.example', '80', '/x', 'Host(`a`)', '', 'a,b', '0'),
  fc.string({ maxLength: 12 }),
)
const labels = fc.dictionary(
  fc.oneof(
    name,
    name.map((one) => `sluice.${one}`),
  ),
  text,
  {
    maxKeys: 12,
  },
)
const instance = fc
  .record({
    labels,
    id: fc.oneof(fc.constantFrom('a', 'b'), fc.string({ maxLength: 8 })),
    service: fc.oneof(fc.constantFrom('s', 't'), fc.string({ maxLength: 200 })),
    createdAt: fc.integer({ min: 0, max: 3 }),
    ports: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 3 }),
    isServing: fc.boolean(),
  })
  .map(({ labels, ...about }) => container({ ...labels, 'sluice.enable': 'true' }, about))
const instances = fc.uniqueArray(instance, { maxLength: 6, selector: ({ id }) => id })

test('any labels give valid names, each once, in any order of the instances', () => {
  fc.assert(
    fc.property(instances, fc.boolean(), (items, virtualHost) => {
      const rules = { virtualHost, defaultRule: 'Host("{name}")' }
      const labelled = readLabels(items, rules)
      const reversed = readLabels([...items].reverse(), rules)

      const names = labelled.objects.map(({ kind, id }) => `${kind} ${id}`)
      assert.equal(new Set(names).size, names.length)
      assert.deepEqual(labelled.objects.map(refuseObjectName).filter(Boolean), [])
      assert.ok(names.length <= 60 && labelled.problems.length <= 101)
      assert.deepEqual(valuesOf(reversed), valuesOf(labelled))
      assert.deepEqual(
        reversed.problems.map(({ message }) => message).sort(),
        labelled.problems.map(({ message }) => message).sort(),
      )
      admit(labelled)
    }),
    { numRuns: 500 },
  )
})
