import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPortWatch } from '../../src/providers/docker/port-watch.ts'
import { reach, type AddressRules } from '../../src/providers/swarm/address.ts'
import {
  parseNetworkContainers,
  parseNodes,
  parseServices,
  parseTasks,
  type SwarmService,
  type SwarmTask,
} from '../../src/providers/swarm/api.ts'
import { readSwarmEvent } from '../../src/providers/swarm/events.ts'
import { createInstances } from '../../src/providers/swarm/instances.ts'
import { swarm } from '../../src/providers/swarm/source.ts'
import { swarmSource } from '../support/swarm-source.ts'
import { messagesOf } from '../support/parsed.ts'
import { SOURCE_PLACE } from '../support/source-place.ts'

const SERVICE: SwarmService = {
  id: 's1',
  version: 1,
  name: 'shop_web',
  labels: new Map([
    ['sluice.enable', 'true'],
    ['sluice.host', 'shop.example'],
    ['sluice.port', '80'],
    ['com.docker.stack.namespace', 'shop'],
  ]),
  createdAt: 1,
  replicas: 1,
  isUpdating: false,
  ports: [],
}
const TASK: SwarmTask = {
  id: 't1',
  version: 1,
  serviceId: 's1',
  slot: 1,
  nodeId: 'n1',
  state: 'running',
  desiredState: 'running',
  containerId: 'c1',
  networks: [
    { id: 'i1', name: 'db', address: '10.0.1.2' },
    { id: 'i2', name: 'shop_edge', address: '10.0.2.2' },
  ],
  isOnHost: false,
  ports: [],
}
const NODE = { id: 'n1', hostname: 'one', address: '192.0.2.1' }
const OVERLAY: AddressRules = { address: 'overlay', network: null }
const PLACES = { node: NODE, gateway: null, ownNetworks: new Set<string>() }

test('a task is reached in the network that a label or the option names, also by its name in a stack', () => {
  const labelled = {
    ...SERVICE,
    labels: new Map([...SERVICE.labels, ['traefik.docker.network', 'edge']]),
  }

  assert.deepEqual(reach(labelled, TASK, 80, { ...OVERLAY, network: 'db' }, PLACES), {
    host: '10.0.2.2',
    port: 80,
  })
  assert.deepEqual(reach(SERVICE, TASK, 80, { ...OVERLAY, network: 'db' }, PLACES), {
    host: '10.0.1.2',
    port: 80,
  })
})

test('without one it is reached in a network that it shares with Sluice, else in its first', () => {
  const shared = { ...PLACES, ownNetworks: new Set(['i2']) }

  assert.deepEqual(reach(SERVICE, TASK, 80, OVERLAY, shared), { host: '10.0.2.2', port: 80 })
  assert.deepEqual(reach(SERVICE, TASK, 80, OVERLAY, PLACES), { host: '10.0.1.2', port: 80 })
})

test('a task on the network of its node is reached there, whatever the option says', () => {
  const onHost = { ...TASK, networks: [], isOnHost: true }

  assert.deepEqual(reach(SERVICE, onHost, 80, OVERLAY, PLACES), { host: '192.0.2.1', port: 80 })
})

test('what cannot be reached has a reason that names what is missing', () => {
  const reasonOf = (rules: Partial<AddressRules>, task: Partial<SwarmTask>): unknown =>
    reach(SERVICE, { ...TASK, ...task }, 80, { ...OVERLAY, ...rules }, PLACES)

  assert.deepEqual(reasonOf({ network: 'front' }, {}), {
    reason: 'is not in the network "front", but in "db", "shop_edge"',
  })
  assert.deepEqual(reasonOf({}, { networks: [] }), { reason: 'is in no overlay network' })
  assert.deepEqual(reasonOf({ address: 'host' }, { ports: [{ target: 81, published: 8081 }] }), {
    reason: 'does not publish port 80 in mode host',
  })
  assert.deepEqual(reasonOf({ address: 'gateway' }, {}), {
    reason:
      'has no address on docker_gwbridge of this node: it runs on node "one", or in no overlay network',
  })
})

test('a port that is listed twice is one, and a manager that lists itself as 0.0.0.0 has its other address', () => {
  const port = { Protocol: 'tcp', TargetPort: 80, PublishedPort: 30_000, PublishMode: 'host' }
  const udp = { ...port, Protocol: 'udp', PublishedPort: 30_001 }
  const ingress = { ...port, PublishMode: 'ingress', PublishedPort: 30_002 }
  const status = { PortStatus: { Ports: [port, port, udp, ingress] } }
  const [task] = parseTasks([{ ID: 't', ServiceID: 's', Status: status }])
  const [node] = parseNodes([
    { ID: 'n', Status: { Addr: '0.0.0.0' }, ManagerStatus: { Addr: '192.0.2.7:2377' } },
  ])

  assert.deepEqual(task?.ports, [{ target: 80, published: 30_000 }])
  assert.equal(node?.address, '192.0.2.7')
})

test('nonsense in the place of a list item, a label or an address is left out', () => {
  const labels = JSON.parse('{"a": 1, "b": "2", "__proto__": "3"}') as unknown
  const services = parseServices([
    null,
    7,
    {},
    { ID: 's' },
    { ID: 's', Spec: { Name: 'web', Labels: labels } },
  ])

  assert.deepEqual(
    services.map(({ id, name, labels }) => [id, name, [...labels]]),
    [
      [
        's',
        'web',
        [
          ['b', '2'],
          ['__proto__', '3'],
        ],
      ],
    ],
  )
  assert.throws(() => parseServices({ message: 'no' }), { message: 'the response must be a list' })
  fc.assert(
    fc.property(fc.array(fc.anything()), fc.anything(), (list, value) => {
      for (const read of [parseServices, parseTasks, parseNodes]) read(list)
      parseNetworkContainers(value)
      readSwarmEvent(value)
    }),
  )
})

test('a container names its service, unless it is the health check that has an event', () => {
  const event = (Action: string, attributes: object): unknown => ({
    Type: 'container',
    Action,
    Actor: { ID: 'c1', Attributes: attributes },
  })
  const label = { 'com.docker.swarm.service.id': 's1' }

  assert.deepEqual(readSwarmEvent(event('start', label)), { service: 's1' })
  assert.deepEqual(readSwarmEvent(event('health_status: healthy', label)), { service: 's1' })
  assert.equal(readSwarmEvent(event('exec_start: curl', label)), null)
  assert.equal(readSwarmEvent(event('start', {})), null)
  assert.deepEqual(readSwarmEvent({ Type: 'node', Action: 'update' }), { service: null })
})

test('an instance stays the same object until its service, its task or its address changes', () => {
  const spec = swarmSource()
  const ports = createPortWatch({ onChange: () => {}, connect: async () => null })
  const instances = createInstances({
    ...{ source: spec.name, labels: spec.labels, addresses: spec.addresses },
    ports,
  })
  const view = {
    services: new Map([['s1', SERVICE]]),
    tasks: new Map([['s1', [TASK, { ...TASK, id: 't2', slot: 2, desiredState: 'remove' }]]]),
    nodes: new Map([['n1', NODE]]),
    gateways: new Map<string, string>(),
    ownNetworks: new Set<string>(),
    placesVersion: 1,
  }
  const [service, task, ...more] = instances.of(view)

  const same = instances.of({ ...view, tasks: new Map([['s1', [{ ...TASK }]]]) })
  const other = instances.of({ ...view, tasks: new Map([['s1', [{ ...TASK, version: 2 }]]]) })

  assert.deepEqual([service?.id, task?.id, more.length], ['shop_web', 'shop_web.1', 0])
  assert.equal(same[0], service)
  assert.equal(same[1], task)
  assert.notEqual(other[1], task)
})

test('the task that served last stays until one that comes in its place accepts connections', async () => {
  const { name: source, labels, addresses } = swarmSource()
  const refuse = { isRefused: false }
  const ports = createPortWatch({
    onChange: () => {},
    connect: async () => (refuse.isRefused ? 'connection refused' : null),
  })
  const instances = createInstances({ source, labels, addresses, ports })
  const view = (tasks: readonly SwarmTask[]): Parameters<typeof instances.of>[0] => ({
    services: new Map([['s1', SERVICE]]),
    tasks: new Map([['s1', tasks]]),
    nodes: new Map([['n1', NODE]]),
    gateways: new Map(),
    ownNetworks: new Set(),
    placesVersion: 1,
  })
  const serving = async (tasks: readonly SwarmTask[]): Promise<readonly string[]> => {
    instances.of(view(tasks))
    await ports.tried(1_000)
    const items = instances.of(view(tasks)).filter(({ isServing }) => isServing)
    return items.map((item) => JSON.stringify(item.address(80)))
  }
  const [old] = await serving([TASK])
  const next = { ...TASK, id: 't2', networks: [{ id: 'i1', name: 'db', address: '10.0.1.9' }] }

  refuse.isRefused = true
  const during = await serving([next])
  refuse.isRefused = false
  ports.forget('t2')
  const after = await serving([next])
  const stopped = await serving([])
  ports.close()

  assert.deepEqual(during, [old])
  assert.deepEqual(after, ['{"host":"10.0.1.9","port":80}'])
  assert.deepEqual(stopped, [])
})

test('an option that has no effect is refused', () => {
  const refusals = (written: object): readonly string[] =>
    messagesOf(swarm.parse('swarm', { kind: 'swarm', ...written }, SOURCE_PLACE))

  assert.match(refusals({ address: 'gateway', network: 'edge' }).join(), /address: overlay only/)
  assert.match(refusals({ tls: {} }).join(), /a socket has no TLS/)
  assert.match(refusals({ address: 'vip' }).join(), /overlay.*gateway.*host/)
})
