import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMiddleware } from '../../src/schema/middleware.ts'
import { parseBackend, parseFrontend } from '../../src/schema/objects.ts'
import { parseServer } from '../../src/schema/server.ts'
import { createLayout } from '../support/layouts.ts'
import { createMirror, type Mirror } from '../../src/providers/registry/mirror.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { translateRule } from '../../src/providers/layouts/traefik/rule.ts'
import { parseRoute } from '../../src/routing/parse.ts'
import { RoutingTable } from '../../src/routing/table.ts'

type Keys = Readonly<Record<string, string>>

const ID_FAULT = 'the id must be 1 to 128 letters, digits or any of . _ - @ :, not "a b"'

const SHOP: Keys = {
  'http/routers/shop/rule': 'Host(`shop.example`)',
  'http/routers/shop/service': 'shop',
  'http/services/shop/loadbalancer/servers/0/url': 'http://10.0.0.5:8080',
}

test('a router is a frontend, and each server of a service a server', () => {
  const [frontend, ...servers] = objectsOf({
    ...SHOP,
    'http/routers/shop/priority': '42',
    'http/services/shop/loadbalancer/servers/0/weight': '3',
    'http/services/shop/loadbalancer/servers/1/url': 'http://10.0.0.6:8080/',
  })

  assert.deepEqual(frontend, {
    kind: 'frontend',
    id: 'shop',
    value: { route: 'Host(`shop.example`)', priority: 42, backend: 'shop', passHost: true },
    key: '/traefik/http/routers/shop',
  })
  assert.deepEqual(servers, [
    {
      kind: 'server',
      id: 'shop/0',
      value: { url: 'http://10.0.0.5:8080', weight: 3 },
      key: '/traefik/http/services/shop/loadbalancer/servers/0',
    },
    {
      kind: 'server',
      id: 'shop/1',
      value: { url: 'http://10.0.0.6:8080', weight: 1 },
      key: '/traefik/http/services/shop/loadbalancer/servers/1',
    },
  ])
  assert.ok(parseFrontend('shop', frontend.value).ok)
  for (const { value } of servers) assert.ok(parseServer('0', value).ok)
})

test('key names may be in any case, the names of objects keep theirs', () => {
  const [frontend, server] = objectsOf({
    'HTTP/Routers/Shop/RULE': 'Path(`/`)',
    'http/ROUTERS/Shop/Service': 'Shop',
    'http/Services/Shop/LoadBalancer/Servers/0/URL': 'http://a:1',
  })

  assert.equal(frontend?.id, 'Shop')
  assert.deepEqual(frontend.value, {
    route: 'Path(`/`)',
    priority: 9,
    backend: 'Shop',
    passHost: true,
  })
  assert.equal(server?.id, 'Shop/0')
  assert.deepEqual(server.value, { url: 'http://a:1', weight: 1 })
})

test('a server may be a unix socket', () => {
  const objects = objectsOf({
    'http/services/s/loadbalancer/servers/0/url': 'unix:/run/app.sock',
  })

  const [server] = objects.filter(({ kind }) => kind === 'server')
  assert.deepEqual(server?.value, { url: 'unix:/run/app.sock', weight: 1 })
})

test('without a number the longer rule goes first, as Traefik has it', () => {
  const priorities = ['Path(`/a`)', 'Path(`/abc`)'].map((rule) => {
    const [frontend] = objectsOf({
      'http/routers/r/rule': rule,
      'http/routers/r/priority': '0',
    })
    return (frontend?.value as { priority: number }).priority
  })

  assert.deepEqual(priorities, [10, 12])
})

test('entry points are the listeners that a request may have come in on', () => {
  const frontend = routerOf({
    rule: 'Path(`/a`) || Path(`/b`)',
    'entrypoints/1': 'websecure',
    'entrypoints/0': 'web',
  })
  const commas = routerOf({ rule: 'Path(`/a`)', entryPoints: 'web, websecure' })

  const route = '(Listener("web") || Listener("websecure")) && (Path(`/a`) || Path(`/b`))'
  assert.deepEqual(frontend.value, { route, priority: 24 })
  assert.ok(parseRoute(route).ok)
  assert.match(
    (commas.value as { route: string }).route,
    /^\(Listener\("web"\) \|\| Listener\("websecure"\)\)/,
  )
})

test('a router declares what it can while its service is not written yet', () => {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  put(mirror, { 'http/routers/r/service': 'shop' })
  const half = declared(mirror)[0]
  put(mirror, { 'http/routers/r/rule': 'Path(`/`)' })
  const waiting = declared(mirror)[0]

  // Without its rule it is not there at all.
  assert.equal(half, undefined)
  assert.equal((waiting?.value as { backend: string }).backend, 'shop')
})

test("a service's own choice of the Host sent on is its routers', told without its servers", () => {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  put(mirror, { ...SHOP, 'http/services/shop/loadbalancer/passhostheader': 'false' })
  const [frontend] = declared(mirror)
  put(mirror, { 'http/services/shop/loadbalancer/servers/1/url': 'http://a:2' })
  const { changes } = mirror.declare({ revision: '', listed: null, changedAt: 0 })

  assert.equal((frontend?.value as { passHost: boolean }).passHost, false)
  assert.deepEqual(
    changes?.upserts.map(({ kind }) => kind),
    ['server'],
  )
})

test('what is not honoured is told once for each', () => {
  const objects = objectsOf({
    ...SHOP,
    'http/routers/shop/tls': 'true',
    'http/routers/shop/tls/domains/0/main': 'a',
    'http/routers/shop/observability/metrics': 'true',
    'http/services/shop/loadbalancer/serverstransport': 'slow',
    'http/services/shop/loadbalancer/responseforwarding/flushinterval': '1s',
    'http/services/shop/loadbalancer/servers/0/preservepath': 'true',
    'http/services/shop/loadbalancer/servers/1/url': 'http://a:1/path',
  })

  assert.deepEqual(
    objects.map(({ kind, id, remarks }) => [`${kind} ${id}`, remarks]),
    [
      [
        'frontend shop',
        [
          '"observability" is not honoured',
          'tls is not honoured: a listener has its protocol and certificates',
        ],
      ],
      ['server shop/0', ['"preservepath" is not honoured']],
      [
        'backend shop',
        [
          '"loadbalancer/responseforwarding" is not honoured',
          '"loadbalancer/serverstransport" is not honoured',
        ],
      ],
      ['server shop/1', ['url: its path and query "/path" are not used; requests keep their own']],
    ],
  )
  assert.ok(parseBackend('shop', objects[2]?.value, String).ok)
})

test('remarks are bounded', () => {
  const keys = Array.from({ length: 100 }, (_, at) => [`http/routers/r/x${at}`, '1'])
  const router = objectsOf({
    'http/routers/r/rule': 'Path(`/`)',
    ...(Object.fromEntries(keys) as Keys),
  })[0]

  assert.equal(router?.remarks?.length, 21)
  assert.equal(router.remarks.at(-1), 'and 80 more are not honoured')
})

test('a server of the weight 0 has no traffic', () => {
  const objects = objectsOf({
    'http/services/shop/loadbalancer/servers/0/url': 'http://a:1',
    'http/services/shop/loadbalancer/servers/0/weight': '0',
  })

  assert.deepEqual(objects, [])
})

const SERVICE_FAULTS: readonly (readonly [name: string, text: string, fault: string])[] = [
  ['weighted/services/0/name', 'v1', '"weighted" is not supported yet'],
  ['mirroring/service', 'v1', '"mirroring" is not supported yet'],
  ['failover/service', 'v1', '"failover" is not supported yet'],
  ['loadbalancer/servers/1/url', '', 'url is empty'],
  ['loadbalancer/servers/a b/url', 'http://a:1', ID_FAULT],
  ['loadbalancer/servers/0/weight', 'many', 'weight: must be a whole number, not "many"'],
  ['loadbalancer/servers/0/Url', 'http://b:1', '"url" exists twice, in different cases'],
]

for (const [name, text, fault] of SERVICE_FAULTS) {
  test(`a service with ${name} is set aside: ${fault}`, () => {
    const objects = objectsOf({ ...SHOP, [`http/services/shop/${name}`]: text })

    assert.deepEqual(
      objects.flatMap((object) => object.fault ?? []),
      [fault],
    )
  })
}

test('headers are set and taken away in the order that the router names', () => {
  const frontend = routerOf(
    { rule: 'Path(`/`)', service: 'shop', 'middlewares/1': 'b', 'middlewares/0': 'a@redis' },
    {
      'http/middlewares/a/headers/customrequestheaders/X-One': 'one',
      'http/middlewares/a/headers/customRequestHeaders/X-Gone': '',
      'http/middlewares/b/headers/customresponseheaders/X-Two': 'two',
    },
  )

  const { middlewares } = frontend.value as { middlewares: { kind: string }[] }
  const none = { set: {}, remove: [] }
  assert.deepEqual(middlewares, [
    { kind: 'headers', request: { set: { 'X-One': 'one' }, remove: ['X-Gone'] }, response: none },
    { kind: 'headers', request: none, response: { set: { 'X-Two': 'two' }, remove: [] } },
  ])
  for (const { kind, ...options } of middlewares) assert.ok(parseMiddleware({ kind, options }).ok)
})

test('a redirect to https keeps the host and lets pass what came by it', () => {
  const frontend = routerOf(
    {
      rule: 'Host(`a.example`) && PathPrefix(`/`)',
      service: 'noop@internal',
      'entrypoints/0': 'web',
      'middlewares/0': 'r',
    },
    {
      'http/middlewares/r/redirectscheme/scheme': 'https',
      'http/middlewares/r/redirectscheme/port': '8443',
      'http/middlewares/r/redirectscheme/permanent': 'true',
    },
  )

  const { middlewares, ...rest } = frontend.value as { middlewares: { kind: string }[] }
  assert.ok(!('backend' in rest))
  assert.deepEqual(middlewares, [{ kind: 'redirect', scheme: 'https', port: 8443, status: 308 }])
  for (const { kind, ...options } of middlewares) assert.ok(parseMiddleware({ kind, options }).ok)
  assert.ok(parseFrontend('r', frontend.value).ok)
})

test('a router behind tls, of any host, keeps its service beside a redirect to https', () => {
  const frontend = routerOf(
    { rule: 'PathPrefix(`/`)', service: 'shop', tls: 'true', 'middlewares/0': 'm' },
    REDIRECT,
  )

  const { backend, middlewares } = frontend.value as { backend: string; middlewares: unknown }
  assert.equal(backend, 'shop')
  assert.deepEqual(middlewares, [{ kind: 'redirect', scheme: 'https', status: 307 }])
  assert.ok(parseFrontend('r', frontend.value).ok)
})

const REDIRECT: Keys = { 'http/middlewares/m/redirectscheme/scheme': 'https' }
const GUARDS: readonly (readonly [title: string, router: Keys, others: Keys, why: string])[] = [
  [
    'a guard that is not supported',
    {},
    { 'http/middlewares/m/basicauth/users/0': 'u:p' },
    'middleware "m": "basicauth" is not supported yet',
  ],
  [
    'an option of headers that is not supported',
    {},
    { 'http/middlewares/m/headers/allowedhosts': 'a' },
    'middleware "m": "headers/allowedhosts" is not supported yet',
  ],
  [
    'a middleware of two types',
    {},
    { ...REDIRECT, 'http/middlewares/m/basicauth/realm': 'x' },
    'middleware "m": has several types: "basicauth, redirectscheme"',
  ],
  [
    'a redirect to a scheme that is not spoken',
    {},
    { 'http/middlewares/m/redirectscheme/scheme': 'ftp' },
    'middleware "m": redirectscheme/scheme: must be http or https, not "ftp"',
  ],
  [
    'a redirect to a port that is none',
    {},
    { ...REDIRECT, 'http/middlewares/m/redirectscheme/port': '70000' },
    'middleware "m": redirectscheme/port: must be a port from 1 to 65535, not "70000"',
  ],
]

for (const [title, router, others, why] of GUARDS) {
  test(`${title} closes the router`, () => {
    const keys = { rule: 'Host(`a`)', service: 's', 'middlewares/0': 'm', ...router }

    const { value, remarks = [], fault } = routerOf(keys, others)

    assert.equal(fault, undefined)
    assert.equal(remarks.at(-1), `is closed, requests get 503: ${why}`)
    const parsed = parseFrontend('r', value)
    assert.ok(parsed.ok)
    assert.equal(parsed.value.backend, null)
    assert.deepEqual(
      parsed.value.middlewares.map(({ kind }) => kind),
      ['respond'],
    )
  })
}

test('headers that tell browsers to be careful are set, those of CORS only remarked', () => {
  const frontend = routerOf(
    { rule: 'Host(`a`)', service: 's', 'middlewares/0': 'm' },
    {
      'http/middlewares/m/headers/frameDeny': 'true',
      'http/middlewares/m/headers/customFrameOptionsValue': 'SAMEORIGIN',
      'http/middlewares/m/headers/contentTypeNosniff': 'true',
      'http/middlewares/m/headers/browserXssFilter': 'false',
      'http/middlewares/m/headers/stsSeconds': '31536000',
      'http/middlewares/m/headers/stsPreload': 'true',
      'http/middlewares/m/headers/sslRedirect': 'true',
      'http/middlewares/m/headers/accessControlMaxAge': '100',
      'http/middlewares/m/headers/customResponseHeaders/X-Content-Type-Options': 'mine',
    },
  )

  const { middlewares } = frontend.value as { middlewares: { response: { set: object } }[] }
  assert.deepEqual(middlewares[0]?.response.set, {
    'Strict-Transport-Security': 'max-age=31536000; preload',
    'X-Content-Type-Options': 'mine',
    'X-Frame-Options': 'SAMEORIGIN',
  })
  assert.deepEqual(frontend.remarks, [
    '"headers/sslredirect" has no effect, as in Traefik 3',
    '"headers/accesscontrolmaxage" is not honoured',
    'headers/stsseconds: the header is also sent over plain http',
  ])
})

test('a list of allowed clients is a condition of the route, and others are refused there', () => {
  const objects = objectsOf({
    'http/routers/r/rule': 'Host(`a`) || Host(`b`)',
    'http/routers/r/service': 's',
    'http/routers/r/middlewares': 'lan,office',
    'http/middlewares/lan/ipallowlist/sourceRange': '10.0.0.0/8,::1',
    'http/middlewares/office/ipwhitelist/sourcerange/0': '10.1.0.0/16',
  })

  const [own, refusal] = objects.map(({ id, value }) => ({ id, value: value as object }))
  assert.deepEqual(own, {
    id: 'r',
    value: {
      route: '(Host(`a`) || Host(`b`)) && ClientIP("10.0.0.0/8", "::1") && ClientIP("10.1.0.0/16")',
      priority: 22,
      backend: 's',
      passHost: true,
    },
  })
  assert.deepEqual(refusal, {
    id: 'r@refused',
    value: {
      route: 'Host(`a`) || Host(`b`)',
      priority: 22,
      respond: { status: 403, body: 'Forbidden' },
    },
  })
  assert.ok(parseFrontend('r@refused', refusal?.value).ok)
})

test('a chain is the middlewares that it names, and a service has some for all of its routers', () => {
  const frontend = routerOf(
    { rule: 'Path(`/`)', service: 'shop', 'middlewares/0': 'all' },
    {
      'http/middlewares/all/chain/middlewares': 'one@kv,inner',
      'http/middlewares/inner/chain/middlewares/0': 'two',
      'http/middlewares/one/headers/customrequestheaders/X-One': '1',
      'http/middlewares/two/headers/customrequestheaders/X-Two': '2',
      'http/middlewares/three/headers/customrequestheaders/X-Three': '3',
      'http/services/shop/middlewares': 'three',
    },
  )

  const { middlewares } = frontend.value as { middlewares: { request: { set: object } }[] }
  assert.deepEqual(
    middlewares.flatMap(({ request }) => Object.keys(request.set)),
    ['X-One', 'X-Two', 'X-Three'],
  )
})

test('a chain that names itself, or what is not there, closes the router', () => {
  const keys = { rule: 'Host(`a`)', service: 's', 'middlewares/0': 'm' }
  const self = whyClosed(routerOf(keys, { 'http/middlewares/m/chain/middlewares': 'm' }))
  const lost = whyClosed(routerOf(keys, { 'http/middlewares/m/chain/middlewares': 'x@file' }))

  assert.match(self ?? '', /is in more than 5 chains$/)
  assert.equal(lost, 'middleware "m": middleware "x@file" is of another source')
})

test('chains of chains are bounded', () => {
  const chain = (next: string): string => Array(500).fill(next).join(',')
  const keys = { rule: 'Host(`a`)', service: 's', 'middlewares/0': 'a' }

  const why = whyClosed(
    routerOf(keys, {
      'http/middlewares/a/chain/middlewares': chain('b'),
      'http/middlewares/b/chain/middlewares': chain('c'),
      'http/middlewares/c/chain/middlewares': chain('d'),
      'http/middlewares/d/compress': 'true',
    }),
  )

  assert.match(why ?? '', /has more than 100 middlewares$/)
})

test('compression and error pages are left out, and a redirect by expression to https is one by scheme', () => {
  const frontend = routerOf(
    { rule: 'Path(`/`)', service: 'shop', middlewares: 'gzip,pages,secure' },
    {
      'http/middlewares/gzip/compress': 'true',
      'http/middlewares/pages/errors/status': '500-599',
      'http/middlewares/secure/redirectregex/regex': '^http://(.*)',
      'http/middlewares/secure/redirectregex/replacement': 'https://$1',
      'http/middlewares/secure/redirectregex/permanent': 'true',
    },
  )

  const { middlewares } = frontend.value as { middlewares: unknown }
  assert.deepEqual(middlewares, [{ kind: 'redirect', scheme: 'https', status: 308 }])
  assert.deepEqual(frontend.remarks, [
    'middleware "compress" is not honoured',
    'middleware "errors" is not honoured',
  ])
})

test('a router of a service inside Traefik is closed', () => {
  const router = routerOf({ rule: 'Host(`a`)', service: 'api@internal' })

  assert.equal(whyClosed(router), 'service "api@internal" is a part of Traefik itself')
})

test('a middleware that is not there closes the router', () => {
  const keys = { rule: 'Host(`a`)', service: 's', 'middlewares/0': 'm' }

  assert.equal(whyClosed(routerOf(keys, {})), 'middleware "m" is not declared')
})

const CLOSING: readonly (readonly [router: Keys, why: string])[] = [
  [{ rule: 'Path(`/`)', priority: 'high' }, 'priority: must be a whole number, not "high"'],
  [
    { rule: 'Path(`/`)', 'entrypoints/x': 'web' },
    'entrypoints: must be numbered: entrypoints/0, entrypoints/1',
  ],
]

for (const [router, why] of CLOSING) {
  test(`a router with a rule is closed: ${why}`, () => {
    assert.equal(whyClosed(routerOf(router)), why)
  })
}

const ROUTER_FAULTS: readonly (readonly [router: Keys, fault: string])[] = [
  [{ rule: '', priority: '1' }, 'rule is empty'],
  [{ rule: 'Path(`/`)', Rule: 'Path(`/b`)' }, '"rule" exists twice, in different cases'],
]

for (const [router, fault] of ROUTER_FAULTS) {
  test(`a router is set aside: ${fault}`, () => {
    assert.equal(routerOf(router).fault, fault)
  })
}

test('tcp routers, services and servers are translated, udp is set aside', () => {
  const objects = objectsOf({
    'tcp/routers/db/rule': 'HostSNI(`*`)',
    'tcp/routers/db/service': 'db@file',
    'tcp/routers/old/rule': 'HostSNIRegexp(`{name:[a-z]+}.example`)',
    'tcp/routers/old/rulesyntax': 'v2',
    'tcp/routers/old/priority': '7',
    'tcp/routers/old/service': 'db',
    'tcp/services/db/loadbalancer/servers/0/address': '10.0.0.1:5432',
    'tcp/services/db/loadbalancer/servers/1/address': '[::1]:5432',
    'tcp/services/db/loadbalancer/servers/1/tls': 'true',
    'tcp/services/db/loadbalancer/proxyprotocol': 'true',
    'tcp/services/db/loadbalancer/healthcheck/interval': '10s',
    'tcp/services/db/loadbalancer/terminationdelay': '100',
    'tcp/services/canary/weighted/services/0/name': 'db',
    'udp/services/dns/loadbalancer/servers/0/address': 'a:53',
  })

  const health = { kind: 'tcp', interval: '10s', downInterval: '10s', timeout: '5s' }
  assert.deepEqual(
    objects.map(({ kind, id, fault, value }) => [`${kind} ${id}`, fault ?? value]),
    [
      [
        'frontend tcp:db',
        { protocol: 'tcp', route: 'HostSNI(`*`)', priority: -1, backend: 'tcp:db@file' },
      ],
      [
        'frontend tcp:old',
        {
          protocol: 'tcp',
          route: 'HostSNIRegexp(`^(?:[a-z]+)\\.example$`)',
          priority: 7,
          backend: 'tcp:db',
        },
      ],
      ['server tcp:db/0', { url: 'tcp://10.0.0.1:5432' }],
      ['server tcp:db/1', { url: 'tls://[::1]:5432' }],
      [
        'backend tcp:db',
        { proxyProtocol: 'v2', health: { ...health, rise: 1, fall: 1, waitHealthy: false } },
      ],
      ['backend tcp:canary', '"weighted" is not supported for tcp'],
      ['backend udp:dns', 'udp is not supported; this object is ignored'],
    ],
  )
  const { remarks } = objects.find(({ kind, id }) => kind === 'backend' && id === 'tcp:db') ?? {}
  assert.deepEqual(remarks, ['"loadbalancer/terminationdelay" is not honoured'])
})

test('certificates are hosts, the one of a store answers all other names', () => {
  const objects = objectsOf({
    'tls/certificates/0/certfile': '/certs/a.pem',
    'tls/certificates/0/keyFile': '-----BEGIN PRIVATE KEY-----\nA\n',
    'tls/certificates/0/stores/0': 'mine',
    'tls/stores/default/defaultcertificate/certfile': '/certs/d.pem',
    'tls/stores/default/defaultcertificate/keyfile': '/certs/d.key',
    'tls/certificates/1/certfile': '/certs/b.pem',
  })

  assert.deepEqual(objects, [
    {
      kind: 'host',
      id: 'certificate-0',
      value: {
        cert: '/certs/a.pem',
        key: '-----BEGIN PRIVATE KEY-----\nA',
        default: false,
      },
      key: '/traefik/tls/certificates/0',
      remarks: ['stores is not honoured: there is one store'],
      secrets: ['-----BEGIN PRIVATE KEY-----\nA'],
    },
    {
      kind: 'host',
      id: 'store-default',
      value: { cert: '/certs/d.pem', key: '/certs/d.key', default: true },
      key: '/traefik/tls/stores/default',
    },
    {
      kind: 'host',
      id: 'certificate-1',
      value: undefined,
      key: '/traefik/tls/certificates/1',
      fault: 'keyfile is missing',
    },
  ])
})

test('a store besides the default one, or with a certificate that Traefik orders, is refused with the reason', () => {
  const faults = objectsOf({
    'tls/stores/other/defaultcertificate/certfile': '/certs/d.pem',
    'tls/stores/default/defaultgeneratedcert/resolver': 'le',
  }).map(({ id, fault }) => `${id}: ${fault}`)

  assert.deepEqual(faults, [
    'store-other: the one store is "default"; this one is ignored',
    'store-default: defaultgeneratedcert is not supported: declare acme, and its names under acme.names.list',
  ])
})

test('nothing is written in this layout', () => {
  assert.equal(createLayout('traefik', { sealKey: null }).pathOf('frontend', 'f'), null)
})

const RULES: readonly (readonly [rule: string, route: string])[] = [
  ['Host(`a.example`)', 'Host(`a.example`)'],
  ['Host("a.example", `b`)', 'Host(`a.example`, `b`)'],
  [
    'Host(`a`)&&(PathPrefix(`/b`)||!Method(`get`))',
    'Host(`a`) && ( Path(`/b<path:rest>`) || ! Method(`GET`) )',
  ],
  ['PathPrefix(`/a`, `/b/`)', '(Path(`/a<path:rest>`) || PathPrefix(`/b/`))'],
  ['headers(`X-A`, `b`)', 'Header(`X-A`, `b`)'],
  ['HeadersRegexp(`X-A`, `^b{2}<`)', 'HeaderRegexp(`X-A`, `^b{2}<`)'],
  ['Query(`a=b`)', 'Query(`a`, `b`)'],
  ['Query(`a=b`, `c=d=e`)', '(Query(`a`, `b`) && Query(`c`, `d=e`))'],
  ['Query(`a`, `b`)', 'Query(`a`, `b`)'],
  ['Query(`a`)', 'Query(`a`)'],
  ['ClientIP(`10.0.0.0/8`, `::1`)', 'ClientIP(`10.0.0.0/8`, `::1`)'],
  ['HostRegexp(`^.+\\.example$`)', 'HostRegexp(`^.+\\.example$`)'],
  ['PathRegexp("^/[a-z`]+\\\\.html$")', 'PathRegexp("^/[a-z`]+\\\\.html$")'],
  [' Path ( `/a` ) ', 'Path(`/a`)'],
  ['Host(`*.a.example`)', 'Host(`*.a.example`)'],
  ['HostRegexp(`{sub:[a-z]+}.a.example`)', 'HostRegexp(`^(?:[a-z]+)\\.a\\.example$`)'],
  ['HostRegexp(`a.b`, `{sub}.a.b`)', 'HostRegexp(`^a\\.b$`, `^(?:[^.]+)\\.a\\.b$`)'],
  ['HostRegexp(`{any:.*}`)', 'HostRegexp(`^(?:.*)$`)'],
  ['Host(`a`, `{sub:[a-z]{2}}.a`)', '(Host(`a`) || HostRegexp(`^(?:[a-z]{2})\\.a$`))'],
  ['Path(`/a/{b:[0-9]+}/{c}.js`)', 'PathRegexp(`^/a/(?:[0-9]+)/(?:[^/]+)\\.js$`)'],
  ['Path(`/`, `/{b}`)', '(Path(`/`) || PathRegexp(`^/(?:[^/]+)$`))'],
  ['PathPrefix(`/a/{b:x|y}`, `/c/`)', '(PathPrefix(`/c/`) || PathRegexp(`^/a/(?:x|y)`))'],
  ['Query(`a={b}`, `c={d:.*}`)', '(Query(`a`) && Query(`c`))'],
]

for (const [rule, route] of RULES) {
  test(`the rule ${rule} is the route ${route}`, () => {
    assert.equal(translateRule(rule).route, route)
    assert.deepEqual(parseRoute(route).ok, true)
  })
}

test('the templates of version 2 hold for what they do there', () => {
  const holds = (rule: string, host: string, path: string): boolean => {
    const table = new RoutingTable<true>()
    table.upsert('r', translateRule(rule).route, null, true)
    const rest = { method: 'GET', listener: 'web', query: '', clientIp: '10.0.0.1' }
    return table.match({ host, path, ...rest, fieldHolds: (_name, test) => test('') }) === true
  }

  const shop = 'HostRegexp(`{shop:[a-z]+}.example`)'
  assert.ok(holds(shop, 'cats.example', '/'))
  for (const host of ['c4ts.example', 'a.cats.example', 'cats.example.org', 'catsxexample']) {
    assert.ok(!holds(shop, host, '/'), host)
  }
  const item = 'Path(`/items/{id:[0-9]+}`)'
  assert.ok(holds(item, 'a', '/items/12'))
  for (const path of ['/items/', '/items/1a', '/items/1/2']) assert.ok(!holds(item, 'a', path))
  const below = 'PathPrefix(`/users/{id}/posts`)'
  assert.ok(holds(below, 'a', '/users/7/posts/1'))
  assert.ok(!holds(below, 'a', '/users/posts'))
})

test('the syntax that a router names decides what braces mean', () => {
  const routeOf = (rule: string, rulesyntax: string): unknown =>
    (routerOf({ rule, rulesyntax, service: 's' }).value as { route: string }).route

  assert.equal(routeOf('HostRegexp(`a.b`)', 'v2'), 'HostRegexp(`^a\\.b$`)')
  assert.equal(routeOf('HostRegexp(`^a{2}$`)', 'v3'), 'HostRegexp(`^a{2}$`)')
  assert.equal(routeOf('Path(`/{a}`)', 'v2'), 'PathRegexp(`^/(?:[^/]+)$`)')
  assert.equal(routeOf('Path(`/{a}`)', 'V3'), 'PathRegexp(`^/\\{a\\}$`)')
  assert.match(
    whyClosed(routerOf({ rule: 'Path(`/`)', rulesyntax: 'v4' })) ?? '',
    /rulesyntax: must be v2 or v3/,
  )
})

const RULE_FAULTS: readonly (readonly [rule: string, fault: string])[] = [
  ['HostSNI(`*`)', 'rule: "HostSNI" is a function of tcp routers'],
  ['toString(`a`)', 'rule: "toString" is not supported yet'],
  ['Path(`/{id`)', 'rule: "/{id" has a brace that is not closed, or not opened'],
  ['Path(`/{id}}`)', 'rule: "/{id}}" has a brace that is not closed, or not opened'],
  ['Path(`/{}`)', 'rule: "/{}" has braces without a name or an expression'],
  ['Path(`/{id:}`)', 'rule: "/{id:}" has braces without a name or an expression'],
  ['Path(`/<x>`)', 'rule: "/<x>" holds a pattern; write it as a regular expression'],
  ["Host('a')", 'rule: cannot be read from "\'a\')" on'],
  ['Host()', 'rule: "Host" must be called with strings in back quotes'],
  ['Host(`a`', 'rule: "Host" must be called with strings in back quotes'],
  ['Host(`a`, Path)', 'rule: "Host" must be called with strings in back quotes'],
  ['Host', 'rule: "Host" must be called with strings in back quotes'],
  ['`a`', 'rule: "a" is out of place'],
  ['Header(`a`)', 'rule: Header takes a name and a value'],
  ['Query(`a`, `b`, `c`)', 'rule: Query takes a name and a value'],
  ['Host("\\q")', 'rule: "\\"\\\\q\\"" holds an unknown escape; use back quotes'],
  [`Host(\`${'a'.repeat(9000)}\`)`, 'rule: has 9008 characters, at most 8192 are taken'],
]

for (const [rule, fault] of RULE_FAULTS) {
  test(`the rule ${rule.slice(0, 40)} is set aside: ${fault}`, () => {
    assert.throws(() => translateRule(rule), { name: 'ValueFault', message: fault })
  })
}

test('a prefix covers the same paths as in Traefik, which compares texts', () => {
  const table = new RoutingTable<string>()
  table.upsert('r', translateRule('PathPrefix(`/api`)').route, null, 'api')
  table.upsert('s', translateRule('PathPrefix(`/dir/`)').route, null, 'dir')
  const paths = ['/api', '/api/', '/api/x/y', '/apix', '/apix/y', '/ap', '/API', '/dir', '/dir/x']

  const found = paths.map((path) =>
    table.match({
      method: 'GET',
      host: 'a',
      path,
      listener: 'web',
      query: '',
      clientIp: '10.0.0.1',
      fieldHolds: (_name, test) => test(''),
    }),
  )

  const api = 'api'
  assert.deepEqual(found, [api, api, api, api, api, undefined, undefined, undefined, 'dir'])
})

const CLOSED = 'is closed, requests get 503: '

/** Null: it is not. */
function whyClosed({ value, remarks = [], fault }: DeclaredObject): string | null {
  assert.equal(fault, undefined)
  const why = remarks.find((remark) => remark.startsWith(CLOSED))
  const { respond } = value as { readonly respond?: { readonly status: number } }
  assert.equal(respond?.status, why === undefined ? undefined : 503)
  return why?.slice(CLOSED.length) ?? null
}

function routerOf(router: Keys, others: Keys = {}): DeclaredObject {
  const keys = Object.entries(router).map(([name, text]) => [`http/routers/r/${name}`, text])
  const found = objectsOf({ ...(Object.fromEntries(keys) as Keys), ...others })
  const frontend = found.find(({ kind }) => kind === 'frontend')
  assert.ok(frontend)
  return frontend
}

function objectsOf(keys: Keys): DeclaredObject[] {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  put(mirror, keys)
  return declared(mirror)
}

function put(mirror: Mirror, keys: Keys): void {
  for (const [path, text] of Object.entries(keys)) {
    mirror.put({ path, key: `/traefik/${path}`, text })
  }
}

/** Without their closed forms, which control-closed-routes.test.ts is about. */
function declared(mirror: Mirror): DeclaredObject[] {
  const { objects } = mirror.declare({ revision: '', listed: 'first', changedAt: 0 })
  return [...objects].map(({ closed: _, ...object }) => object)
}

test('a service of the same tree may be written with the name of its source', () => {
  const layout = createLayout('traefik', { sealKey: null, kind: 'redis' })
  const mirror = createMirror(layout)
  for (const [router, service] of Object.entries({ own: 'shop@redis', other: 'shop@etcd' })) {
    const at = `http/routers/${router}`
    mirror.put({ path: `${at}/rule`, key: at, text: 'Host(`a`)' })
    mirror.put({ path: `${at}/service`, key: at, text: service })
  }

  const { objects } = mirror.declare({ revision: '1', listed: 'first', changedAt: 0 })

  assert.deepEqual(
    [...objects].map(({ value }) => (value as { backend: string }).backend),
    ['shop', 'shop@etcd'],
  )
})
