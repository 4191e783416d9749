// A route of Traefik or vulcand that cannot be honoured, from its keys to what is in force.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmission } from '../../src/control/admission/admit.ts'
import type { Admission, SetAside } from '../../src/control/admission/admit.ts'
import { createMerge } from '../../src/control/sources/merge.ts'
import type { LayoutName } from '../../src/providers/layout.ts'
import type { Frontend } from '../../src/model/snapshot.ts'
import { createLayout } from '../support/layouts.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import { openSource } from '../support/declared.ts'

type Keys = Readonly<Record<string, string | null>>

interface Registry {
  /** Null takes a key away. What is in force of the frontend `r` then. */
  put(keys: Keys): Frontend | null
  /** What was found wrong with the frontend, or what belongs to it. */
  setAside(): readonly SetAside[]
  problems(): readonly string[]
  /** Frontends. */
  inForce(): number
}

function openRegistry(layout: LayoutName): Registry {
  const mirror = createMirror(createLayout(layout, { sealKey: null }))
  const source = openSource('kv')
  const merge = createMerge([source])
  const admission: Admission = createAdmission({
    readFile: String,
    admin: null,
    localAddresses: () => new Set(),
    now: () => 0,
  })
  let problems: readonly string[] = []
  return {
    put(keys) {
      for (const [path, text] of Object.entries(keys)) {
        if (text === null) mirror.delete(path)
        else mirror.put({ path, key: `/${path}`, text })
      }
      const declared = mirror.declare({ revision: '1', listed: 'first', changedAt: 0 })
      problems = declared.problems.map(({ id, message }) => `${id}: ${message}`)
      const names = source.replace([...declared.objects])
      const view = { locate: () => undefined, revision: () => '' }
      const { snapshot } = admission.admit({ names: merge.affected(names), merge, ...view })
      return snapshot.frontends.get('r') ?? null
    },
    setAside: admission.setAside,
    problems: () => problems,
    inForce: () => [...admission.inForce()].filter(({ kind }) => kind === 'frontend').length,
  }
}

function isClosed(frontend: Frontend | null): boolean {
  return (
    frontend?.middlewares.some(
      ({ kind, options }) =>
        kind === 'respond' && (options as { readonly status?: number }).status === 503,
    ) === true
  )
}

const SHOP: Keys = {
  'http/routers/r/rule': 'Host(`a`)',
  'http/routers/r/service': 's',
  'http/services/s/loadbalancer/servers/0/url': 'http://10.0.0.1:80',
}

function guardedBy(middleware: Keys): Keys {
  return {
    ...SHOP,
    'http/routers/r/middlewares/0': 'm',
    ...Object.fromEntries(
      Object.entries(middleware).map(([name, text]) => [`http/middlewares/m/${name}`, text]),
    ),
  }
}

const UNHONOURED: readonly (readonly [title: string, keys: Keys])[] = [
  ['a limit of requests in flight beyond ours', guardedBy({ 'inflightreq/amount': '99999999999' })],
  ['a rate beyond ours', guardedBy({ 'ratelimit/average': '999999999999' })],
  [
    'a rate over a time beyond ours',
    guardedBy({ 'ratelimit/average': '1', 'ratelimit/period': '90000h' }),
  ],
  ['a rate limit that has lost its average', guardedBy({ 'ratelimit/burst': '5' })],
  [
    'a rate limit of an IPv6 network that there is none of',
    guardedBy({
      'ratelimit/average': '1',
      'ratelimit/sourcecriterion/ipstrategy/ipv6subnet': '129',
    }),
  ],
  [
    'a limit by a header whose name is none',
    guardedBy({
      'inflightreq/amount': '5',
      'inflightreq/sourcecriterion/requestheadername': 'a b',
    }),
  ],
  [
    'a header that is not ours to set',
    guardedBy({ 'headers/customrequestheaders/Content-Length': '5' }),
  ],
  [
    'a header with a value that is none',
    guardedBy({ 'headers/customresponseheaders/X-A': 'a\nb' }),
  ],
  ['a size beyond ours', guardedBy({ 'buffering/maxrequestbodybytes': '999999999999999' })],
  ['a size that is none', guardedBy({ 'buffering/maxrequestbodybytes': '5k' })],
  [
    'a breaker that answers with a status that is none',
    guardedBy({
      'circuitbreaker/expression': 'NetworkErrorRatio() > 0.5',
      'circuitbreaker/responsecode': '99',
    }),
  ],
  [
    'a breaker that trips for longer than ours can',
    guardedBy({
      'circuitbreaker/expression': 'NetworkErrorRatio() > 0.5',
      'circuitbreaker/fallbackduration': '999999h',
    }),
  ],
  [
    'a redirect to a port that is none',
    {
      ...guardedBy({ 'redirectscheme/scheme': 'https', 'redirectscheme/port': '99999999' }),
      'http/routers/r/entrypoints/0': 'web',
    },
  ],
  [
    'a retry that waits for longer than ours can',
    guardedBy({ 'retry/attempts': '3', 'retry/initialinterval': '999999h' }),
  ],
  ['a middleware of an unknown type', guardedBy({ 'plugin/x/y': '1' })],
  ['a middleware that is not declared', guardedBy({})],
  ['a middleware named in no order', { ...SHOP, 'http/routers/r/middlewares/x': 'm' }],
  [
    'a middleware that stands there twice',
    guardedBy({ 'ratelimit/average': '1', 'rateLimit/average': '2' }),
  ],
  ['options of tls that are not declared', { ...SHOP, 'http/routers/r/tls/options': 'mtls' }],
  ['entry points in no order', { ...SHOP, 'http/routers/r/entrypoints/x': 'web' }],
  ['an entry point that is no name', { ...SHOP, 'http/routers/r/entrypoints/0': 'a b' }],
  ['a priority that is no number', { ...SHOP, 'http/routers/r/priority': 'high' }],
  ['a priority beyond ours', { ...SHOP, 'http/routers/r/priority': '99999999999' }],
  ['a service that is not declared', { ...SHOP, 'http/routers/r/service': 'other' }],
  ['a service that is not written', { ...SHOP, 'http/routers/r/service': null }],
  [
    'a service that is malformed',
    { ...SHOP, 'http/routers/r/service': 'w', 'http/services/w/weighted/services/0/name': 's' },
  ],
  ['a service whose name is none', { ...SHOP, 'http/routers/r/service': 'a b' }],
  ['a parent', { ...SHOP, 'http/routers/r/parentrefs/0': 'p' }],
  ['a key that cannot be read', { ...SHOP, 'http/routers/r/tls': 'x'.repeat(1024 ** 2 + 1) }],
]

for (const [title, keys] of UNHONOURED) {
  test(`${title} closes the router, from the start and in the place of what was in force`, () => {
    const started = openRegistry('traefik')
    const changed = openRegistry('traefik')
    const before = changed.put(SHOP)

    const atStart = started.put(keys)
    const later = changed.put(keys)

    assert.equal(isClosed(before), false)
    assert.equal(before?.backend, 's')
    for (const frontend of [atStart, later]) {
      // A service that has gone changes nothing of who may come in.
      const stays = /^a service that is (not declared|malformed)/.test(title) && frontend === later
      assert.equal(isClosed(frontend), !stays)
      assert.match(frontend?.route ?? '', /Host\(`a`\)/)
      assert.equal(frontend?.backend ?? null, stays ? 's' : null)
    }
    assert.equal(later?.priority, before.priority)
  })
}

test('a route is closed under another name where its own is none', () => {
  const traefik = openRegistry('traefik')
  const vulcand = openRegistry('vulcand')

  traefik.put({ 'http/routers/über/rule': 'Host(`a`)', 'http/routers/über/service': 's' })
  vulcand.put({ 'frontends/a b/frontend': '{"Type":"http","BackendId":"b","Route":"Host(`a`)"}' })
  const guarded = vulcand.put({ ...VULCAND, 'frontends/r/middlewares/a b': LIMIT })

  assert.ok(isClosed(guarded))
  for (const { setAside } of [traefik, vulcand]) {
    for (const { id, message } of setAside()) {
      assert.match(id, /^(r\/)?closed-[0-9a-f]{16}$/)
      assert.match(message, /^is closed, requests get 503: the id must be/)
    }
  }
  assert.equal(traefik.inForce(), 1)
  assert.equal(vulcand.inForce(), 2)
})

test('a router that is closed says why, and is open again once that is mended', () => {
  const registry = openRegistry('traefik')

  const closed = registry.put(guardedBy({ 'inflightreq/amount': '99999999999' }))
  const reasons = registry.setAside().map(({ message, serving }) => [message, serving])
  const open = registry.put({ 'http/middlewares/m/inflightreq/amount': '5' })

  assert.ok(isClosed(closed))
  assert.equal(reasons.length, 1)
  assert.match(String(reasons[0]?.[0]), /^is closed, requests get 503: connlimit: /)
  assert.equal(reasons[0]?.[1], false)
  assert.equal(open?.backend, 's')
  assert.deepEqual(registry.setAside(), [])
})

test('a router that changes its service to one that is not there yet keeps the one it had, unless who may come in changes, too', () => {
  const same = openRegistry('traefik')
  const guarded = openRegistry('traefik')
  same.put(SHOP)
  guarded.put(SHOP)

  const kept = same.put({ 'http/routers/r/service': 'next' })
  const closed = guarded.put({
    ...guardedBy({ 'ratelimit/average': '1' }),
    'http/routers/r/service': 'next',
  })

  assert.equal(kept?.backend, 's')
  assert.ok(isClosed(closed))
})

test('a rule that cannot be read sets its router aside: which requests to close is not known', () => {
  const registry = openRegistry('traefik')

  const none = registry.put({ ...SHOP, 'http/routers/r/rule': 'Host(`a`' })
  registry.put(SHOP)
  const kept = registry.put({ 'http/routers/r/rule': 'Host(`b`' })

  assert.equal(none, null)
  assert.equal(kept?.route, 'Host ( `a` )'.replaceAll(' ', ''))
  assert.deepEqual(
    registry.setAside().map(({ id, serving }) => [id, serving]),
    [['r', true]],
  )
})

// ---- What is left when the main key has gone

const LEFT: readonly (readonly [title: string, before: Keys, gone: Keys, problem: RegExp])[] = [
  [
    'a router without its rule and service',
    { ...SHOP, 'http/routers/r/entrypoints/0': 'web' },
    { 'http/routers/r/rule': null, 'http/routers/r/service': null },
    /^r: has no rule/,
  ],
  [
    'a router without its rule',
    { ...SHOP, 'http/routers/r/middlewares/0': 'm' },
    { 'http/routers/r/rule': null },
    /^r: has no rule/,
  ],
]

for (const [title, before, gone, problem] of LEFT) {
  test(`${title} is gone, and what is left of it is told`, () => {
    const registry = openRegistry('traefik')
    registry.put(before)

    const after = registry.put(gone)

    assert.equal(after, null)
    assert.deepEqual(registry.setAside(), [])
    assert.equal(registry.problems().length, 1)
    assert.match(registry.problems()[0] ?? '', problem)
  })
}

test('a server without its url, and a certificate without its file, are gone', () => {
  const registry = openRegistry('traefik')
  registry.put({
    ...SHOP,
    'http/services/s/loadbalancer/servers/0/weight': '1',
    'http/services/s/loadbalancer/servers/1/url': 'http://10.0.0.2:80',
    'tls/certificates/0/keyfile': 'key.pem',
    'tls/stores/default/defaultcertificate/keyfile': 'key.pem',
  })

  registry.put({ 'http/services/s/loadbalancer/servers/0/url': null })

  assert.deepEqual(registry.setAside(), [])
  assert.deepEqual(registry.problems().toSorted(), [
    'certificate-0: has no certfile; what is left of it declares nothing',
    's/0: has no url; what is left of it declares nothing',
    'store-default: has no defaultcertificate/certfile; what is left of it declares nothing',
  ])
})

test('a frontend of vulcand whose own key has gone is gone, whatever parts stay', () => {
  const registry = openRegistry('vulcand')
  registry.put(VULCAND)

  const gone = registry.put({ 'frontends/r/frontend': null })

  assert.equal(gone, null)
})

// ---- vulcand

const LIMIT = '{"Type":"connlimit","Middleware":{"Connections":5,"Variable":"client.ip"}}'
const VULCAND: Keys = {
  'backends/b/backend': '{"Type":"http"}',
  'backends/b/servers/s': '{"URL":"http://10.0.0.1:80"}',
  'frontends/r/frontend': '{"Type":"http","BackendId":"b","Route":"Host(`a`)"}',
  'frontends/r/middlewares/m': LIMIT,
}

for (const [title, text] of [
  ['of an unknown type', '{"Type":"auth","Middleware":{"Username":"u","Password":"p"}}'],
  ['beyond our bounds', LIMIT.replace('5', '99999999999')],
  ['that is no JSON', '{'],
] as const) {
  test(`a middleware of vulcand ${title} closes its frontend, unless an earlier version guards it`, () => {
    const started = openRegistry('vulcand')
    const changed = openRegistry('vulcand')
    changed.put(VULCAND)

    const atStart = started.put({ ...VULCAND, 'frontends/r/middlewares/m': text })
    const later = changed.put({ 'frontends/r/middlewares/m': text })

    assert.ok(isClosed(atStart))
    assert.match(started.setAside()[0]?.message ?? '', /^is closed, requests get 503/)
    assert.deepEqual(
      later?.middlewares.map(({ kind }) => kind),
      ['connlimit'],
    )
  })
}

test('a middleware of vulcand that only reports requests closes nothing', () => {
  const registry = openRegistry('vulcand')

  const frontend = registry.put({
    ...VULCAND,
    'frontends/r/middlewares/t': '{"Type":"trace","Middleware":{"Addr":"file:///var/log/all"}}',
  })

  assert.equal(isClosed(frontend), false)
  assert.equal(registry.setAside().length, 1)
})

for (const [title, text] of [
  ['limits beyond ours', '"Settings":{"Limits":{"MaxBodyBytes":9999999999999999}}'],
  ['a predicate that is none', '"Settings":{"FailoverPredicate":"Bad("}'],
  ['settings of another shape', '"Settings":5'],
] as const) {
  test(`a frontend of vulcand with ${title} is closed, unless an earlier version is in force`, () => {
    const started = openRegistry('vulcand')
    const changed = openRegistry('vulcand')
    changed.put(VULCAND)
    const value = `{"Type":"http","BackendId":"b","Route":"Host(\`a\`)",${text}}`

    const atStart = started.put({ ...VULCAND, 'frontends/r/frontend': value })
    const later = changed.put({ 'frontends/r/frontend': value })

    assert.ok(isClosed(atStart))
    assert.equal(later?.backend, 'b')
  })
}
