/** Apps, tasks and events of Marathon: what of them serves, and where. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { refuseObjectName } from '../../src/model/names.ts'
import { parseAppList } from '../../src/providers/marathon/app.ts'
import { hintOf } from '../../src/providers/marathon/events.ts'
import { createStaleApps } from '../../src/providers/marathon/stale-apps.ts'
import { declareTaskList } from '../../src/providers/marathon/task-list.ts'
import { createTranslator } from '../../src/providers/marathon/translator.ts'
import { setAsideOf, valuesOf } from '../support/labelled.ts'
import {
  createApp,
  HTTP_CHECK,
  type AppForm,
  type Json,
  type TaskForm,
} from '../support/marathon-apps.ts'
import { marathonSource, translateApps } from '../support/marathon-source.ts'

const GROUPED = { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: 'shop.example' }
const STARTED = '2020-03-01T23:29:30.158Z'
const TASK: TaskForm = { id: 't1', host: '10.0.0.1', ports: [31_001], startedAt: STARTED }

/** The urls of its servers. */
function serversOf(app: Json): readonly string[] {
  return translateApps([app]).objects.flatMap(({ kind, value }) =>
    kind === 'server' ? ((value as { url?: string } | undefined)?.url ?? 'fault') : [],
  )
}

function shop(about: Partial<AppForm>): Json {
  return createApp({ id: '/shop', labels: GROUPED, tasks: [TASK], ...about })
}

const STATES = [
  ...['STAGING', 'STARTING', 'KILLING', 'FINISHED', 'FAILED', 'KILLED', 'ERROR', 'LOST'],
  ...['DROPPED', 'UNREACHABLE', 'GONE', 'GONE_BY_OPERATOR', 'UNKNOWN', 'SOMETHING_NEW'],
]
for (const state of STATES) {
  test(`a task in TASK_${state} gets no requests`, () => {
    assert.deepEqual(serversOf(shop({ tasks: [{ ...TASK, state: `TASK_${state}` }] })), [])
  })
}

test('a task of a version without states runs once it has started', () => {
  const [started, staged] = [shop({}), shop({})]
  const [one] = started['tasks'] as Json[]
  const [other] = staged['tasks'] as Json[]
  delete one?.['state']
  delete other?.['state']
  delete other?.['startedAt']

  assert.deepEqual(serversOf(started), ['http://10.0.0.1:31001'])
  assert.deepEqual(serversOf(staged), [])
})

for (const [what, alive, isServing] of [
  ['no result yet', null, false],
  ['an empty list of results', [], false],
  ['one good result', [true], true],
  ['one bad result among good ones', [true, false], false],
] as const) {
  test(`a task with ${what} ${isServing ? 'gets' : 'gets no'} requests`, () => {
    const task = { ...TASK, alive }

    const app = shop({ healthChecks: [HTTP_CHECK], tasks: [task] })
    const { objects } = translateApps([app], { date: () => Date.parse(STARTED) })
    const servers = objects.filter(({ kind }) => kind === 'server')

    assert.equal(servers.length, isServing ? 1 : 0)
  })
}

/** Servers after each of these readings of one app. */
function overTime(readings: readonly Json[]): readonly number[] {
  const date = (): number => Date.parse(STARTED) + 1_000
  const translator = createTranslator({ ...marathonSource([]), source: 'marathon', date })
  return readings.map((app) => {
    const { apps, faults } = parseAppList({ apps: [app] })
    return [...translator.translate(apps, faults).objects].filter(({ kind }) => kind === 'server')
      .length
  })
}

test('a task keeps its last result while a new leader has none', () => {
  const reading = (alive: readonly boolean[] | null): Json =>
    shop({ healthChecks: [HTTP_CHECK], tasks: [{ ...TASK, alive }] })
  const gone = shop({ healthChecks: [HTTP_CHECK], tasks: [] })
  const other = shop({ healthChecks: [HTTP_CHECK], tasks: [{ id: 'other' }] })

  const counts = overTime([
    reading([true]),
    reading(null),
    reading([false]),
    reading(null),
    reading([true]),
    reading(null),
    gone,
    other,
    reading(null),
  ])

  assert.deepEqual(counts, [1, 1, 0, 0, 1, 1, 0, 0, 0])
})

test('a task without any result is healthy once its first one is long overdue', () => {
  const started = Date.parse(STARTED)
  // 5 s of grace, an interval of 10 s and a timeout of 10 s, and 30 s for the clocks.
  const app = shop({ healthChecks: [HTTP_CHECK], tasks: [{ ...TASK, alive: null }] })
  const sick = shop({ healthChecks: [HTTP_CHECK], tasks: [{ ...TASK, alive: [false] }] })
  let date = started + 54_000
  const translator = createTranslator({
    ...marathonSource([]),
    source: 'marathon',
    date: () => date,
  })
  const count = (one: Json): number =>
    [...translator.translate(parseAppList({ apps: [one] }).apps, []).objects].filter(
      ({ kind }) => kind === 'server',
    ).length

  const early = count(app)
  date = started + 56_000
  const late = count(app)
  const [unhealthy, after] = [count(sick), count(app)]

  assert.deepEqual([early, late, unhealthy, after], [0, 1, 0, 0])
})

test('during a deployment a new task waits for its readiness check, old ones do not', () => {
  const members = {
    readinessChecks: [{ name: 'ready', path: '/ready' }],
    deployments: [{ id: 'd1' }],
    version: '2020-05-01T00:00:00.000Z',
  }
  const tasks = [TASK, { id: 't2', host: '10.0.0.2', ports: [31_002] }]
  const reading = (more: Json): Json => {
    const app = shop({ tasks, members: { ...members, ...more } })
    const [, newer] = app['tasks'] as Json[]
    if (newer !== undefined) newer['version'] = members.version
    return app
  }
  const result = (ready: boolean): Json => ({
    readinessCheckResults: [{ name: 'ready', taskId: 't2', ready }],
  })

  const counts = overTime([reading({}), reading(result(false)), reading(result(true)), reading({})])
  const [after] = overTime([reading({ deployments: [] })])

  assert.deepEqual(counts, [1, 1, 2, 2])
  assert.equal(after, 2)
})

for (const [what, about, expected] of [
  ['host ports', {}, 'http://10.0.0.1:31001'],
  ['a bridge', { network: 'container/bridge' }, 'http://10.0.0.1:31001'],
  [
    'a container network',
    { network: 'container', tasks: [{ ...TASK, ipAddresses: ['9.0.1.7'] }] },
    'http://9.0.1.7:8080',
  ],
  [
    'IPv6 addresses',
    { network: 'container', tasks: [{ ...TASK, ipAddresses: ['fd00::7'] }] },
    'http://[fd00::7]:8080',
  ],
  ['no address yet', { network: 'container' }, 'fault'],
  ['fewer ports than its app', { tasks: [{ ...TASK, ports: [0] }] }, 'fault'],
  [
    'ports of Docker, before version 1.5',
    {
      members: {
        networks: undefined,
        portDefinitions: undefined,
        container: {
          docker: { network: 'BRIDGE', portMappings: [{ containerPort: 80, servicePort: 10_000 }] },
        },
      },
    },
    'http://10.0.0.1:31001',
  ],
  [
    'an address for each task, before version 1.5',
    {
      tasks: [{ ...TASK, ipAddresses: ['9.0.1.7'] }],
      members: {
        networks: undefined,
        ipAddress: { discovery: { ports: [{ number: 8000, name: 'http' }] } },
      },
    },
    'http://9.0.1.7:8000',
  ],
  [
    'ports as numbers, before version 1.0',
    { members: { networks: undefined, portDefinitions: undefined, ports: [10_000] } },
    'http://10.0.0.1:31001',
  ],
] as const) {
  test(`a server is found with ${what}`, () => {
    assert.deepEqual(serversOf(shop(about as Partial<AppForm>)), [expected])
  })
}

test('labels of Sluice and of Traefik are read, with ports by number, index and name', () => {
  const labels = { 'sluice.enable': 'true', 'sluice.host': 'shop.example' }
  const tasks = [{ ...TASK, ports: [31_001, 31_002] }]
  const app = (port: string): Json =>
    createApp({
      id: '/team/shop',
      labels: { ...labels, 'sluice.port': port },
      network: 'container/bridge',
      servicePorts: [10_000, 10_001],
      tasks,
    })

  const urls = ['index:1', 'name:port1', '8081', '10001', '31002'].map((port) => {
    const values = valuesOf(translateApps([app(port)]))
    return values['server team_shop/t1']
  })
  const whole = valuesOf(translateApps([app('index:0')]))

  assert.deepEqual(urls, Array(5).fill({ url: 'http://10.0.0.1:31002' }))
  assert.deepEqual(whole['frontend team_shop'], {
    route: 'Host("shop.example")',
    backend: 'team_shop',
  })
})

test("Traefik's labels are read with its ways to choose a port", () => {
  const declared = translateApps([
    createApp({
      id: '/team/shop',
      servicePorts: [10_000, 10_001],
      tasks: [{ ...TASK, ports: [31_001, 31_002] }],
      labels: {
        'traefik.enable': 'true',
        'traefik.http.routers.shop.rule': 'Host(`shop.example`)',
        'traefik.http.routers.shop.entrypoints': 'web',
        'traefik.http.routers.shop.middlewares': 'mark@marathon',
        'traefik.http.middlewares.mark.headers.customrequestheaders.X-Site': 'shop',
        'traefik.http.services.shop.loadbalancer.server.port': 'index:1',
      },
    }),
  ])

  const values = valuesOf(declared)
  const { route, backend, middlewares } = values['frontend shop'] as Json
  assert.match(String(route), /Listener\("web"\).* && .*Host\(`shop.example`\)/)
  assert.equal(backend, 'shop')
  assert.match(JSON.stringify(middlewares), /"X-Site":"shop"/)
  assert.deepEqual(values['server shop/t1'], { url: 'http://10.0.0.1:31002' })
  assert.deepEqual(declared.problems, [])
  assert.deepEqual(setAsideOf(declared), [])
})

test('an app without tasks keeps its routes', () => {
  const labels = { 'sluice.enable': 'true', 'sluice.host': 'shop.example' }

  const native = translateApps([createApp({ id: '/shop', labels })])
  const haproxy = translateApps([shop({ tasks: [] })])

  for (const declared of [native, haproxy]) {
    assert.deepEqual(declared.objects.map(({ kind }) => kind).sort(), ['backend', 'frontend'])
    assert.deepEqual(setAsideOf(declared), [])
  }
})

test('an app that cannot be read takes nothing from the others', () => {
  const broken = { ...createApp({ id: '/broken' }), labels: { n: 1 } }

  const declared = translateApps([broken, shop({}), 'text' as unknown as Json])

  assert.equal(valuesOf(declared)['frontend shop_10000'] !== undefined, true)
  assert.deepEqual(
    declared.problems.map(({ key, message }) => `${key}: ${message}`),
    ['app /broken: label "n" is not text', 'apps: an app is "text" instead of a map'],
  )
})

test('an event says which apps to read again', () => {
  const event = (type: string, ...documents: Json[]): Parameters<typeof hintOf>[0] => ({
    type,
    data: documents.map((one) => JSON.stringify(one)).join('\n'),
    isCut: false,
  })
  const status = { eventType: 'status_update_event', appId: '/shop' }
  const changed = { eventType: 'instance_changed_event', runSpecId: '/web' }

  assert.deepEqual(hintOf(event('status_update_event', status)), new Set(['/shop']))
  assert.deepEqual(
    hintOf(event('status_update_event', status, changed)),
    new Set(['/shop', '/web']),
  )
  assert.equal(hintOf(event('deployment_success', { eventType: 'deployment_success' })), 'all')
  assert.equal(hintOf(event('event_stream_attached', { eventType: 'event_stream_attached' })), null)
  assert.equal(hintOf({ type: 'status_update_event', data: '{"a":', isCut: false }), 'all')
  assert.equal(hintOf({ type: 'deployment_info', data: '', isCut: true }), 'all')
  assert.equal(hintOf({ type: 'framework_message_event', data: '', isCut: true }), null)
  assert.equal(hintOf({ type: 'message', data: '', isCut: false }), null)
})

test('apps that events name are read by themselves, but all of them after the time of a list', () => {
  let now = 0
  let hints = 0
  const stale = createStaleApps({ longestMs: 1_000, onStale: () => hints++, now: () => now })
  const first = stale.take()
  stale.readAll(10)

  stale.add(new Set(['/a']))
  stale.add(null)
  const one = stale.take()
  stale.add(new Set(Array.from({ length: 11 }, (_, i) => `/${i}`)))
  const many = stale.take()
  now = 2_000
  stale.add(new Set(['/a']))
  const late = stale.take()
  stale.close()

  assert.deepEqual([first, one, many, late], [null, new Set(['/a']), null, null])
  assert.equal(hints, 3)
})

test("frontrunner's text form is a listener and a backend for each service port", () => {
  const text = [
    'shop_web\t10000\t10.0.0.1:31001\t10.0.0.2:31002\t',
    'shop_web\t10001\t10.0.0.1:0\t',
    'batch\t \t10.0.0.1 10.0.0.2 ',
    'site\t80\t10.0.0.3:31003\t',
    'idle\t10002\t',
    'odd\t10003\t10.0.0.1\t10.0.0.1:5\t',
    'nonsense x',
    'bare',
    '',
  ].join('\n')

  const { objects, problems } = declareTaskList(text, '127.0.0.1', 'http', 'marathon')

  const declared = { objects: [...objects], problems }
  const values = valuesOf(declared)
  assert.deepEqual(values['server shop_web_10000/10.0.0.2:31002'], { url: 'http://10.0.0.2:31002' })
  assert.deepEqual(values['backend shop_web_10001'], { balance: 'least-connections' })
  assert.equal(values['server shop_web_10001/10.0.0.1:0'], undefined)
  assert.deepEqual(values['frontend site_80-port'], {
    route: 'Listener("marathon-80") && Host("site")',
    priority: 100_000_001,
    backend: 'site_80',
  })
  assert.deepEqual(values['listener marathon-10002'], { address: '127.0.0.1:10002' })
  assert.deepEqual(
    problems.map(({ key, message }) => `${key}: ${message}`),
    ['line 6: the endpoint "10.0.0.1" of "odd" is left out', 'line 7: is "nonsense x"'],
  )
  assert.deepEqual(setAsideOf(declared), [])
})

/** Any JSON, in places where the API has something else. */
const anyApp = fc.record(
  {
    id: fc.oneof(
      fc.constantFrom('/a', '/a/b', '/__proto__', 'x', '/ä', `/${'l'.repeat(300)}`),
      fc.jsonValue(),
    ),
    labels: fc.oneof(
      fc.dictionary(
        fc.constantFrom(
          ...['HAPROXY_GROUP', 'HAPROXY_0_VHOST', 'HAPROXY_0_PATH', 'HAPROXY_0_PORT', '__proto__'],
          ...['HAPROXY_0_MODE', 'HAPROXY_0_BACKEND_NETWORK_ALLOWED_ACL', 'HAPROXY_0_BALANCE'],
          ...[
            'HAPROXY_0_BACKEND_WEIGHT',
            'HAPROXY_DEPLOYMENT_GROUP',
            'HAPROXY_99_X',
            'sluice.enable',
          ],
          ...['sluice.host', 'sluice.port', 'HAPROXY_0_HTTP_BACKEND_REDIR'],
        ),
        fc.oneof(fc.constantFrom('external', 'true', '/', '80', 'a.b', 'index:0'), fc.string()),
      ),
      fc.jsonValue(),
    ),
    networks: fc.oneof(
      fc.constantFrom([{ mode: 'host' }], [{ mode: 'container' }]),
      fc.jsonValue(),
    ),
    portDefinitions: fc.oneof(fc.array(fc.record({ port: fc.nat(70_000) })), fc.jsonValue()),
    container: fc.jsonValue(),
    healthChecks: fc.oneof(fc.constant([HTTP_CHECK]), fc.jsonValue()),
    deployments: fc.jsonValue(),
    tasks: fc.oneof(
      fc.array(
        fc.record(
          {
            id: fc.oneof(fc.constantFrom('t1', 't2', '__proto__', 'a/b'), fc.string()),
            host: fc.oneof(fc.constantFrom('10.0.0.1', 'agent', 'a b'), fc.jsonValue()),
            ports: fc.oneof(fc.array(fc.nat(70_000)), fc.jsonValue()),
            state: fc.oneof(fc.constantFrom('TASK_RUNNING', 'TASK_KILLING'), fc.jsonValue()),
            ipAddresses: fc.jsonValue(),
            healthCheckResults: fc.oneof(fc.constant([{ alive: true }]), fc.jsonValue()),
          },
          { requiredKeys: ['id'] },
        ),
      ),
      fc.jsonValue(),
    ),
  },
  { requiredKeys: ['id'] },
)

test('any apps declare valid names, each once, and problems of a bounded length', () => {
  fc.assert(
    fc.property(fc.array(anyApp, { maxLength: 4 }), fc.boolean(), (apps, isOffered) => {
      const options = { groups: ['*'], servicePorts: isOffered ? '127.0.0.1' : null }

      const { objects, problems } = translateApps(apps as Json[], options)

      const names = objects.map(({ kind, id }) => `${kind} ${id}`)
      assert.equal(new Set(names).size, names.length)
      for (const object of objects) assert.equal(refuseObjectName(object), null)
      for (const { message } of problems) assert.ok(message.length < 2_000)
    }),
    { numRuns: 300 },
  )
})
