import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readAgentConfig, type ReadConfig } from '../../src/agent/config/read-config.ts'
import type { ServiceSpec } from '../../src/agent/spec/agent-spec.ts'
import { makeFolder } from '../support/program.ts'

const ZOOKEEPER = {
  reporter_type: 'zookeeper',
  zk_hosts: ['zk2:2181', 'zk1:2181'],
  zk_path: '/nerve/web',
}
const WEB = { host: '10.0.0.1', port: 3000, ...ZOOKEEPER }

function read(folder: string, config: object): ReadConfig {
  const path = join(folder, 'nerve.conf.json')
  writeFileSync(path, JSON.stringify(config, null, 2))
  return readAgentConfig(path, { env: {}, hostname: 'h', hostAddress: null, withContainers: false })
}

interface ReadService {
  readonly service: ServiceSpec
  readonly warnings: readonly string[]
}

function readOne(t: TestContext, web: object, root: object = {}): ReadService {
  const result = read(makeFolder(t), { instance_id: 'i-1', services: { web }, ...root })
  assert.ok(result.ok, JSON.stringify(result))
  const [service] = result.config.services
  assert.ok(service !== undefined)
  return {
    service,
    warnings: result.warnings.map((line) => line.replace(/^.*?\/(?=nerve\.conf)/, '')),
  }
}

function problemsOf(t: TestContext, web: object, root: object = {}): readonly string[] {
  const result = read(makeFolder(t), { instance_id: 'i-1', services: { web }, ...root })
  return result.ok ? [] : result.problems.map((line) => line.replace(/^.*\/(?=nerve\.conf)/, ''))
}

test("a service of nerve's example is registered in ZooKeeper as nerve does it", (t) => {
  const check = { type: 'http', uri: '/health', timeout: 0.2, rise: 3, fall: 2 }
  const { service, warnings } = readOne(t, { ...WEB, check_interval: 2, checks: [check] })

  assert.deepEqual(warnings, [])
  assert.deepEqual(service.registration, {
    ...{ service: 'web', id: 'i-1', host: '10.0.0.1', port: 3000, scheme: null, weight: null },
    ...{ backup: false, labels: {}, haproxyServerOptions: null, path: '/nerve/web', tags: [] },
  })
  assert.deepEqual(
    [service.registry.kind, service.registry.ttlMs, service.registry.name],
    ['zookeeper', 32_000, 'zookeeper zk1:2181,zk2:2181'],
  )
  assert.deepEqual(
    service.checks.map(({ name, how: _, ...rest }) => ({ name, ...rest })),
    [
      {
        ...{ name: 'http 10.0.0.1:3000/health', intervalMs: 2_000, rise: 3, fall: 2 },
        // 0.2 s to connect, as in nerve, and 0.2 s to read.
        timeoutMs: 400,
      },
    ],
  )
  assert.equal(service.reopenMs, 20_000)
})

test('what a service does not say has the defaults of nerve', (t) => {
  const { service } = readOne(t, { ...WEB, checks: [{ type: 'tcp' }] })

  const [check] = service.checks
  assert.deepEqual(
    [check?.intervalMs, check?.timeoutMs, check?.rise, check?.fall, check?.name],
    [500, 100, 1, 1, 'tcp 10.0.0.1:3000'],
  )
  assert.deepEqual([service.limit, service.reopenMs], [null, 5_000])
})

test('weight, labels and options for HAProxy are registered', (t) => {
  const { service } = readOne(t, {
    ...WEB,
    ...{ weight: '5', labels: { az: 'a', rank: 3 }, haproxy_server_options: 'backup check' },
  })

  const { weight, labels, haproxyServerOptions } = service.registration
  assert.deepEqual(
    [weight, labels, haproxyServerOptions],
    [5, { az: 'a', rank: '3' }, 'backup check'],
  )
})

test('the other registries have the keys of their reporters', (t) => {
  const base = { host: '10.0.0.1', port: 80 }
  const place = (web: object): readonly unknown[] => {
    const { service } = readOne(t, { ...base, ...web })
    return [service.registry.kind, service.registry.ttlMs, service.registration.path]
  }

  assert.deepEqual(
    place({ reporter_type: 'etcd', etcd_host: 'e', etcd_path: '/nerve/web/', check_interval: 0.5 }),
    ['etcd', 3_000, '/nerve/web'],
  )
  assert.deepEqual(
    place({ reporter_type: 'redis', redis_host: 'r', redis_path: '/nerve/web', check_interval: 2 }),
    ['redis', 10_000, '/nerve/web'],
  )
  assert.deepEqual(place({ reporter_type: 'consul', check_interval: 2 }), ['consul', 10_000, null])
})

test('services of one instance may have one path: where keys have no numbers, with ids of their own', (t) => {
  const etcd = { reporter_type: 'etcd', etcd_host: 'e', etcd_path: '/web', host: '10.0.0.1' }
  const idsOf = (services: object): readonly unknown[] => {
    const result = read(makeFolder(t), { instance_id: 'i-1', services })
    assert.ok(result.ok, JSON.stringify(result))
    return result.config.services.map(({ registration }) => registration.id)
  }

  assert.deepEqual(idsOf({ a: { ...etcd, port: 1 }, b: { ...etcd, port: 2 } }), ['i-1', 'i-1_b'])
  assert.deepEqual(idsOf({ a: WEB, b: { ...WEB, port: 2 } }), ['i-1', 'i-1'])
})

test('what cannot be registered is an error', (t) => {
  const consul = { host: '10.0.0.1', port: 80, reporter_type: 'consul', weight: 0 }
  const twice = read(makeFolder(t), { instance_id: 'i-1', services: { a: WEB, b: WEB } })

  const redis = { host: '10.0.0.1', port: 80, reporter_type: 'redis', redis_host: 'r' }
  assert.deepEqual(problemsOf(t, redis), [])
  assert.match(
    problemsOf(t, { ...redis, redis_path: '/web' }).join(),
    /redis_path: must have two parts, as \/services\/web, not "\/web"/,
  )
  assert.match(problemsOf(t, consul).join(), /services.web: weights of Consul are 1 or more/)
  assert.match(
    twice.ok ? '' : twice.problems.join(),
    /services.b: is registered as service "a" is, with its address and in its place: leave one/,
  )
})

test('checks of each type are read with their keys', (t) => {
  const { service, warnings } = readOne(t, {
    ...WEB,
    checks: [
      { type: 'http', uri: '/', ssl: true, expect: 'a.b', headers: { Host: 'x' }, timeout: 1 },
      { type: 'redis', port: 6379 },
      { type: 'rabbitmq', username: 'u', password: 'p' },
      { type: 'exec', command: '/bin/check', arguments: ['-x', '1'], timeout: 3 },
      { type: 'noop', name: 'nothing' },
    ],
  })
  const [http, redis, rabbitmq, exec, noop] = service.checks

  assert.deepEqual(warnings, [])
  assert.ok(http?.how.kind === 'probe')
  assert.deepEqual(
    [http.how.target.server.scheme, http.how.target.tls.verify, http.how.target.check.http?.body],
    ['https', false, 'a\\.b'],
  )
  assert.deepEqual(http.how.target.check.http?.headers, { Host: 'x' })
  assert.equal(http.timeoutMs, 1_400)
  assert.ok(redis?.how.kind === 'redis' && redis.how.port === 6379)
  assert.deepEqual(rabbitmq?.how, {
    ...{ kind: 'rabbitmq', host: '10.0.0.1', port: 3000, username: 'u', password: 'p' },
    ...{ vhost: '/', queue: 'nerve' },
  })
  assert.deepEqual(exec?.how, { kind: 'exec', command: '/bin/check', args: ['-x', '1'] })
  assert.deepEqual([noop?.name, noop?.how], ['nothing', { kind: 'noop' }])
})

test('check_mocked passes without checks', (t) => {
  const { service } = readOne(t, { ...WEB, check_mocked: true, checks: [{ type: 'tcp' }] })

  assert.deepEqual(service.checks, [])
})

test('rate_limiting is in shadow mode unless it says otherwise', (t) => {
  const limitOf = (rate_limiting: object): unknown =>
    readOne(t, { ...WEB, rate_limiting }).service.limit

  assert.deepEqual(limitOf({ average_rate: 0.1, max_burst: 5 }), {
    ...{ rate: 0.1, burst: 5, initial: 1, isShadow: true },
  })
  assert.deepEqual(limitOf({ average_rate: 3, shadow_mode: false }), {
    ...{ rate: 3, burst: Infinity, initial: 3, isShadow: false },
  })
})

test('what has no effect is warned of with its line', (t) => {
  const { warnings } = readOne(
    t,
    {
      ...WEB,
      ...{ node_type: 'persistent', use_path_encoding: true, ttl_seconds: 5, etcd_host: 'e' },
      ...{ rate_limiting: { max_burst: 3 }, wieght: 3, checks: [{ type: 'tcp', uri: '/' }] },
    },
    { statsd: { host: 'localhost' } },
  )

  assert.deepEqual(
    warnings.map((line) => line.replace(/^nerve\.conf\.json:\d+:\d+: /, '')).sort(),
    [
      'services.web.checks.0.uri: unknown key "uri"',
      'services.web.etcd_host: has no effect with reporter_type: zookeeper',
      'services.web.node_type: has no effect: znodes are ephemeral_sequential, not "persistent", so that they vanish with the agent',
      'services.web.rate_limiting: limits nothing: without average_rate nerve has no limit either',
      'services.web.ttl_seconds: has no effect: ephemeral znodes are not touched, as in nerve',
      'services.web.use_path_encoding: has no effect: the name of the znode is that of the instance, and readers find all in its data',
      'services.web.wieght: unknown key "wieght", did you mean "weight"?',
      'statsd: has no effect: the agent serves its metrics by HTTP, see status in docs/agent.md',
    ],
  )
})

test('what would make it another service is an error, and nothing is taken', (t) => {
  assert.deepEqual(problemsOf(t, { port: 'x', reporter_type: 'serf' }), [
    'nerve.conf.json:4:5: services.web.host: is missing',
    'nerve.conf.json:5:7: services.web.port: must be a port from 1 to 65535, not "x"',
    'nerve.conf.json:6:7: services.web.reporter_type: must be one of zookeeper, etcd, consul, redis, not "serf"',
  ])
  const [unknown] = problemsOf(t, {
    ...WEB,
    checks: [{ type: 'mysql', module: 'nerve-watcher-mysql' }],
  })
  assert.match(
    unknown ?? '',
    /type: must be one of http, tcp, .*, not "mysql"; checks of other gems are not loaded/,
  )
  const [path] = problemsOf(t, { host: 'h', port: 1, zk_hosts: ['zk'] })
  assert.match(path ?? '', /zk_path: is missing/)
})

test('each file of service_conf_dir is a service, and its problems name it', (t) => {
  const folder = makeFolder(t)
  mkdirSync(join(folder, 'services'))
  writeFileSync(join(folder, 'services', 'api.json'), JSON.stringify({ ...WEB, port: 81 }))
  writeFileSync(
    join(folder, 'services', 'db.yaml'),
    'host: 10.0.0.1\nport: none\nzk_hosts: [zk]\nzk_path: /db\n',
  )

  const bad = read(folder, { instance_id: 'i', service_conf_dir: 'services' })
  writeFileSync(
    join(folder, 'services', 'db.yaml'),
    'host: 10.0.0.1\nport: 5432\nzk_hosts: [zk]\nzk_path: /db\n',
  )
  const good = read(folder, {
    instance_id: 'i',
    service_conf_dir: 'services',
    services: { web: WEB },
  })

  assert.ok(!bad.ok)
  assert.match(bad.problems.join(), /services\/db.yaml:2:1: services.db.port: must be a port/)
  assert.ok(good.ok, JSON.stringify(good))
  assert.deepEqual(good.config.services.map(({ name }) => name).sort(), ['api', 'db', 'web'])
})

test('heartbeat_path and max_repeated_report_failures are kept', (t) => {
  const result = read(makeFolder(t), {
    ...{ instance_id: 'i', heartbeat_path: '/tmp/beat', max_repeated_report_failures: 100 },
    services: { web: WEB },
  })

  assert.ok(result.ok)
  assert.equal(result.config.heartbeat, '/tmp/beat')
  assert.equal(result.config.services[0]?.reopenMs, 50_000)
})
