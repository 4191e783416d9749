// needs: etcd, redis-server, zookeeper
// Issue 15: the agent. Killed: its service is out of rotation within the time to live and 600 ms. SIGTERM: out before the service
// stops, no failed request. A registry that is away, back and wiped: registered again, without flapping.
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startAgent, SERVICE } from '../support/agents.ts'
import { startEtcd } from '../support/etcd.ts'
import { createFakeSystemd } from '../support/fake-systemd.ts'
import { openKeys } from '../support/keys.ts'
import { startLoad } from '../support/load.ts'
import { value } from '../support/message.ts'
import { choosePort } from '../support/ports.ts'
import { askAdmin, makeFolder, runProgram, startProgram, type Program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { startNamed } from '../support/servers.ts'
import { eventually } from '../support/until.ts'
import { startZookeeper } from '../support/zookeeper.ts'

const STARTS = { etcd: startEtcd, redis: startRedis } as const
const TTL_MS = 2_000
/** What a busy machine adds to a bar. */
const SLACK_MS = 1_500
const FRONTENDS = { all: { route: 'PathPrefix("/")', backend: 'web' } }

/** A Sluice that serves what is in the registry. */
function startSluice(t: TestContext, source: Readonly<Record<string, unknown>>): Promise<Program> {
  return startProgram(t, {
    workers: 1,
    listeners: { web: { address: '127.0.0.1:0' } },
    sources: { registry: source },
    frontends: FRONTENDS,
  })
}

interface ShownServer {
  readonly backend: string
  readonly url: string
  readonly state: string
}

async function serversOf(program: Program): Promise<readonly string[]> {
  const { text } = await program.ask('/api/servers')
  return (JSON.parse(text) as readonly ShownServer[])
    .filter(({ state }) => state !== 'draining')
    .map(({ url }) => url)
}

for (const kind of ['etcd', 'redis'] as const) {
  test(`${kind}: an agent that is killed leaves its service in rotation no longer than its time to live`, async (t) => {
    const registry = await STARTS[kind](t)
    const keys = await openKeys(kind, registry.endpoint, '/sluice')
    t.after(() => keys.close())
    await keys.put('backends/web/backend', '{}', {})
    const stays = await startNamed(t, 'stays')
    const goes = await startNamed(t, 'goes')
    const place = { kind, endpoints: registry.endpoint, ttl: '2s' }
    const service = ({ port }: { port: number }): object => ({
      web: { host: '127.0.0.1', port, checks: [{ path: '/', interval: '200ms' }] },
    })
    const steady = await startAgent(t, { id: 'a', registries: { place }, services: service(stays) })
    const killed = await startAgent(t, { id: 'b', registries: { place }, services: service(goes) })
    await Promise.all([steady.registered('web'), killed.registered('web')])
    const program = await startSluice(t, { kind, endpoints: registry.endpoint })
    await eventually(async () => (await serversOf(program)).length === 2, 'both are served')

    const began = performance.now()
    killed.signal('SIGKILL')
    await eventually(async () => !(await serversOf(program)).includes(goes.url), 'it is out')
    const tookMs = performance.now() - began

    t.diagnostic(`out of rotation after ${Math.round(tookMs)} ms of ${TTL_MS}`)
    assert.ok(tookMs <= TTL_MS + 600 + SLACK_MS, `${tookMs} ms`)
    assert.deepEqual(await serversOf(program), [stays.url])
  })
}

test('a service that the agent starts and stops fails no request under load', async (t) => {
  const etcd = await startEtcd(t)
  const keys = await openKeys('etcd', etcd.endpoint, '/sluice')
  t.after(() => keys.close())
  await keys.put('backends/web/backend', '{}', {})
  const stays = await startNamed(t, 'stays', 2)
  await keys.put('backends/web/servers/stays', JSON.stringify(stays.url), {})
  const program = await startSluice(t, { kind: 'etcd', endpoints: etcd.endpoint })
  const port = await choosePort()
  const config = {
    drain: '500ms',
    registries: { etcd: { endpoints: etcd.endpoint } },
    services: { web: { host: '127.0.0.1', port, checks: [{ path: '/', interval: '100ms' }] } },
  }
  let goes = 0
  const load = startLoad(t, {
    ...{ port: program.port, clients: 8, reconnects: true },
    // Not idempotent: it is not sent to another server.
    request: () => 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    onResponse: (response) => {
      if (value(response, 'x-server') === 'goes') goes++
    },
  })

  for (let round = 0; round < 2; round++) {
    const agent = await startAgent(t, config, {
      service: [process.execPath, '-e', SERVICE, 'goes', String(port)],
    })
    await agent.registered('web')
    const before = goes
    await eventually(() => goes > before + 50, 'it is used')
    agent.signal('SIGTERM')
    const { code } = await agent.ended()
    assert.equal(code, 0)
    await load.more(200)
  }
  const { failures, statuses, refused } = await load.stop()

  assert.deepEqual([failures, refused, Object.keys(statuses)], [[], 0, ['200']])
})

test('a service that ends by itself is removed at once, and its exit code is that of the agent', async (t) => {
  const etcd = await startEtcd(t)
  const keys = await openKeys('etcd', etcd.endpoint, '/sluice')
  t.after(() => keys.close())
  const end = join(makeFolder(t), 'end')
  const agent = await startAgent(
    t,
    {
      registries: { etcd: { endpoints: etcd.endpoint } },
      services: { web: { host: '127.0.0.1', port: 9, id: 'a' } },
    },
    { service: ['sh', '-c', 'until [ -e "$0" ]; do sleep 0.05; done; exit 7', end] },
  )
  await agent.registered('web')
  assert.notEqual(await keys.get('backends/web/servers/a'), null)

  writeFileSync(end, '')
  const { code } = await agent.ended()

  assert.equal(code, 7)
  assert.equal(await keys.get('backends/web/servers/a'), null)
})

for (const kind of ['etcd', 'redis'] as const) {
  test(`${kind}: a registry that was away and wiped has the service again, without flapping`, async (t) => {
    const registry = await STARTS[kind](t)
    const server = await startNamed(t, 'one')
    const agent = await startAgent(t, {
      registries: { place: { kind, endpoints: registry.endpoint, ttl: '2s' } },
      services: {
        web: { host: '127.0.0.1', port: server.port, id: 'a', checks: [{ interval: '100ms' }] },
      },
    })
    await agent.registered('web')

    await registry.wipe()
    await agent.until(
      () => agent.log().some(({ msg }) => msg.startsWith('the registry is not reached')),
      'the loss is told',
    )
    // As long as several attempts to connect take.
    const before = server.requests()
    await eventually(() => server.requests() > before + 40, 'time passes')
    await registry.start()
    const began = performance.now()
    const keys = await openKeys(kind, registry.endpoint, '/sluice')
    t.after(() => keys.close())
    await eventually(() => keys.get('backends/web/servers/a'), 'it is registered again')
    const tookMs = performance.now() - began

    t.diagnostic(`registered ${Math.round(tookMs)} ms after the return`)
    assert.ok(tookMs <= 3_000 + SLACK_MS, `${tookMs} ms`)
    const count = (text: string): number =>
      agent.log().filter(({ msg }) => msg.startsWith(text)).length
    assert.deepEqual([count('the service is up'), count('the service is down')], [1, 0])
    assert.equal(count('a check fails'), 0)
  })
}

test('SIGHUP takes a new file without a gap, and a bad one changes nothing', async (t) => {
  const etcd = await startEtcd(t)
  const keys = await openKeys('etcd', etcd.endpoint, '/sluice')
  t.after(() => keys.close())
  const config = (services: object): object => ({
    registries: { etcd: { endpoints: etcd.endpoint } },
    services,
  })
  const web = { host: '127.0.0.1', port: 9, id: 'a' }
  const agent = await startAgent(t, config({ web, api: { ...web, port: 10 } }))
  await Promise.all([agent.registered('web'), agent.registered('api')])

  agent.write(config({ web: { ...web, prot: 80 } }))
  agent.signal('SIGHUP')
  const refused = await agent.until(
    () => agent.log().find(({ msg }) => msg.startsWith('the configuration before stays')),
    'it is refused',
  )
  agent.write(config({ web: { ...web, weight: 5, id: 'b' } }))
  agent.signal('SIGHUP')
  await agent.logged('the configuration is read again')
  await eventually(() => keys.get('backends/web/servers/b'), 'the new one is there')
  await eventually(async () => (await keys.list('backends/')).length === 1, 'it is alone')

  assert.match(refused.msg, /services\.web: unknown key "prot", did you mean "port"\?$/)
  assert.equal(
    (await keys.get('backends/web/servers/b'))?.text,
    '{"url":"http://127.0.0.1:9","weight":5}',
  )
  agent.signal('SIGTERM')
  assert.equal((await agent.ended()).code, 0)
  assert.deepEqual(await keys.list('backends/'), [])
})

test("nerve's own file registers in ZooKeeper, for a Sluice that reads its layout", async (t) => {
  const zookeeper = await startZookeeper(t)
  const server = await startNamed(t, 'one')
  const folder = makeFolder(t)
  const agent = await startAgent(
    t,
    JSON.stringify({
      instance_id: 'i-1',
      heartbeat_path: join(folder, 'beat'),
      services: {
        web: {
          ...{ host: '127.0.0.1', port: server.port, check_interval: 0.2 },
          ...{
            reporter_type: 'zookeeper',
            zk_hosts: [zookeeper.endpoint],
            zk_path: '/services/web',
          },
          ...{ weight: 3, labels: { az: 'a' } },
          checks: [{ type: 'http', uri: '/', timeout: 2, rise: 3, fall: 2 }],
        },
      },
    }),
  )
  await agent.registered('web')
  const program = await startSluice(t, {
    kind: 'zookeeper',
    endpoints: zookeeper.endpoint,
    layout: 'nerve',
  })

  await eventually(async () => (await serversOf(program)).length === 1, 'it is served')

  assert.deepEqual(await serversOf(program), [server.url])
  assert.ok(existsSync(join(folder, 'beat')))
  agent.signal('SIGTERM')
  assert.equal((await agent.ended()).code, 0)
})

test('an agent whose registry is away at its end says so, with code 1', async (t) => {
  const etcd = await startEtcd(t)
  const agent = await startAgent(t, {
    ...{ drain: '0s', stop: '1s' },
    registries: { etcd: { endpoints: etcd.endpoint } },
    services: { web: { host: '127.0.0.1', port: 9 } },
  })
  await agent.registered('web')

  await etcd.kill()
  agent.signal('SIGTERM')
  const { code } = await agent.ended()

  assert.equal(code, 1)
  assert.ok(agent.log().some(({ msg }) => msg.startsWith('a registration may be left')))
})

test('its page of state has services, readiness and metrics', async (t) => {
  const etcd = await startEtcd(t)
  const agent = await startAgent(t, {
    registries: { etcd: { endpoints: etcd.endpoint } },
    services: {
      web: { host: '127.0.0.1', port: 9 },
      gone: {
        host: '127.0.0.1',
        port: await choosePort(),
        checks: [{ kind: 'tcp', interval: '100ms' }],
      },
    },
  })
  await agent.registered('web')
  const port = Number(/(\d+)$/.exec(String((await agent.logged('watching'))['status']))?.[1])
  await eventually(async () => (await askAdmin(port, '/ready')).status === 200, 'it is ready')

  const { services, registries } = await agent.report()
  const { text } = await askAdmin(port, '/metrics')

  assert.deepEqual(
    services.map(({ name, state, registration }) => [name, state, registration?.status]),
    [
      ['web', 'up', 'registered'],
      ['gone', 'down', undefined],
    ],
  )
  assert.match(services[1]?.checks[0]?.reason ?? '', /ECONNREFUSED/)
  assert.deepEqual([registries[0]?.link?.status, registries[0]?.name], ['up', 'etcd'])
  assert.match(text, /^sluice_agent_service_registered\{service="web"\} 1$/m)
  assert.match(text, /^sluice_agent_service_registered\{service="gone"\} 0$/m)
  assert.match(text, /^sluice_agent_registry_up\{registry="etcd"\} 1$/m)
  assert.equal((await askAdmin(port, '/else')).status, 404)
})

test('a port of its page that is in use is said in one line, with code 1', async (t) => {
  const etcd = await startEtcd(t)
  const folder = makeFolder(t)
  const path = join(folder, 'agent.json')
  const config = {
    status: etcd.endpoint,
    registries: { etcd: { endpoints: etcd.endpoint } },
    services: { web: { host: '127.0.0.1', port: 9 } },
  }
  writeFileSync(path, JSON.stringify(config))

  const { code, errors } = await runProgram(t, ['agent', '--config', path])

  assert.equal(code, 1)
  const help = 'stop what holds it, or set status to another port'
  const said = `sluice: cannot listen on ${etcd.endpoint} (status): the port is in use; ${help}\n`
  assert.equal(errors, said)
})

test('systemd learns when it is ready, reloads and stops', async (t) => {
  const etcd = await startEtcd(t)
  const systemd = createFakeSystemd(makeFolder(t))
  const agent = await startAgent(
    t,
    {
      drain: '0s',
      registries: { etcd: { endpoints: etcd.endpoint } },
      services: { web: { host: '127.0.0.1', port: 9 } },
    },
    { env: systemd.env },
  )

  await eventually(() => systemd.messages().length > 0, 'it is ready')
  agent.signal('SIGHUP')
  await agent.logged('the configuration is read again')
  agent.signal('SIGTERM')
  await agent.ended()

  assert.deepEqual(
    systemd.messages().map(([first]) => first),
    ['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'],
  )
})

test('--check reports the problems of a file, and its exit code', async (t) => {
  const folder = makeFolder(t)
  const file = join(folder, 'agent.yaml')
  writeFileSync(
    file,
    'registries: { etcd: { endpoints: 127.0.0.1:1 } }\nservices: { web: { port: 80, host: a } }\n',
  )

  const good = await runProgram(t, ['agent', '--config', file, '--check'])
  writeFileSync(
    file,
    'registries: { etcd: { endpoints: 127.0.0.1:1 } }\nservices: { web: { host: a } }\n',
  )
  const bad = await runProgram(t, ['agent', '--config', file, '--check'])
  const started = await runProgram(t, ['agent', '--config', file])

  assert.deepEqual([good.code, good.output], [0, `${file}: 1 service, no problems\n`])
  const problem = `${file}:2:13: services.web.port: is missing\n`
  assert.deepEqual([bad.code, bad.output], [1, `${problem}1 problem in ${file}\n`])
  assert.deepEqual([started.code, started.errors], [1, `sluice: ${problem}`])
  const services = Object.fromEntries(
    Array.from({ length: 30 }, (_, at) => [`s${at}`, { host: 'a' }]),
  )
  writeFileSync(file, JSON.stringify({ registries: { etcd: { endpoints: 'a' } }, services }))
  const many = await runProgram(t, ['agent', '--config', file, '--check'])
  assert.match(many.output, /: and 10 more problems\n30 problems in /)
})

test('a service that cannot be started is said in one line, with code 1', async (t) => {
  const file = join(makeFolder(t), 'agent.yaml')
  writeFileSync(
    file,
    'registries: { etcd: { endpoints: 127.0.0.1:1 } }\nservices: { web: { port: 80, host: a } }\n',
  )

  const { code, errors } = await runProgram(t, [
    'agent',
    '--config',
    file,
    '--',
    '/no/such/service',
  ])

  assert.deepEqual(
    [code, errors],
    [1, 'sluice: cannot start /no/such/service: spawn /no/such/service ENOENT\n'],
  )
})
