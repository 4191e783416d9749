import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { isMap } from '../../src/model/parsed.ts'
import { declareTaskList } from '../../src/providers/marathon/task-list.ts'
import { declareService } from '../../src/providers/synapse/declare.ts'
import {
  isFrontrunner,
  readFrontrunner,
  withTemplate,
} from '../../src/providers/synapse/frontrunner.ts'
import type { Instance } from '../../src/providers/synapse/instance.ts'
import { planSynapse, type SynapsePlan } from '../../src/providers/synapse/plan.ts'
import { readSynapseConfig } from '../../src/providers/synapse/read-config.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'

const ZOOKEEPER = { method: 'zookeeper', path: '/services/web', hosts: ['zk:2181'] }
const WEB = { discovery: ZOOKEEPER, haproxy: { port: 3213, listen: ['mode http'] } }

function plan(service: object, top: object = {}): SynapsePlan {
  return planSynapse({ services: { web: { ...WEB, ...service } }, ...top })
}

interface WorldOptions {
  readonly found?: Readonly<Record<string, readonly Instance[]>>
  readonly config?: object
  readonly lost?: readonly string[]
}

/** `found`: by a part of the place. */
function declare(
  planned: SynapsePlan,
  { found = {}, config, lost = [] }: WorldOptions = {},
): readonly DeclaredObject[] {
  const [service] = planned.services
  assert.ok(service)
  const partIn = (place: string, parts: readonly string[]): string | undefined =>
    parts.find((part) => place.includes(part))
  return declareService(service, {
    stateOf(place) {
      const part = partIn(place, Object.keys(found))
      return part === undefined
        ? null
        : { instances: found[part] ?? [], config: (config as never) ?? null }
    },
    isLost: (place) => partIn(place, lost) !== undefined,
    previousOf: () => null,
  }).objects
}

function instance(port: number, more: Partial<Instance> = {}): Instance {
  return {
    ...{ name: `i-${port}`, host: '10.0.0.1', port, id: port, weight: null },
    ...{ haproxyOptions: '', labels: {}, ...more },
  }
}

function serversOf(objects: readonly DeclaredObject[]): unknown[] {
  return objects.filter(({ kind }) => kind === 'server').map(({ value }) => value)
}

function levelsOf({ notes }: SynapsePlan): readonly string[] {
  return notes.map(({ level }) => level)
}

test('a service is a listener on its port, a backend, and its instances as servers', () => {
  const objects = declare(plan({}), { found: { '/services/web': [instance(8080)] } })

  assert.deepEqual(
    objects.map(({ kind, id, value }) => [kind, id, value]),
    [
      ['listener', 'web', { address: '127.0.0.1:3213', backend: 'web', protocol: 'http' }],
      ['backend', 'web', {}],
      ['server', 'web/i-8080_10.0.0.1:8080', { url: 'http://10.0.0.1:8080' }],
    ],
  )
})

test('bind_address is that of the service, else that of haproxy, else localhost', () => {
  const addressOf = (service: object, top = {}): unknown => {
    const [listener] = declare(plan({ haproxy: { port: '80', ...service } }, { haproxy: top }))
    return (listener?.value as { address: string }).address
  }

  assert.equal(addressOf({}), '127.0.0.1:80')
  assert.equal(addressOf({}, { bind_address: '10.1.1.1' }), '10.1.1.1:80')
  assert.equal(addressOf({ bind_address: '*' }, { bind_address: '10.1.1.1' }), ':80')
  assert.equal(addressOf({ bind_address: '::1' }), '[::1]:80')
})

test('without a port there is a backend only, and a socket alone is refused', () => {
  const bare = plan({ haproxy: { backend_name: 'shop' } })
  const socket = plan({ haproxy: { port: null, bind_address: '/run/web.sock' } })

  assert.deepEqual(
    declare(bare).map(({ kind, id }) => `${kind} ${id}`),
    ['backend shop'],
  )
  assert.deepEqual(declare(socket), [])
  assert.ok(levelsOf(socket).includes('error'))
})

test('a service whose lines keep clients out is not served', () => {
  const planned = plan({ haproxy: { port: 1, frontend: 'http-request deny if bad' } })

  assert.deepEqual(declare(planned), [])
  assert.match(planned.notes.find(({ level }) => level === 'error')?.message ?? '', /is not served/)
})

test('weights of nerve count with use_nerve_weights, and the words of one server are its own', () => {
  const found = {
    '/services/web': [
      instance(1, { weight: 5 }),
      instance(2, { weight: 0 }),
      instance(3, { haproxyOptions: 'backup weight 9' }),
      instance(4, { haproxyOptions: 'rise 9' }),
    ],
  }
  const haproxy = { ...WEB.haproxy, server_options: 'check weight 7' }

  const used = declare(plan({ haproxy }, { haproxy: { use_nerve_weights: true } }), { found })
  const unused = serversOf(declare(plan({ haproxy }), { found }))

  assert.deepEqual(serversOf(used), [
    { url: 'http://10.0.0.1:1', weight: 5 },
    { url: 'http://10.0.0.1:2', drain: true },
    { url: 'http://10.0.0.1:3', weight: 9, backup: true },
    { url: 'http://10.0.0.1:4', weight: 7 },
  ])
  assert.deepEqual(unused[0], { url: 'http://10.0.0.1:1', weight: 7 })
  assert.equal(used.at(-1)?.remarks?.length, 1)
})

test('two names of one address are one server', () => {
  const found = { web: [instance(1), instance(1, { name: 'other' })] }

  assert.equal(serversOf(declare(plan({}), { found })).length, 1)
})

test('the configuration of the registry replaces members of the section, but names no certificate', () => {
  const config = {
    haproxy: { port: 99, listen: ['mode tcp'], bind_options: 'ssl crt /etc/shadow' },
  }

  const [listener] = declare(plan({}), { found: { web: [] }, config })

  assert.deepEqual(listener?.value, { address: '127.0.0.1:99', backend: 'web', protocol: 'tcp' })
})

test('generator_config_path is another path, or none', () => {
  const other = plan({ discovery: { ...ZOOKEEPER, generator_config_path: '/conf/web' } })
  const none = plan({ discovery: { ...ZOOKEEPER, generator_config_path: 'disabled' } })

  assert.equal(other.services[0]?.discovery.watchers[0]?.configPlace, 'zookeeper zk:2181 /conf/web')
  assert.equal(none.services[0]?.discovery.watchers[0]?.configPlace, null)
})

const TWO = {
  discovery: {
    method: 'multi',
    watchers: {
      primary: { method: 'zookeeper', path: '/p/web', hosts: 'zk' },
      secondary: { method: 'zookeeper', path: '/s/web', hosts: 'zk' },
    },
  },
}

function several(resolver: object): SynapsePlan {
  return plan({ discovery: { ...TWO.discovery, resolver } })
}

test('union has the instances of all watchers', () => {
  const found = { '/p/web': [instance(1)], '/s/web': [instance(2)] }

  const objects = declare(several({ method: 'union' }), { found })

  assert.equal(serversOf(objects).length, 2)
})

test('sequential has those of the first watcher that is followed and finds something', () => {
  const planned = several({ method: 'sequential', sequential_order: ['primary', 'secondary'] })
  const portsOf = (world: WorldOptions): unknown =>
    serversOf(declare(planned, world)).map((value) => (value as { url: string }).url.split(':')[2])
  const both = { '/p/web': [instance(1)], '/s/web': [instance(2)] }

  assert.deepEqual(portsOf({ found: both }), ['1'])
  assert.deepEqual(portsOf({ found: { ...both, '/p/web': [] } }), ['2'])
  assert.deepEqual(portsOf({ found: both, lost: ['/p/web'] }), ['2'])
  assert.deepEqual(portsOf({ found: both, lost: ['/p/web', '/s/web'] }), ['1'])
})

test('a resolver that cannot be followed is an error, and a toggle on S3 the first watcher', () => {
  const wrong = several({ method: 'sequential', sequential_order: ['primary'] })
  const toggle = several({ method: 's3_toggle', s3_url: 's3://b/k' })

  assert.deepEqual([wrong.services.length, levelsOf(wrong).includes('error')], [0, true])
  assert.deepEqual(
    toggle.services[0]?.discovery.watchers.map(({ name }) => name),
    ['primary'],
  )
})

test('discovery_multi has the watcher of discovery as primary', () => {
  const planned = plan({
    discovery_multi: {
      resolver: { method: 'fallback' },
      watchers: { other: { ...ZOOKEEPER, path: '/o' } },
    },
  })

  assert.deepEqual(
    planned.services[0]?.discovery.watchers.map(({ name }) => name),
    ['primary', 'other'],
  )
})

test('each method is read with what it needs, and refused without', () => {
  const good = [
    ZOOKEEPER,
    { ...ZOOKEEPER, method: 'ZooKeeper_DNS' },
    { method: 'etcd', host: '127.0.0.1', port: 2379, path: '/services/web' },
    { method: 'consul', host: '127.0.0.1' },
    {
      method: 'docker',
      servers: [{ name: 'a', host: '10.0.0.5' }],
      image_name: 'shop/web',
      container_port: '80',
    },
    {
      method: 'marathon',
      marathon_api_url: 'http://m:8080',
      application_name: '/shop/web',
      port_index: 1,
    },
    {
      method: 'dns',
      servers: [{ host: 'web.internal', port: 80 }, '10.0.0.9'],
      nameserver: '127.0.0.1',
    },
    { method: 'base' },
  ].map((discovery) => plan({ discovery }))
  const bad = [
    {},
    { method: 'gossip' },
    { method: 'zookeeper', path: '/a' },
    { method: 'zookeeper', hosts: ['zk'] },
    { method: 'zookeeper', hosts: ['zk:x'], path: '/a' },
    { ...ZOOKEEPER, decode: { method: 'xml' } },
    { method: 'docker', servers: [] },
    { method: 'marathon', marathon_api_url: 'nowhere', application_name: 'a' },
    { method: 'dns' },
  ].map((discovery) => plan({ discovery }))

  for (const one of good)
    assert.deepEqual([one.services.length, levelsOf(one).includes('error')], [1, false])
  for (const one of bad)
    assert.deepEqual([one.services.length, levelsOf(one).includes('error')], [0, true])
})

test('a service of EC2 has its default servers, and says why', () => {
  const planned = plan({
    discovery: { method: 'ec2tag', tag_name: 'a', tag_value: 'b' },
    default_servers: [{ name: 'd', host: 'db.example', port: 5432 }],
  })

  assert.deepEqual(serversOf(declare(planned)), [{ url: 'http://db.example:5432' }])
  assert.ok(levelsOf(planned).includes('error'))
})

test('unknown keys have a hint of the one that may be meant', () => {
  const { notes } = plan({
    default_server: [],
    haproxy: { ...WEB.haproxy, server_option: 'check' },
  })

  const messages = notes.filter(({ level }) => level === 'warning').map(({ message }) => message)
  assert.deepEqual(messages, [
    'services.web.default_server: unknown key "default_server", did you mean "default_servers"?',
    'services.web.haproxy.server_option: unknown key "server_option", did you mean "server_options"?',
  ])
})

test('values of a wrong kind are errors and never exceptions', () => {
  for (const wrong of [null, 5, 'text', [], [null], { a: 1 }]) {
    for (const key of [
      'discovery',
      'haproxy',
      'default_servers',
      'backend_port_override',
      'discovery_multi',
    ]) {
      plan({ [key]: wrong })
    }
    for (const key of [
      'port',
      'listen',
      'server_options',
      'bind_options',
      'backend_name',
      'bind_address',
    ]) {
      declare(plan({ haproxy: { ...WEB.haproxy, [key]: wrong } }))
    }
    for (const key of ['hosts', 'path', 'decode', 'label_filters', 'generator_config_path']) {
      plan({ discovery: { ...ZOOKEEPER, [key]: wrong } })
    }
    planSynapse({ services: wrong })
    planSynapse({ services: { web: wrong }, haproxy: wrong, file_output: wrong })
  }
})

test('files of service_conf_dir are services, and problems name their lines', (t) => {
  const folder = makeFolder(t)
  mkdirSync(join(folder, 'conf.d'))
  writeFileSync(join(folder, 'synapse.conf.json'), '{"service_conf_dir": "conf.d", "services": {}}')
  writeFileSync(join(folder, 'conf.d', 'web.yaml'), 'discovery:\n  method: base\n  metod: x\n')

  const config = readSynapseConfig(join(folder, 'synapse.conf.json'))

  assert.deepEqual(
    planSynapse(config.root).services.map(({ name }) => name),
    ['web'],
  )
  assert.deepEqual(config.locate(['services', 'web', 'discovery', 'metod']), {
    ...{ file: join(folder, 'conf.d', 'web.yaml'), line: 3, column: 3 },
  })
})

test('a variable of ERB is filled in, and other Ruby is refused', (t) => {
  const folder = makeFolder(t)
  const file = join(folder, 'synapse.yaml')
  writeFileSync(file, "services:\n  web:\n    haproxy: {port: <%= ENV['PORT'] %>}\n")

  assert.deepEqual(readSynapseConfig(file, { PORT: '81' }).root['services'], {
    web: { haproxy: { port: 81 } },
  })
  writeFileSync(file, 'services: <%= `id` %>\n')
  assert.throws(() => readSynapseConfig(file, {}), /holds Ruby/)
})

test('the configuration of frontrunner is known by its shape', () => {
  const written = {
    zookeeper: { connectionString: 'zk:2181' },
    marathon: { url: 'http://m:8080/' },
    activeProxy: 'haproxy',
  }

  assert.equal(isFrontrunner(written), true)
  assert.equal(isFrontrunner({ services: {}, marathon: {} }), false)
  assert.equal(readFrontrunner(written).url, 'http://m:8080')
  assert.throws(() => readFrontrunner({ marathon: { url: 'nowhere' } }), /marathon\.url/)
})

test("frontrunner's streams have a check of the port, and its requests one by HTTP", () => {
  const text = 'shop 9000 10.0.0.5:31000\nweb 80 10.0.0.6:31001\n'
  const objects = withTemplate([...declareTaskList(text, '0.0.0.0', 'tcp', 'm').objects])

  const found = objects.flatMap(({ kind, id, value }) =>
    kind === 'backend' && isMap(value) ? [[id, value['balance'], value['health']]] : [],
  )
  const check = { interval: '2s', timeout: '2s', rise: 2, fall: 3 }
  assert.deepEqual(found, [
    ['shop_9000', 'least-connections', { kind: 'tcp', ...check }],
    ['web_80', 'least-connections', { kind: 'http', method: 'GET', path: '/', ...check }],
  ])
})

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-synapse-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}
