/** The labels are those of Traefik's documentation, with the names that it uses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Labelled } from '../../src/providers/labels/labelled.ts'
import {
  admit,
  container,
  labelsOf,
  openRoutes,
  readLabels,
  replicas,
  setAsideOf,
  valuesOf,
} from '../support/labelled.ts'

const WHOAMI = [
  'traefik.enable=true',
  'traefik.http.routers.whoami.rule=Host(`whoami.localhost`)',
  'traefik.http.routers.whoami.entrypoints=web',
]

function whoami(labels: readonly string[], about: Partial<Labelled> = {}): Labelled {
  return container(labelsOf(labels), { service: 'whoami-demo', ports: [80], ...about })
}

test('the basic example: a router takes the service that its container gets', () => {
  const labelled = readLabels([whoami(WHOAMI)])

  assert.deepEqual(valuesOf(labelled), {
    'frontend whoami': {
      route: 'Listener("web") && Host(`whoami.localhost`)',
      priority: 24,
      backend: 'whoami-demo',
      passHost: true,
    },
    'backend whoami-demo': {},
    'server whoami-demo/shop-web-1': { url: 'http://10.0.0.1:80' },
  })
  const admitted = admit(labelled)
  const routed = openRoutes(admitted)
  assert.deepEqual(admitted.setAside, [])
  assert.equal(routed('GET whoami.localhost/ web'), 'whoami-demo')
  assert.equal(routed('GET whoami.localhost/ other'), '404')
})

test('no label makes a socket of this machine a server', () => {
  const service = 'traefik.http.services.my-service.loadbalancer.server'
  const sockets = ['unix:/var/run/docker.sock', 'UNIX:///var/run/docker.sock', ' unix:/a.sock']

  const aside = sockets.map((url) =>
    setAsideOf(readLabels([whoami([...WHOAMI, `${service}.url=${url}`])])),
  )

  for (const problems of aside) {
    assert.match(JSON.stringify(problems), /server\.url must be an http or https url, not a socket/)
  }
})

test('a port of a service, and the lowest port without one', () => {
  const server = (labels: readonly string[]): unknown =>
    valuesOf(readLabels([whoami([...WHOAMI, ...labels], { ports: [80, 443] })]))
  const service = 'traefik.http.services.my-service.loadbalancer.server'

  const named = server([`${service}.port=12345`, `${service}.scheme=https`, `${service}.weight=3`])
  const url = server([`${service}.url=https://foobar:8080`])
  const lowest = server([])

  assert.deepEqual(named, {
    'frontend whoami': {
      route: 'Listener("web") && Host(`whoami.localhost`)',
      priority: 24,
      backend: 'my-service',
      passHost: true,
    },
    'backend my-service': {},
    'server my-service/shop-web-1': { url: 'https://10.0.0.1:12345', weight: 3 },
  })
  assert.deepEqual((url as Record<string, unknown>)['server my-service/shop-web-1'], {
    url: 'https://foobar:8080',
  })
  assert.deepEqual((lowest as Record<string, unknown>)['server whoami-demo/shop-web-1'], {
    url: 'http://10.0.0.1:80',
  })
})

test('more than one router and service per container', () => {
  const labelled = readLabels([
    whoami([
      'traefik.enable=true',
      'traefik.http.routers.www-router.rule=Host(`example-a.com`)',
      'traefik.http.routers.www-router.service=www-service',
      'traefik.http.services.www-service.loadbalancer.server.port=8000',
      'traefik.http.routers.admin-router.rule=Host(`example-b.com`)',
      'traefik.http.routers.admin-router.service=admin-service@docker',
      'traefik.http.services.admin-service.loadbalancer.server.port=9000',
    ]),
  ])

  const admitted = admit(labelled)
  const routed = openRoutes(admitted)
  assert.deepEqual(admitted.setAside, [])
  assert.equal(routed('GET example-a.com/'), 'www-service')
  assert.equal(routed('GET example-b.com/'), 'admin-service')
  const servers = (id: string): unknown =>
    admitted.snapshot.backends.get(id)?.servers.map(({ url }) => url)
  assert.deepEqual(servers('www-service'), ['http://10.0.0.1:8000'])
  assert.deepEqual(servers('admin-service'), ['http://10.0.0.1:9000'])
})

test('a container without a router gets one by the default rule', () => {
  const only = readLabels([whoami(['traefik.enable=true'], { service: 'who_ami.demo' })])
  const named = readLabels([
    whoami(['traefik.enable=true', 'traefik.http.services.s.loadbalancer.server.port=81']),
  ])
  const own = readLabels([whoami(['traefik.enable=true'])], {
    defaultRule: 'Host(`{{ normalize .Name }}.example`)',
  })

  assert.deepEqual(valuesOf(only)['frontend who-ami-demo'], {
    route: 'Host(`who-ami-demo`)',
    priority: 20,
    backend: 'who-ami-demo',
    passHost: true,
  })
  assert.deepEqual(valuesOf(named)['frontend whoami-demo'], {
    route: 'Host(`whoami-demo`)',
    priority: 19,
    backend: 's',
    passHost: true,
  })
  const { route } = valuesOf(own)['frontend whoami-demo'] as { route: string }
  assert.equal(route, 'Host(`whoami-demo.example`)')
})

test('a router without a rule gets the default rule, one without a service among several is closed', () => {
  const labelled = readLabels([
    whoami([
      'traefik.enable=true',
      'traefik.http.routers.a.entrypoints=web',
      'traefik.http.services.x.loadbalancer.server.port=1',
      'traefik.http.services.y.loadbalancer.server.port=2',
    ]),
  ])

  const routed = openRoutes(admit(labelled))
  assert.equal(routed('GET whoami-demo/ web'), '503')
  assert.deepEqual(
    labelled.problems.map(({ key, message }) => `${key}: ${message}`),
    ['container shop-web-1: router "a" names none of the services x, y'],
  )
})

test('five containers of one service are one router with five servers', () => {
  const labelled = readLabels(replicas(5, labelsOf(WHOAMI)))

  const { snapshot, setAside } = admit(labelled)
  assert.deepEqual(labelled.problems, [])
  assert.deepEqual(setAside, [])
  assert.equal(snapshot.backends.get('web-shop')?.servers.length, 5)
})

test('secure headers, an allow list, sticky sessions and tls of the advanced example', () => {
  const labelled = readLabels([
    whoami([
      'traefik.enable=true',
      'traefik.http.routers.whoami.rule=Host(`whoami.docker.localhost`)',
      'traefik.http.routers.whoami.entrypoints=websecure',
      'traefik.http.routers.whoami.tls=true',
      'traefik.http.routers.whoami.tls.certresolver=le',
      'traefik.http.middlewares.secure-headers.headers.frameDeny=true',
      'traefik.http.middlewares.secure-headers.headers.sslRedirect=true',
      'traefik.http.middlewares.secure-headers.headers.browserXssFilter=true',
      'traefik.http.middlewares.secure-headers.headers.contentTypeNosniff=true',
      'traefik.http.middlewares.secure-headers.headers.stsIncludeSubdomains=true',
      'traefik.http.middlewares.secure-headers.headers.stsPreload=true',
      'traefik.http.middlewares.secure-headers.headers.stsSeconds=31536000',
      'traefik.http.middlewares.ip-allowlist.ipallowlist.sourceRange=127.0.0.1/32,192.168.0.0/16,10.0.0.0/8',
      'traefik.http.routers.whoami.middlewares=secure-headers,ip-allowlist',
      'traefik.http.services.whoami.loadbalancer.sticky.cookie=true',
      'traefik.http.services.whoami.loadbalancer.sticky.cookie.name=sticky_cookie',
      'traefik.http.services.whoami.loadbalancer.sticky.cookie.secure=true',
      'traefik.http.services.whoami.loadbalancer.sticky.cookie.httpOnly=true',
    ]),
    // Its routes by path, with the middlewares of the other container.
    whoami(
      [
        'traefik.enable=true',
        'traefik.http.routers.whoami-api.rule=Host(`whoami.docker.localhost`) && PathPrefix(`/api`)',
        'traefik.http.routers.whoami-api.entrypoints=websecure',
        'traefik.http.routers.whoami-api.middlewares=secure-headers,ip-allowlist',
      ],
      { id: 'whoami-api-1', service: 'whoami-api-demo', createdAt: 1 },
    ),
  ])

  const admitted = admit(labelled)
  const routed = openRoutes(admitted)
  assert.deepEqual(admitted.setAside, [])
  assert.deepEqual(labelled.problems, [])
  const host = 'whoami.docker.localhost'
  assert.equal(routed(`GET ${host}/ websecure`), 'whoami')
  assert.equal(routed(`GET ${host}/api/x websecure`), 'whoami-api-demo')
  assert.equal(routed(`GET ${host}/ websecure`, '8.8.8.8'), '403')
  assert.equal(routed(`GET ${host}/api websecure`, '8.8.8.8'), '403')
  assert.equal(routed(`GET ${host}/ web`), '404')
  assert.equal(admitted.snapshot.backends.get('whoami')?.sticky?.cookie, 'sticky_cookie')
  const [headers] = admitted.snapshot.frontends.get('whoami-api')?.middlewares ?? []
  assert.deepEqual((headers?.options as { response: { set: object } }).response.set, {
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains; preload',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'X-XSS-Protection': '1; mode=block',
  })
})

test('middlewares of a service, in a label of the service', () => {
  const labelled = readLabels([
    whoami([
      ...WHOAMI,
      'traefik.http.middlewares.service-headers.headers.customRequestHeaders.X-Service-Middleware=applied',
      'traefik.http.services.whoami.middlewares=service-headers',
      'traefik.http.services.whoami.loadbalancer.server.port=80',
    ]),
  ])

  const { snapshot, setAside } = admit(labelled)
  assert.deepEqual(setAside, [])
  const [headers] = snapshot.frontends.get('whoami')?.middlewares ?? []
  assert.deepEqual((headers?.options as { request: { set: object } }).request.set, {
    'X-Service-Middleware': 'applied',
  })
})

test('names of labels are in any case, and lists may be numbered', () => {
  const labelled = readLabels([
    whoami([
      'Traefik.Enable=true',
      'TRAEFIK.HTTP.Routers.Whoami.Rule=Host(`a`)',
      'traefik.http.routers.Whoami.entryPoints[0]=web',
      'traefik.http.routers.Whoami.entryPoints[1]=websecure',
      'traefik.http.routers.Whoami.tls.domains[0].main=example.org',
      'traefik.http.services.Whoami.LoadBalancer.Server.Port=8080',
    ]),
  ])

  assert.deepEqual(valuesOf(labelled), {
    'frontend Whoami': {
      route: '(Listener("web") || Listener("websecure")) && Host(`a`)',
      priority: 9,
      backend: 'Whoami',
      passHost: true,
    },
    'backend Whoami': {},
    'server Whoami/shop-web-1': { url: 'http://10.0.0.1:8080' },
  })
})

const DASHBOARD = [
  'traefik.enable=true',
  'traefik.http.routers.dashboard.rule=Host(`traefik.localhost`)',
  'traefik.http.routers.dashboard.service=api@internal',
]
const CLOSED: readonly (readonly [title: string, labels: readonly string[], why: string])[] = [
  ['the dashboard', DASHBOARD, 'service "api@internal" is a part of Traefik itself'],
  [
    'a guard that is not there',
    [
      ...WHOAMI,
      'traefik.http.routers.whoami.middlewares=test-auth',
      'traefik.http.middlewares.test-auth.basicauth.users=test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/',
    ],
    'middleware "test-auth": "basicauth" is not supported yet',
  ],
  [
    'a middleware of the file provider',
    [...WHOAMI, 'traefik.http.routers.whoami.middlewares=auth@file'],
    'middleware "auth@file" is of another source',
  ],
  [
    'a path that would have to change',
    [
      ...WHOAMI,
      'traefik.http.routers.whoami.middlewares=test-stripprefix',
      'traefik.http.middlewares.test-stripprefix.stripprefix.prefixes=/foobar,/fiibar',
    ],
    'middleware "test-stripprefix": "stripprefix" is not supported yet',
  ],
]

for (const [title, labels, why] of CLOSED) {
  test(`${title} closes the router`, () => {
    const labelled = readLabels([whoami(labels)])

    const frontend = labelled.objects.find(({ kind }) => kind === 'frontend')
    assert.equal(frontend?.remarks?.at(-1), `is closed, requests get 503: ${why}`)
    const [host] = /(?<=`)[^`]+/.exec(labels[1] ?? '') ?? []
    assert.equal(openRoutes(admit(labelled))(`GET ${host}/ web`), '503')
  })
}

const TCP = 'traefik.tcp.routers.my-router'

test('a tcp router is a tcp frontend, and its service a backend of its own', () => {
  const labelled = readLabels([
    whoami([
      'traefik.enable=true',
      `${TCP}.rule=HostSNI(\`DB.example.com\`) && ClientIP(\`10.0.0.0/8\`)`,
      `${TCP}.entrypoints=web,db`,
      `${TCP}.tls.passthrough=true`,
      'traefik.tcp.services.my-service.loadbalancer.server.port=4123',
      'traefik.tcp.services.my-service.loadbalancer.proxyprotocol.version=1',
    ]),
  ])

  assert.deepEqual(valuesOf(labelled), {
    'frontend tcp:my-router': {
      protocol: 'tcp',
      route:
        '(Listener("web") || Listener("db")) && HostSNI(`DB.example.com`) && ClientIP(`10.0.0.0/8`)',
      priority: 51,
      backend: 'tcp:my-service',
    },
    'backend tcp:my-service': { proxyProtocol: 'v1' },
    'server tcp:my-service/shop-web-1': { url: 'tcp://10.0.0.1:4123' },
  })
  const { setAside, snapshot } = admit(labelled)
  assert.deepEqual(setAside, [])
  assert.deepEqual(labelled.problems, [])
  assert.equal(snapshot.frontends.get('tcp:my-router')?.protocol, 'tcp')
})

test('a tcp router has the service and the port of its container, and http of the same name its own', () => {
  const labelled = readLabels([
    whoami([...WHOAMI, 'traefik.tcp.routers.whoami.rule=HostSNI(`*`)']),
    whoami(
      [
        'traefik.enable=true',
        'traefik.tcp.routers.other.rule=HostSNI(`a`)',
        'traefik.tcp.routers.other.tls=true',
        'traefik.tcp.services.other.loadbalancer.server.tls=true',
      ],
      { id: 'b' },
    ),
  ])

  const values = Object.entries(valuesOf(labelled)).filter(([name]) => name.includes('tcp:'))
  assert.deepEqual(Object.fromEntries(values), {
    'frontend tcp:whoami': {
      ...{ protocol: 'tcp', route: 'HostSNI(`*`)', priority: -1 },
      backend: 'tcp:whoami-demo',
    },
    'frontend tcp:other': {
      ...{ protocol: 'tcp', route: 'HostSNI(`a`)', priority: 12 },
      backend: 'tcp:other',
    },
    'backend tcp:whoami-demo': {},
    'backend tcp:other': {},
    'server tcp:whoami-demo/shop-web-1': { url: 'tcp://10.0.0.1:80' },
    'server tcp:other/b': { url: 'tls://10.0.0.1:80' },
  })
  assert.deepEqual(admit(labelled).setAside, [])
})

test('what a tcp router cannot have is said with its reason', () => {
  const router = (...labels: readonly string[]): Labelled =>
    whoami(['traefik.enable=true', ...labels])
  const asideOf = (...labels: readonly string[]): string =>
    setAsideOf(readLabels([router(...labels)])).join()

  assert.match(asideOf(`${TCP}.rule=Host(\`a\`)`), /rule: "Host" is a function of http routers/)
  assert.match(
    asideOf(`${TCP}.rule=HostSNI(\`a\`)`, `${TCP}.middlewares=m`),
    /middleware "m" is not declared/,
  )
  assert.match(
    asideOf(
      `${TCP}.rule=HostSNI(\`a\`)`,
      `${TCP}.middlewares=m`,
      'traefik.tcp.middlewares.m.inflightconn.amount=1',
    ),
    /"inflightconn" is not supported; a listener limits .* limits.connectionsPerClient/,
  )
  assert.match(
    asideOf('traefik.tcp.services.a.loadbalancer.proxyprotocol.version=3'),
    /must be 1 or 2, not 3/,
  )
  const tls = readLabels([router(`${TCP}.rule=HostSNI(\`a\`)`, `${TCP}.tls=true`)])
  const { remarks } = tls.objects.find(({ kind }) => kind === 'frontend') ?? {}
  assert.match(remarks?.join() ?? '', /TLS ends at a listener that has protocol tcp/)
})

test('a list of addresses of a tcp router is a part of its route', () => {
  const labelled = readLabels([
    whoami([
      'traefik.enable=true',
      `${TCP}.rule=HostSNI(\`a\`) || HostSNI(\`b\`)`,
      `${TCP}.middlewares=office`,
      'traefik.tcp.middlewares.office.ipallowlist.sourcerange=10.0.0.0/8, 192.0.2.1',
    ]),
  ])

  const { route } = Object(valuesOf(labelled)['frontend tcp:my-router']) as { route?: unknown }
  assert.equal(route, '(HostSNI(`a`) || HostSNI(`b`)) && ClientIP("10.0.0.0/8", "192.0.2.1")')
})

test('routers over udp are not supported, and leave http alone', () => {
  const labelled = readLabels([
    whoami(
      [
        'traefik.enable=true',
        'traefik.udp.routers.my-router.entrypoints=udp',
        'traefik.udp.services.my-service.loadbalancer.server.port=4123',
        ...WHOAMI,
      ],
      { id: 'b' },
    ),
  ])

  assert.deepEqual(setAsideOf(labelled), [
    'backend udp:my-service: udp is not supported; this object is ignored',
    'frontend udp:my-router: udp is not supported; this object is ignored',
  ])
  assert.deepEqual(
    labelled.objects.flatMap(({ fault, id }) => (fault === undefined ? id : [])).sort(),
    ['whoami', 'whoami-demo', 'whoami-demo/b'],
  )
})
test('labels that declare nothing are reported by their names', () => {
  const { problems } = readLabels([
    whoami([
      ...WHOAMI,
      'traefik.http.router.whoami.priority=1',
      'traefik.http.routers.whoami=1',
      // Traefik 6024: it stops the provider there.
      'traefik.http.=1',
      'traefik.=1',
      'traefik.docker.network=edge',
      'traefik.frontend.rule=Host:a',
      'traefik.port=80',
    ]),
  ])

  assert.deepEqual(
    problems.map(({ message }) => message),
    [
      'has labels of Traefik 1, which are not read',
      'label "traefik.http.router.whoami.priority" is not known',
      'label "traefik.http.routers.whoami" is not known',
      'label "traefik.http." is not known',
      'label "traefik." is not known',
    ],
  )
})

test('a container with very many labels costs little, and is reported in a few lines', () => {
  const labels = Array.from({ length: 2_000 }, (_, at) => [
    `traefik.http.routers.r${at}.entrypoints=web`,
    `traefik.http.services.s${at}.loadbalancer.server.port=1`,
  ]).flat()

  const { objects, problems } = readLabels([whoami(['traefik.enable=true', ...labels])])

  assert.ok(objects.length <= 3_000, `${objects.length} objects`)
  assert.ok(problems.length <= 40, `${problems.length} problems`)
  assert.ok(JSON.stringify(problems).length < 20_000)
})

test('of two middlewares with one name the earlier one is in force', () => {
  const limit = (average: number): string[] => [
    ...WHOAMI,
    'traefik.http.routers.whoami.middlewares=limit',
    `traefik.http.middlewares.limit.ratelimit.average=${average}`,
  ]
  const old = whoami(limit(10))
  const young = whoami(limit(20), { id: 'b', createdAt: 1 })

  const labelled = readLabels([young, old])
  const alone = readLabels([young])

  const requests = ({ objects }: typeof labelled): unknown =>
    objects.flatMap(
      ({ value }) => (value as { middlewares?: { requests: number }[] }).middlewares ?? [],
    )[0]?.requests
  assert.equal(requests(labelled), 10)
  assert.equal(requests(alone), 20)
  assert.deepEqual(
    labelled.problems.map(({ key, message }) => `${key}: ${message}`),
    [
      'container b: middleware "limit" differs from that of container shop-web-1, which is older and in force',
    ],
  )
})

test('a middleware that another container takes along closes the router, until it is back', () => {
  const guarded = whoami([...WHOAMI, 'traefik.http.routers.whoami.middlewares=lan'])
  const guard = whoami(
    ['traefik.enable=true', 'traefik.http.middlewares.lan.ipallowlist.sourcerange=10.0.0.0/8'],
    { id: 'guard', service: 'guard', createdAt: 5 },
  )
  const remarks = (items: readonly Labelled[]): readonly string[] | undefined =>
    readLabels(items).objects.find(({ id }) => id === 'whoami')?.remarks

  assert.deepEqual(remarks([guarded]), [
    'is closed, requests get 503: middleware "lan" is not declared',
  ])
  assert.equal(remarks([guarded, guard]), undefined)
})

test('labels of both languages may stand side by side', () => {
  const labelled = readLabels([
    whoami([...WHOAMI, 'sluice.enable=true', 'sluice.host=other.localhost']),
  ])
  const native = readLabels([
    whoami([...WHOAMI.slice(1), 'traefik.enable=false', 'sluice.enable=true', 'sluice.host=b']),
  ])

  const routed = openRoutes(admit(labelled))
  assert.deepEqual(labelled.problems, [])
  assert.equal(routed('GET whoami.localhost/'), 'whoami-demo')
  assert.equal(routed('GET other.localhost/'), 'whoami-demo')
  assert.deepEqual(Object.keys(valuesOf(native)), [
    'frontend whoami-demo',
    'backend whoami-demo',
    'server whoami-demo/shop-web-1',
  ])
})

test("rules of version 2 and 3 hold as in Traefik's documentation", () => {
  const rules: readonly (readonly [rule: string, holds: string, not: string])[] = [
    ['HostRegexp(`^.+\\.example\\.com$`)', 'GET a.b.example.com/', 'GET example.com/'],
    ['HostRegexp(`{subdomain:[a-z]+}.example.com`)', 'GET abc.example.com/', 'GET 1.example.com/'],
    ['Host(`a`) && PathRegexp(`\\.(jpeg|jpg|png)$`)', 'GET a/x.png', 'GET a/x.gif'],
    ['Host(`a`) && Query(`mobile`, `true`)', 'GET a/?mobile=true', 'GET a/?mobile=false'],
    ['Query(`mobile=true`)', 'GET a/?mobile=true', 'GET a/'],
    ['Method(`OPTIONS`) || Method(`post`)', 'POST a/', 'GET a/'],
    ['Host(`a`, `b`) && !PathPrefix(`/api`)', 'GET b/x', 'GET b/api'],
    ['ClientIP(`10.0.0.0/16`, `::1`) && Host(`a`)', 'GET a/', 'GET b/'],
    ['Path(`/products/{id:[0-9]+}`)', 'GET a/products/7', 'GET a/products/x'],
  ]
  for (const [rule, holds, not] of rules) {
    const labels = ['traefik.enable=true', `traefik.http.routers.r.rule=${rule}`]
    const routed = openRoutes(admit(readLabels([whoami(labels)])))

    assert.equal(routed(holds), 'whoami-demo', rule)
    assert.equal(routed(not), '404', rule)
  }
})

test('swarm and consul have names of their own for their providers', () => {
  const of = (kind: 'swarm' | 'consul' | 'marathon', service: string): unknown => {
    const labels = [...WHOAMI, `traefik.http.routers.whoami.service=${service}`]
    const values = valuesOf(readLabels([whoami(labels)], { kind }))
    return (values['frontend whoami'] as { backend: string }).backend
  }

  assert.equal(of('swarm', 's@swarm'), 's')
  assert.equal(of('swarm', 's@docker'), 's')
  assert.equal(of('consul', 's@consulcatalog'), 's')
  assert.equal(of('marathon', 's@file'), 's@file')
})
