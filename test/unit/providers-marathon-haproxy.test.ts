/** Labels of marathon-lb. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admit, setAsideOf, valuesOf } from '../support/labelled.ts'
import { createApp, HTTP_CHECK, type AppForm } from '../support/marathon-apps.ts'
import { translateApps } from '../support/marathon-source.ts'

const TASK = { id: 'shop.t1', host: '10.0.0.1', ports: [31_001] }

/** An app /shop with a task and these labels, in the group external. */
function shop(
  labels: Readonly<Record<string, string>>,
  about: Partial<AppForm> = {},
): ReturnType<typeof createApp> {
  const all = { HAPROXY_GROUP: 'external', ...labels }
  return createApp({ id: '/shop', labels: all, tasks: [TASK], ...about })
}

function remarksOf(labels: Readonly<Record<string, string>>): readonly string[] {
  const { objects } = translateApps([shop({ HAPROXY_0_VHOST: 'shop.example', ...labels })])
  return objects.flatMap(({ remarks = [] }) => remarks)
}

test('a group and a host are a route, a backend and a server for each task', () => {
  const tasks = [TASK, { id: 'shop.t2', host: 'agent-2', ports: [31_002] }]
  const app = shop({ HAPROXY_0_VHOST: 'Shop.Example, www.shop.example' }, { tasks })

  const declared = translateApps([app])

  assert.deepEqual(valuesOf(declared), {
    'backend shop_10000': {},
    'server shop_10000/shop.t1': { url: 'http://10.0.0.1:31001' },
    'server shop_10000/shop.t2': { url: 'http://agent-2:31002' },
    'frontend shop_10000': {
      route: 'Host("shop.example", "www.shop.example")',
      backend: 'shop_10000',
    },
  })
  assert.deepEqual(declared.objects[0]?.key, 'app /shop')
  assert.deepEqual(declared.problems, [])
  assert.deepEqual(admit(declared).setAside, [])
})

test('each port has its own labels, by index', () => {
  const app = shop(
    {
      HAPROXY_0_VHOST: 'shop.example',
      HAPROXY_1_VHOST: 'admin.example',
      HAPROXY_1_GROUP: 'internal',
    },
    { servicePorts: [10_000, 10_001], tasks: [{ ...TASK, ports: [31_001, 31_002] }] },
  )

  const external = valuesOf(translateApps([app]))
  const internal = valuesOf(translateApps([app], { groups: ['internal'] }))

  assert.deepEqual(Object.keys(external), [
    'backend shop_10000',
    'server shop_10000/shop.t1',
    'frontend shop_10000',
  ])
  assert.deepEqual(internal['server shop_10001/shop.t1'], { url: 'http://10.0.0.1:31002' })
  assert.equal(internal['backend shop_10000'], undefined)
})

test('an app of no group has no route, and a hint says why', () => {
  const app = createApp({ id: '/shop', labels: { HAPROXY_0_VHOST: 'shop.example' }, tasks: [TASK] })

  const declared = translateApps([app])
  const all = translateApps([app], { groups: ['*'] })

  assert.deepEqual(valuesOf(declared), {})
  assert.deepEqual(
    declared.problems.map(({ key, level, message }) => [key, level, message]),
    [['app /shop', 'hint', 'has HAPROXY_0_VHOST, but no HAPROXY_GROUP, so that it has no route']],
  )
  assert.equal(Object.keys(valuesOf(all)).length, 3)
})

test('options become those of frontend and backend', () => {
  const declared = translateApps([
    shop(
      {
        HAPROXY_0_VHOST: 'shop.example',
        HAPROXY_0_PATH: '/api /v2/',
        HAPROXY_0_STICKY: 'true',
        HAPROXY_0_REDIRECT_TO_HTTPS: 'true',
        HAPROXY_0_USE_HSTS: 'yes',
        HAPROXY_0_BALANCE: 'leastconn',
        HAPROXY_0_BACKEND_WEIGHT: '7',
        HAPROXY_0_HTTP_BACKEND_REDIR: '/start',
      },
      { healthChecks: [HTTP_CHECK], tasks: [{ ...TASK, alive: [true] }] },
    ),
  ])

  const values = valuesOf(declared)
  assert.deepEqual(values['backend shop_10000'], {
    balance: 'least-connections',
    sticky: { cookie: 'mesosphere_server_id' },
    health: { path: '/health', interval: '10s', timeout: '10s', fall: 4, waitHealthy: false },
  })
  assert.deepEqual(values['frontend shop_10000'], {
    route: 'Host("shop.example") && PathPrefix("/api", "/v2/")',
    priority: 7,
    backend: 'shop_10000',
    redirect: { scheme: 'https', status: 302 },
    headers: { response: { set: { 'Strict-Transport-Security': 'max-age=15768000' } } },
  })
  assert.deepEqual(values['frontend shop_10000-root'], {
    route: 'Host("shop.example") && Path("/")',
    priority: 7,
    redirect: { to: '/start', status: 301 },
  })
  assert.deepEqual(setAsideOf(declared), [])
})

test('paths in any case are an expression that compares whole segments', () => {
  const declared = translateApps([
    shop({ HAPROXY_0_VHOST: 'shop.example', HAPROXY_0_PATH: '-i /a+b /c/' }),
  ])

  assert.deepEqual(valuesOf(declared)['frontend shop_10000'], {
    route: 'Host("shop.example") && PathRegexp("(?i)^/a\\\\+b(?:/|$)", "(?i)^/c/")',
    backend: 'shop_10000',
  })
  assert.deepEqual(setAsideOf(declared), [])
})

for (const [balance, expected] of [
  ['source', { balance: 'hash', hash: { from: 'client-ip' } }],
  ['uri', { balance: 'hash', hash: { from: 'path' } }],
  ['hdr(X-User)', { balance: 'hash', hash: { from: 'header', name: 'x-user' } }],
  ['url_param id', { balance: 'hash', hash: { from: 'query', name: 'id' } }],
  ['random', { balance: 'random' }],
  ['static-rr', {}],
] as const) {
  test(`balance ${balance} has its like`, () => {
    const declared = translateApps([
      shop({ HAPROXY_0_VHOST: 'shop.example', HAPROXY_0_BALANCE: balance }),
    ])

    assert.deepEqual(valuesOf(declared)['backend shop_10000'], expected)
    assert.deepEqual(setAsideOf(declared), [])
  })
}

test('only the addresses that are allowed reach the app, others get 403', () => {
  const allowed = { HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL: '10.1.40.0/24 10.1.55.43' }
  const declared = translateApps([shop({ HAPROXY_0_VHOST: 'shop.example', ...allowed })])

  const values = valuesOf(declared)
  assert.deepEqual(values['frontend shop_10000'], {
    route: 'Host("shop.example") && ClientIP("10.1.40.0/24", "10.1.55.43")',
    backend: 'shop_10000',
  })
  assert.deepEqual(values['frontend shop_10000-denied'], {
    route: 'Host("shop.example")',
    respond: { status: 403 },
  })
  assert.deepEqual(setAsideOf(declared), [])
})

for (const [label, text] of [
  ['AUTH', 'realm:user:secret'],
  ['HTTP_FRONTEND_ACL', 'acl inside src 10.0.0.0/8'],
  ['BACKEND_HTTP_OPTIONS', '  http-request deny if !inside'],
  ['HTTP_BACKEND_PROXYPASS_PATH', '/shop'],
  ['BACKEND_NETWORK_ALLOWED_ACL', 'inside'],
  ['PATH', '-m reg ^/x'],
] as const) {
  test(`a route with ${label} that is not honoured is closed, and says why`, () => {
    const name = `HAPROXY_0_${label}`
    const declared = translateApps([shop({ HAPROXY_0_VHOST: 'shop.example', [name]: text })])

    const frontend = declared.objects.find(({ kind }) => kind === 'frontend')
    assert.deepEqual((frontend?.value as { respond?: unknown } | undefined)?.respond, {
      status: 503,
      body: 'This route is closed.\n',
    })
    assert.match(frontend?.remarks?.join() ?? '', new RegExp(`closed.*${name}`))
    assert.doesNotMatch(JSON.stringify(declared), /secret/)
    assert.deepEqual(setAsideOf(declared), [])
  })
}

test('what guards nothing and is not honoured is a remark', () => {
  assert.deepEqual(remarksOf({ HAPROXY_0_SSL_CERT: '/etc/ssl/cert.pem' }), [
    'HAPROXY_0_SSL_CERT: is not honoured: a listener has its address and its certificates',
  ])
  assert.deepEqual(remarksOf({ HAPROXY_0_BACKEND_SERVER_OPTIONS: '  server {serverName}' }), [
    'HAPROXY_0_BACKEND_SERVER_OPTIONS: text for HAProxy is not read',
  ])
  assert.deepEqual(remarksOf({ HAPROXY_0_STICKY: '1' }), [
    'HAPROXY_0_STICKY: "1" is not true, so it counts as false',
  ])
  assert.deepEqual(remarksOf({ HAPROXY_0_BALANCE: 'first' }), [
    'BALANCE: "first" is not known; requests are balanced by round-robin',
  ])
})

test('a host that is none is left out, and the others have their route', () => {
  const app = shop({ HAPROXY_0_VHOST: 'shop.example:8080, a b, *.shop.example, x!, -' })

  const declared = translateApps([app])

  assert.deepEqual(valuesOf(declared)['frontend shop_10000'], {
    route: 'Host("shop.example", "*.shop.example")',
    backend: 'shop_10000',
  })
  assert.deepEqual(declared.objects[0]?.remarks, [
    'HAPROXY_0_VHOST: the port of "shop.example:8080" is not compared',
    'HAPROXY_0_VHOST: "a b" is not a host',
    'HAPROXY_0_VHOST: "x!" is not a host',
    'HAPROXY_0_VHOST: "-" is not a host',
  ])
  assert.deepEqual(setAsideOf(declared), [])
})

test('a label that is not known, or of no port, is reported', () => {
  const app = shop({ HAPROXY_0_VHOST: 'shop.example', HAPROXY_3_VHOST: 'x', HAPROXY_GRUOP: 'y' })

  const { problems } = translateApps([app])

  assert.deepEqual(remarksOf({ HAPROXY_0_VHSOT: 'x' }), [
    'HAPROXY_0_VHSOT: is not known, did you mean "VHOST"?',
  ])
  assert.deepEqual(
    problems.map(({ key, message }) => [key, message]),
    [
      ['app /shop', '"HAPROXY_3_VHOST" is of no port: it has 1 port'],
      ['app /shop', '"HAPROXY_GRUOP" is not known, did you mean "GROUP"?'],
    ],
  )
})

test('an app with ENABLED: false, or in tcp mode, has no route', () => {
  const hosts = { HAPROXY_0_VHOST: 'shop.example' }
  const off = translateApps([shop({ ...hosts, HAPROXY_0_ENABLED: 'false' })])
  const tcp = translateApps([shop({ ...hosts, HAPROXY_0_MODE: 'tcp' })])

  assert.deepEqual(valuesOf(off), {})
  assert.equal(valuesOf(tcp)['frontend shop_10000'], undefined)
  assert.deepEqual(tcp.objects[0]?.remarks, [
    'is tcp, which needs a service port, and servicePorts is not set',
  ])
})

test('a service port in tcp mode is a listener that passes its streams to the app', () => {
  const options = { servicePorts: '127.0.0.1' }
  const own = translateApps([shop({ HAPROXY_0_MODE: 'TCP' })], options)
  const byDefault = translateApps(
    [
      createApp({ id: '/db', tasks: [] }),
      shop({ HAPROXY_0_VHOST: 'shop.example', HAPROXY_0_PORT: '80' }),
    ],
    { ...options, serviceMode: 'tcp' },
  )
  const acl = { HAPROXY_0_MODE: 'tcp', HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL: '10.0.0.0/8' }
  const some = translateApps([shop(acl)], options)
  const closed = translateApps([shop({ HAPROXY_0_MODE: 'tcp', HAPROXY_0_AUTH: 'r:u:p' })], options)

  assert.deepEqual(valuesOf(own)['listener marathon-10000'], {
    ...{ address: '127.0.0.1:10000', protocol: 'tcp', backend: 'shop_10000' },
  })
  assert.equal(valuesOf(own)['frontend shop_10000-port'], undefined)
  assert.equal(
    (valuesOf(byDefault)['listener marathon-10000'] as { backend?: string }).backend,
    'db_10000',
  )
  assert.deepEqual(valuesOf(some)['listener marathon-10000'], {
    ...{ address: '127.0.0.1:10000', protocol: 'tcp' },
  })
  assert.deepEqual(valuesOf(some)['frontend shop_10000-port'], {
    ...{ protocol: 'tcp', route: 'Listener("marathon-10000") && ClientIP("10.0.0.0/8")' },
    ...{ priority: 100_000_001, backend: 'shop_10000' },
  })
  assert.deepEqual(setAsideOf(some), [])
  assert.equal(valuesOf(closed)['listener marathon-10000'], undefined)
  assert.match(closed.objects[0]?.remarks?.join() ?? '', /its service port is not opened/)
})

test('a service port speaks one protocol', () => {
  const http = createApp({ id: '/web', tasks: [] })
  const tcp = createApp({ id: '/db', tasks: [], labels: { HAPROXY_0_MODE: 'tcp' } })

  for (const [first, second, fault] of [
    [http, tcp, { 'frontend db_10000-port': { fault: 'port 10000 is already that of app /web' } }],
    [tcp, http, { 'frontend web_10000-port': { fault: 'port 10000 is already that of app /db' } }],
  ] as const) {
    const values = valuesOf(translateApps([first, second], { servicePorts: '127.0.0.1' }))
    assert.deepEqual({ ...values, ...fault }, values)
  }
})

test('service ports have a listener each, which takes all of its requests', () => {
  const labelled = shop({ HAPROXY_0_VHOST: 'shop.example', HAPROXY_0_PORT: '80' })
  const plain = createApp({ id: '/team/db', servicePorts: [10_002], tasks: [] })

  const declared = translateApps([labelled, plain], { servicePorts: '127.0.0.1' })

  const values = valuesOf(declared)
  assert.deepEqual(values['listener marathon-80'], { address: '127.0.0.1:80' })
  assert.deepEqual(values['listener marathon-10002'], { address: '127.0.0.1:10002' })
  assert.deepEqual(values['frontend team_db_10002-port'], {
    route: 'Listener("marathon-10002")',
    priority: 100_000_000,
    backend: 'team_db_10002',
  })
  assert.deepEqual(values['frontend shop_80-port'], {
    route: 'Listener("marathon-80")',
    priority: 100_000_000,
    backend: 'shop_80',
  })
  assert.deepEqual(setAsideOf(declared), [])
})

test('a service port with guards keeps them, and one with its own certificate is not opened', () => {
  const options = { servicePorts: '127.0.0.1' }
  const auth = valuesOf(translateApps([shop({ HAPROXY_0_AUTH: 'r:u:p' })], options))
  const acl = { HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL: '10.0.0.0/8' }
  const blocks = valuesOf(translateApps([shop(acl)], options))
  const cert = translateApps([shop({ HAPROXY_0_SSL_CERT: '/x.pem' })], options)

  assert.deepEqual((auth['frontend shop_10000-port'] as { respond: object }).respond, {
    status: 503,
    body: 'This route is closed.\n',
  })
  assert.deepEqual(blocks['frontend shop_10000-port'], {
    route: 'Listener("marathon-10000") && ClientIP("10.0.0.0/8")',
    priority: 100_000_001,
    backend: 'shop_10000',
  })
  assert.deepEqual(blocks['frontend shop_10000-port-denied'], {
    route: 'Listener("marathon-10000")',
    priority: 100_000_000,
    respond: { status: 403 },
  })
  assert.equal(valuesOf(cert)['listener marathon-10000'], undefined)
  assert.match(cert.objects[0]?.remarks?.join() ?? '', /its service port is not opened/)
})

test('two apps with the same service port do not share it', () => {
  const other = createApp({ id: '/other', tasks: [] })
  const declared = translateApps([createApp({ id: '/shop' }), other], { servicePorts: '::1' })

  const values = valuesOf(declared)
  assert.deepEqual(values['frontend other_10000-port'], {
    fault: 'port 10000 is already that of app /shop',
  })
})

test('blue/green: as many old tasks are drained as new ones are healthy, beyond the target', () => {
  const colour = (
    id: string,
    startedAt: string,
    tasks: AppForm['tasks'] & object,
  ): ReturnType<typeof createApp> =>
    createApp({
      id,
      tasks,
      healthChecks: [HTTP_CHECK],
      labels: {
        HAPROXY_GROUP: 'external',
        HAPROXY_0_VHOST: 'shop.example',
        HAPROXY_0_PORT: '10000',
        HAPROXY_DEPLOYMENT_GROUP: 'shop',
        HAPROXY_DEPLOYMENT_STARTED_AT: startedAt,
        HAPROXY_DEPLOYMENT_TARGET_INSTANCES: '3',
      },
    })
  const old = ['b1', 'b2', 'b3'].map((id) => ({ id, host: '10.0.0.1', alive: [true] }))
  const blue = colour('/shop-blue', '2016-02-01T14:13:42', old)
  const green = colour('/shop-green', '2016-03-01T14:13:42', [
    { id: 'g1', host: '10.0.0.2', alive: [true] },
    { id: 'g2', host: '10.0.0.2', alive: null },
  ])

  const declared = translateApps([green, blue])

  const servers = declared.objects.filter(({ kind }) => kind === 'server').map(({ id }) => id)
  assert.deepEqual(servers.sort(), ['shop_10000/b2', 'shop_10000/b3', 'shop_10000/g1'])
})
