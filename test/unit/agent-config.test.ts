import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readAgentConfig, type ReadConfig } from '../../src/agent/config/read-config.ts'
import type { ServiceSpec } from '../../src/agent/spec/agent-spec.ts'
import { makeFolder } from '../support/program.ts'

interface World {
  readonly env?: Readonly<Record<string, string>>
  readonly hostAddress?: string | null
  readonly file?: string
}

function read(t: TestContext, text: string, world: World = {}): ReadConfig {
  const { env = {}, hostAddress = '10.0.0.9', file = 'agent.yaml' } = world
  const path = join(makeFolder(t), file)
  writeFileSync(path, text)
  return readAgentConfig(path, {
    env,
    hostname: 'host.example',
    hostAddress,
    withContainers: false,
  })
}

/** Lines without the folder. */
function problemsOf(t: TestContext, text: string, world: World = {}): readonly string[] {
  const result = read(t, text, world)
  return result.ok ? [] : result.problems.map((line) => line.replace(/^.*\/(?=agent)/, ''))
}

function servicesOf(t: TestContext, text: string, world: World = {}): readonly ServiceSpec[] {
  const result = read(t, text, world)
  assert.ok(result.ok, JSON.stringify(result))
  return result.config.services
}

const REGISTRIES = 'registries: { etcd: { endpoints: 127.0.0.1:2379 } }'

test('a port is all that a service needs', (t) => {
  const [web] = servicesOf(t, `${REGISTRIES}\nservices: { web: { port: 8080 } }`)

  assert.deepEqual(web?.registration, {
    ...{ service: 'web', id: 'host.example_8080', host: '10.0.0.9', port: 8080, scheme: null },
    ...{
      weight: null,
      backup: false,
      labels: {},
      haproxyServerOptions: null,
      path: null,
      tags: [],
    },
  })
  assert.deepEqual([web?.registry.kind, web?.checks, web?.limit], ['etcd', [], null])
})

test('everything about a service can be said', (t) => {
  const result = read(
    t,
    `
id: i-1
host: 10.0.0.1
drain: 3s
stop: 2s
log: { level: warn }
status: 127.0.0.1:9000
heartbeat: /run/beat
registries:
  etcd: { endpoints: 127.0.0.1:2379 }
  zk: { kind: zookeeper, endpoints: 127.0.0.1:2181, layout: nerve }
services:
  api:
    host: 10.0.0.2
    port: 8443
    scheme: https
    backend: shop
    id: one
    weight: 7
    backup: true
    labels: { zone: a }
    registry: etcd
    interval: 500ms
    limit: { rate: 0.1, burst: 3 }
    checks:
      - { path: /health, host: shop.example, timeout: 200ms, rise: 1, fall: 2 }
      - { kind: tcp, port: 9, address: 127.0.0.1, interval: 10s }
      - { kind: exec, command: [test, -f, /run/ok], name: flag }
`,
  )
  assert.ok(result.ok, JSON.stringify(result))
  const { services, ...rest } = result.config
  const [api] = services

  assert.deepEqual(rest, {
    ...{ containers: null, drainMs: 3_000, stopMs: 2_000, logLevel: 'warn' },
    heartbeat: '/run/beat',
    status: { host: '127.0.0.1', port: 9000 },
  })
  assert.deepEqual(api?.registration, {
    ...{ service: 'shop', id: 'one', host: '10.0.0.2', port: 8443, scheme: 'https', weight: 7 },
    ...{ backup: true, labels: { zone: 'a' }, haproxyServerOptions: null, path: null, tags: [] },
  })
  assert.deepEqual(api.limit, { rate: 0.1, burst: 3, initial: 3, isShadow: false })
  assert.deepEqual(
    api.checks.map(({ name, intervalMs, timeoutMs, rise, fall }) => [
      ...[name, intervalMs, timeoutMs, rise, fall],
    ]),
    [
      ['https 10.0.0.2:8443/health', 500, 200, 1, 2],
      ['tcp 127.0.0.1:9', 10_000, 1_000, 2, 3],
      ['flag', 500, 1_000, 2, 3],
    ],
  )
})

test('each kind of check has its own options, and refuses those of others with line and column', (t) => {
  const text = `${REGISTRIES}
services:
  web:
    port: 80
    checks:
      - { kind: tcp, path: / }
      - { kind: exec, command: '' }
      - { kind: reddis }
      - { path: health }
      - { kind: redis, username: me }
      - { scheme: http, tls: { verify: false } }
`

  assert.deepEqual(problemsOf(t, text), [
    'agent.yaml:6:22: services.web.checks.0: unknown key "path"',
    'agent.yaml:7:23: services.web.checks.1.command: must be a command, or a list of a program and its arguments, not a list',
    'agent.yaml:8:11: services.web.checks.2.kind: must be one of http, tcp, grpc, redis, rabbitmq, exec, noop, not "reddis", did you mean "redis"?',
    'agent.yaml:9:11: services.web.checks.3.path: must begin with / and hold visible characters only, not "health"',
    'agent.yaml:10:24: services.web.checks.4.username: needs a password',
    'agent.yaml:11:25: services.web.checks.5.tls: is used with scheme: https only, not http',
  ])
})

test('a file without registries or services says what to write', (t) => {
  assert.deepEqual(problemsOf(t, 'id: a'), [
    'agent.yaml: registries: is missing: name at least one registry, as { etcd: { endpoints: 127.0.0.1:2379 } }',
    'agent.yaml: services: is missing: name at least one, as { web: { port: 8080 } }',
  ])
})

test('unknown keys, bad ids and bad values are named with what helps', (t) => {
  const text = `
drian: 3s
${REGISTRIES}
services:
  web: { port: 0, weight: 1001 }
  'a/b': { port: 80 }
  api: { prot: 80 }
`

  assert.deepEqual(problemsOf(t, text), [
    'agent.yaml:2:1: unknown key "drian", did you mean "drain"?',
    'agent.yaml:5:10: services.web.port: must be a whole number from 1 to 65535, not 0',
    'agent.yaml:5:19: services.web.weight: must be a whole number from 0 to 1000, not 1001',
    'agent.yaml:6:3: services."a/b": the id must be 1 to 128 letters, digits or any of . _ - @ :, not "a/b"',
    'agent.yaml:7:3: services.api.port: is missing',
    'agent.yaml:7:10: services.api: unknown key "prot", did you mean "port"?',
  ])
})

test('of several registries a service names one', (t) => {
  const text = `
registries: { etcd: { endpoints: 127.0.0.1:2379 }, redis: { endpoints: 127.0.0.1:6379 } }
services:
  one: { port: 80 }
  two: { port: 81, registry: reddis }
`

  assert.deepEqual(problemsOf(t, text), [
    'agent.yaml:4:3: services.one.registry: is missing: one of etcd, redis',
    'agent.yaml:5:20: services.two.registry: there is no registry "reddis": there are etcd, redis, did you mean "redis"?',
  ])
})

test('a machine without a route to others has to be told its address', (t) => {
  const text = `${REGISTRIES}\nservices: { web: { port: 80 } }`

  assert.deepEqual(problemsOf(t, text, { hostAddress: null }), [
    'agent.yaml:2:13: services.web.host: is missing: this machine has no route to others; write it there, or as host of the file',
  ])
})

test('two services that would write the same entry are refused', (t) => {
  const text = `${REGISTRIES}
services:
  one: { port: 80, backend: web, id: a }
  two: { port: 81, backend: web, id: a }
`

  assert.deepEqual(problemsOf(t, text), [
    'agent.yaml:4:3: services.two: is server "a" of backend "web", as the service "one" is: give one of them another id',
  ])
})

test('what the registry of a service cannot hold is an error, as is a key that another service has', (t) => {
  const text = `
registries:
  etcd: { endpoints: 127.0.0.1:2379, layout: nerve }
  vulcand: { kind: etcd, endpoints: 127.0.0.1:2379, layout: vulcand }
  consul: {}
services:
  secure: { port: 80, registry: etcd, scheme: https }
  heavy: { port: 80, registry: vulcand, weight: 3 }
  empty: { port: 80, registry: consul, weight: 0 }
  one: { port: 80, registry: etcd, id: a, path: /web }
  two: { port: 81, registry: etcd, id: a, path: /web }
`

  assert.deepEqual(problemsOf(t, text), [
    'agent.yaml:7:3: services.secure: the layout nerve has no scheme: leave it out, and set scheme at the source that reads it',
    'agent.yaml:8:3: services.heavy: the layout vulcand has a URL alone: leave out weight',
    'agent.yaml:9:3: services.empty: weights of Consul are 1 or more',
    'agent.yaml:11:3: services.two: is registered at "/web/a", as the service "one" is: give one of them another id',
  ])
})

test('values may come from the environment, and are not shown in messages', (t) => {
  const text = `
registries: { redis: { endpoints: '127.0.0.1:6379', password: '\${SECRET}' } }
services: { web: { port: '\${PORT}', host: '\${HOST:-10.0.0.3}' } }
`

  const [web] = servicesOf(t, text, { env: { PORT: '8080', SECRET: 'geheim123' } })
  const missing = problemsOf(t, text, { env: { PORT: '8080' } })
  const wrong = problemsOf(t, text, { env: { PORT: 'eighty', SECRET: 'geheim123' } })

  assert.deepEqual([web?.registration.host, web?.registration.port], ['10.0.0.3', 8080])
  assert.match(missing.join(), /password: the variable SECRET is not set/)
  assert.match(wrong.join(), /port: must be a whole number from 1 to 65535, not \(hidden\)/)
})

test('a file that is none is refused in one line with its place', (t) => {
  assert.deepEqual(problemsOf(t, 'services: [', {}).length, 1)
  assert.match(
    problemsOf(t, '{"services": ]', { file: 'agent.json' })[0] ?? '',
    /^agent.json:1:14: /,
  )
  const missing = readAgentConfig('/no/such/file', {
    env: {},
    hostname: 'h',
    hostAddress: null,
    withContainers: false,
  })
  assert.deepEqual(missing, {
    ok: false,
    problems: ['/no/such/file: there is no such file'],
    warnings: [],
  })
})
