import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readContainer } from '../../src/providers/docker/container.ts'
import { createInstances, type Instances } from '../../src/providers/docker/instances.ts'
import type { PortWatch } from '../../src/providers/docker/port-watch.ts'
import type { Labelled } from '../../src/providers/labels/labelled.ts'
import { fakeContainer, idOf, type FakeContainer } from '../support/fake-docker.ts'

const LABELS = { 'sluice.enable': 'true', 'sluice.host': 'web.test', 'sluice.port': '80' }

interface Stage {
  readonly instances: Instances
  /** Addresses that do not accept connections. */
  readonly closed: Set<string>
  readonly stopping: Set<string>
}

function open({ ownId = null as string | null, publishedPorts = false } = {}): Stage {
  const closed = new Set<string>()
  const stopping = new Set<string>()
  const ports: PortWatch = {
    watch() {},
    look: (_, host) => (closed.has(host) ? { error: 'connection refused', isLate: false } : 'open'),
    forget() {},
    tried: () => Promise.resolve(false),
    close() {},
  }
  const instances = createInstances({
    rules: {
      exposedByDefault: false,
      constraint: null,
      defaultRule: null,
      listen: null,
      virtualHost: false,
    },
    addresses: { network: null, publishedPorts, hostAddress: null, endpointHost: null },
    ownId,
    ports,
    stops: {
      signalled() {},
      forget() {},
      isStopping: (id) => stopping.has(id),
      close() {},
    },
  })
  return { instances, closed, stopping }
}

function inNetworks(
  name: string,
  networks: Readonly<Record<string, string>>,
  more: Readonly<Record<string, unknown>> = {},
): FakeContainer {
  const endpoints = Object.entries(networks).map(([network, IPAddress]) => [network, { IPAddress }])
  const Networks = Object.fromEntries(endpoints) as object
  return fakeContainer(name, LABELS, { NetworkSettings: { Networks }, ...more })
}

function replace({ instances }: Stage, ...all: readonly FakeContainer[]): void {
  instances.replace(all.map(readContainer))
}

function itemOf({ instances }: Stage, name: string): Labelled {
  const found = instances.items().find(({ id }) => id === name)
  assert.ok(found !== undefined, `${name} is an instance`)
  return found
}

const placeOf = (stage: Stage, name = 'web'): unknown => itemOf(stage, name).address(80)

test('an instance is the same object while nothing of its container changes', () => {
  const stage = open()
  replace(stage, inNetworks('web', { back: '10.1.0.2' }, { Status: 'Up 5 seconds' }))
  const before = itemOf(stage, 'web')

  replace(stage, inNetworks('web', { back: '10.1.0.2' }, { Status: 'Up 5 minutes' }))
  const same = itemOf(stage, 'web')
  replace(stage, inNetworks('web', { back: '10.1.0.3' }))

  assert.equal(same, before)
  assert.notEqual(itemOf(stage, 'web'), before)
})

// docker-gen 190, Traefik 13341: a change of the proxy's own networks was seen after its restart only.
test("a network that Sluice's own container joins later is used", () => {
  const stage = open({ ownId: idOf('sluice').slice(0, 12) })
  const web = inNetworks('web', { back: '10.1.0.2', front: '10.2.0.2' })
  replace(stage, web, fakeContainer('sluice', {}, { NetworkSettings: { Networks: {} } }))
  const before = placeOf(stage)

  const own = inNetworks('sluice', { front: '10.2.0.9' })
  stage.instances.update([idOf('sluice')], [readContainer(own)])

  assert.ok('reason' in (before as object))
  assert.deepEqual(placeOf(stage), { host: '10.2.0.2', port: 80 })
})

test('a container has the new address of the one whose network it uses', () => {
  const stage = open()
  const vpn = (address: string): FakeContainer => inNetworks('vpn', { back: address })
  const web = inNetworks('web', {}, { HostConfig: { NetworkMode: `container:${idOf('vpn')}` } })
  replace(stage, vpn('10.1.0.2'), web)
  const before = placeOf(stage)

  stage.instances.update([idOf('vpn')], [readContainer(vpn('10.1.0.7'))])

  assert.deepEqual(
    [before, placeOf(stage)],
    [
      { host: '10.1.0.2', port: 80 },
      { host: '10.1.0.7', port: 80 },
    ],
  )
})

test('a container with the name of one that has gone is another one', () => {
  const stage = open()
  replace(stage, inNetworks('web', { back: '10.1.0.2' }))

  const again = { ...inNetworks('web', { back: '10.1.0.3' }), Id: idOf('again') }
  stage.instances.update([idOf('web'), idOf('again')], [readContainer(again)])

  assert.equal(stage.instances.items().length, 1)
  assert.deepEqual(placeOf(stage), { host: '10.1.0.3', port: 80 })
})

for (const [what, more, isServing] of [
  ['runs', {}, true],
  ['is healthy', { Status: 'Up 1 minute (healthy)' }, true],
  ['is not healthy yet', { Status: 'Up 1 second (health: starting)' }, false],
  ['is unhealthy', { Status: 'Up 1 minute (unhealthy)' }, false],
  ['is paused', { State: 'paused', Status: 'Up 1 minute (Paused)' }, false],
  ['is being restarted', { State: 'restarting', Status: 'Restarting (1) 1 second ago' }, false],
] as const) {
  test(`a container that ${what} ${isServing ? 'gets' : 'gets no'} requests`, () => {
    const stage = open()
    replace(stage, inNetworks('web', { back: '10.1.0.2' }, more))

    assert.equal(itemOf(stage, 'web').isServing, isServing)
  })
}

test('a container that stops, or does not listen yet, gets no requests', () => {
  const stage = open()
  replace(stage, inNetworks('web', { back: '10.1.0.2' }))
  stage.stopping.add(idOf('web'))
  const stops = itemOf(stage, 'web').isServing
  stage.stopping.clear()
  stage.closed.add('10.1.0.2')

  assert.deepEqual([stops, itemOf(stage, 'web').isServing], [false, false])
})

test('a container in a network that Sluice is not in says so once its port should be open', () => {
  const stage = open({ ownId: idOf('sluice') })
  const own = inNetworks('sluice', { front: '10.2.0.9' })
  replace(stage, own, inNetworks('web', { back: '10.1.0.2' }))
  stage.closed.add('10.1.0.2')

  assert.deepEqual(placeOf(stage), {
    reason:
      'has not accepted a connection at 10.1.0.2 port 80 since it started: connection refused; ' +
      'Sluice\'s container is not in its network "back"',
  })
})

test('only containers that labels make servers are servers', () => {
  const stage = open()
  replace(stage, inNetworks('web', { back: '10.1.0.2' }), fakeContainer('db', {}))

  stage.instances.items()

  assert.ok(stage.instances.isServer(idOf('web')))
  assert.ok(!stage.instances.isServer(idOf('db')))
})
