import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toServices, type ServiceRules } from '../../src/agent/containers/container-services.ts'
import {
  readServiceContainer,
  type ServiceContainer,
} from '../../src/agent/containers/read-container.ts'

const ID = 'a'.repeat(64)

interface Form {
  readonly name?: string
  readonly image?: string
  readonly env?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly state?: object
  readonly mode?: string
  readonly exposed?: readonly string[]
  /** `80/tcp` to `0.0.0.0:8080`. */
  readonly published?: Readonly<Record<string, string>>
  readonly networks?: Readonly<Record<string, string>>
}

let containers = 0

/** As Docker's API has it. */
function container(form: Form): ServiceContainer {
  const { name = 'shop-web-1', image = 'shop/web:1', env = [], labels = {}, mode = 'bridge' } = form
  const { state = { Status: 'running' }, exposed = [], published = {} } = form
  const { networks = { bridge: '172.17.0.2' } } = form
  const found = readServiceContainer({
    ...{ Id: (containers++).toString(16).padStart(64, '0'), Name: `/${name}`, State: state },
    Config: {
      ...{ Image: image, Env: env, Labels: labels },
      ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])),
    },
    HostConfig: { NetworkMode: mode },
    NetworkSettings: {
      Ports: Object.fromEntries(
        Object.entries(published).map(([port, at]) => {
          const [, HostIp, HostPort] = /^(.*):(\d+)$/.exec(at) ?? []
          return [port, [{ HostIp, HostPort }]]
        }),
      ),
      Networks: Object.fromEntries(
        Object.entries(networks).map(([one, IPAddress]) => [one, { IPAddress }]),
      ),
    },
  })
  assert.ok(found !== null)
  return found
}

const PUBLISHED: ServiceRules = {
  ...{ hostname: 'host-1', ownId: null },
  addresses: {
    ...{ network: null, publishedPorts: true, hostAddress: '10.0.0.5', endpointHost: null },
  },
}
const INTERNAL: ServiceRules = {
  ...PUBLISHED,
  addresses: { ...PUBLISHED.addresses, publishedPorts: false },
}

function services(form: Form, rules: ServiceRules = PUBLISHED): readonly string[] {
  const { registrations, problems } = toServices([container(form)], rules)
  const texts = registrations.map(({ service, id, host, port, tags, labels }) => {
    const more = [...tags, ...Object.entries(labels).map((label) => label.join('='))]
    return [`${service} ${id} ${host}:${port}`, ...more].join(' ')
  })
  return [...texts, ...problems]
}

test('each published port is a service named by the image, at the address of the host', () => {
  const published = { '80/tcp': '0.0.0.0:32768' }

  assert.deepEqual(services({ published, exposed: ['80/tcp', '443/tcp'] }), [
    'web host-1:shop-web-1:80 10.0.0.5:32768',
  ])
  assert.deepEqual(
    services({
      published: { ...published, '53/udp': '10.0.0.9:53' },
      image: 'r.test:5000/a/web@sha256:1',
    }),
    [
      'web-53 host-1:shop-web-1:53:udp 10.0.0.9:53 udp',
      'web-80 host-1:shop-web-1:80 10.0.0.5:32768',
    ],
  )
})

test('variables of the environment name services, labels go before them, and those of a port before both', () => {
  const published = { '80/tcp': '0.0.0.0:8080', '81/tcp': '0.0.0.0:8081', '82/tcp': '0.0.0.0:8082' }
  const env = ['SERVICE_NAME=shop', 'SERVICE_TAGS=a,b', 'SERVICE_REGION=us2', 'PATH=/bin']
  const labels = {
    ...{ SERVICE_NAME: 'store', SERVICE_81_NAME: 'admin', SERVICE_81_ID: 'first' },
    ...{ SERVICE_81_TAGS: 'c', SERVICE_82_IGNORE: '1', SERVICE_CHECK_HTTP: '/health' },
  }

  assert.deepEqual(services({ published, env, labels }), [
    'store-80 host-1:shop-web-1:80 10.0.0.5:8080 a b region=us2',
    'admin first 10.0.0.5:8081 c region=us2',
  ])
})

test('containers that ignore themselves, do not run or are not healthy have no services', () => {
  const published = { '80/tcp': '0.0.0.0:8080' }
  const health = (Status: string): object => ({ Status: 'running', Health: { Status } })

  assert.deepEqual(services({ published, env: ['SERVICE_IGNORE=yes'] }), [])
  assert.deepEqual(services({ published, env: ['SERVICE_IGNORE='] }).length, 1)
  assert.deepEqual(services({ published, state: { Status: 'paused' } }), [])
  assert.deepEqual(services({ published, state: health('starting') }), [])
  assert.deepEqual(services({ published, state: health('unhealthy') }), [])
  assert.equal(services({ published, state: health('healthy') }).length, 1)
  assert.deepEqual(services({ exposed: ['80/tcp'] }), [])
})

test('exposed ports are services at the address of the container, or of the host in its network', () => {
  const exposed = ['80/tcp', '53/udp']

  assert.deepEqual(services({ exposed }, INTERNAL), [
    'web-53 host-1:shop-web-1:53:udp 172.17.0.2:53 udp',
    'web-80 host-1:shop-web-1:80 172.17.0.2:80',
  ])
  assert.deepEqual(services({ exposed: ['80/tcp'], mode: 'host', networks: { host: '' } }), [
    'web host-1:shop-web-1:80 10.0.0.5:80',
  ])
  assert.match(
    services({ exposed: ['80/tcp'], networks: { a: '10.1.0.2', b: '10.2.0.2' } }, INTERNAL)[0] ??
      '',
    /container shop-web-1: port 80: is in several networks/,
  )
  assert.match(
    services({ published: { '80/tcp': '127.0.0.1:80' } })[0] ?? '',
    /web host-1:shop-web-1:80 127\.0\.0\.1:80/,
  )
})

test('what cannot be an id is reported, and two of one name are registered once', () => {
  const published = { '80/tcp': '0.0.0.0:8080' }
  const env = ['SERVICE_NAME=a/b']
  const twins = [1, 2].map(() => container({ published, env: ['SERVICE_ID=x'] }))

  assert.match(services({ published, env })[0] ?? '', /shop-web-1: port 80: the id must be/)
  const { registrations, problems } = toServices(twins, PUBLISHED)
  assert.equal(registrations.length, 1)
  assert.deepEqual(problems, ['container shop-web-1: web/x is registered by another one already'])
})

test('what an engine sends instead of a container is no container', () => {
  for (const value of [null, undefined, 7, 'x', [], {}, { Id: 'x' }, { Id: ID, Name: 7 }]) {
    const found = readServiceContainer(value)
    assert.ok(found === null || found.ports.length === 0)
  }
  const odd = readServiceContainer({
    ...{ Id: ID, Name: '/a', State: { Status: 'running' }, HostConfig: null },
    Config: { Env: [7, 'x', 'A=b=c'], Labels: { a: 7 }, ExposedPorts: { '99999/tcp': {}, x: {} } },
    NetworkSettings: { Ports: { '80/tcp': [{ HostIp: 7, HostPort: 'x' }], '81/tcp': 'x' } },
  })
  assert.deepEqual(odd?.ports, [
    { port: 80, protocol: 'tcp' },
    { port: 81, protocol: 'tcp' },
  ])
  assert.equal(odd?.variables.get('A'), 'b=c')
  assert.deepEqual(
    toServices(odd === null || odd === undefined ? [] : [odd], PUBLISHED).problems,
    [],
  )
})
