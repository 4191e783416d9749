import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  placeOf,
  type AddressRules,
  type Surroundings,
} from '../../src/providers/docker/address.ts'
import type { Reached } from '../../src/providers/labels/labelled.ts'
import { readContainer, type Container } from '../../src/providers/docker/container.ts'
import { fakeContainer } from '../support/fake-docker.ts'

const RULES: AddressRules = {
  network: null,
  publishedPorts: false,
  hostAddress: null,
  endpointHost: null,
}

function container(
  networks: Readonly<Record<string, string>>,
  { labels = {}, mode = 'bridge', ports = [] as readonly object[], name = 'web' } = {},
): Container {
  const endpoints = Object.entries(networks).map(([network, address]) => [
    network,
    { IPAddress: address, Gateway: address.replace(/\d+$/, '1') },
  ])
  const more = {
    HostConfig: { NetworkMode: mode },
    NetworkSettings: { Networks: Object.fromEntries(endpoints) as object },
    Ports: ports,
  }
  return readContainer(fakeContainer(name, labels, more)) as Container
}

function place(
  one: Container,
  rules: Partial<AddressRules> = {},
  around: Partial<Omit<Surroundings, 'rules'>> = {},
): Reached {
  return placeOf(one, 80, {
    own: null,
    find: () => null,
    ...around,
    rules: { ...RULES, ...rules },
  })
}

const TWO = { back: '10.1.0.2', front: '10.2.0.2' }

test('a container is reached in its only network', () => {
  assert.deepEqual(place(container({ back: '10.1.0.2' })), { host: '10.1.0.2', port: 80 })
})

test('of several networks a label chooses, then the option', () => {
  const labelled = container(TWO, { labels: { 'sluice.network': 'front' } })

  assert.deepEqual(place(labelled, { network: 'back' }), { host: '10.2.0.2', port: 80 })
  assert.deepEqual(place(container(TWO), { network: 'back' }), { host: '10.1.0.2', port: 80 })
})

test("Traefik's label chooses, too", () => {
  const labelled = container(TWO, { labels: { 'traefik.docker.network': 'back' } })

  assert.deepEqual(place(labelled), { host: '10.1.0.2', port: 80 })
})

test('a network may be named as in the file of compose, without its project', () => {
  const labels = { 'sluice.network': 'front', 'com.docker.compose.project': 'shop' }
  const found = place(container({ shop_back: '10.1.0.2', shop_front: '10.2.0.2' }, { labels }))

  assert.deepEqual(found, { host: '10.2.0.2', port: 80 })
})

test('a network that the container is not in is named, with those that it is in', () => {
  const labelled = container(TWO, { labels: { 'sluice.network': 'edge' } })

  assert.deepEqual(place(labelled), {
    reason: 'is not in network "edge" (it is in "back", "front")',
  })
})

test('several networks without a choice are no address', () => {
  assert.match((place(container(TWO)) as { reason: string }).reason, /label sluice\.network/)
})

test("of several networks one of Sluice's own container is taken", () => {
  const own = container({ front: '10.2.0.9' }, { name: 'sluice' })

  assert.deepEqual(place(container(TWO), {}, { own }), { host: '10.2.0.2', port: 80 })
})

test("a container on the host's network is reached at 127.0.0.1, or where the engine is", () => {
  const one = container({ host: '' }, { mode: 'host' })

  assert.deepEqual(place(one), { host: '127.0.0.1', port: 80 })
  assert.deepEqual(place(one, { endpointHost: 'docker1' }), { host: 'docker1', port: 80 })
  assert.deepEqual(place(one, { hostAddress: '10.0.0.9' }), { host: '10.0.0.9', port: 80 })
})

test('from within a container the host is the gateway, also if the endpoint is a proxy beside it', () => {
  const own = container({ front: '10.2.0.9' }, { name: 'sluice' })
  const one = container({ host: '' }, { mode: 'host' })

  assert.deepEqual(place(one, { endpointHost: 'socket-proxy' }, { own }), {
    host: '10.2.0.1',
    port: 80,
  })
})

test('a container without a network has a reason', () => {
  assert.match((place(container({}, { mode: 'none' })) as { reason: string }).reason, /no network/)
  assert.match((place(container({ back: '' })) as { reason: string }).reason, /no address/)
})

test('a container that uses the network of another one is reached there', () => {
  const owner = container({ back: '10.1.0.7' }, { name: 'vpn' })
  const one = container({}, { mode: `container:${owner.id}` })
  const find = (id: string): Container | null => (id === owner.id ? owner : null)

  assert.deepEqual(place(one, {}, { find }), { host: '10.1.0.7', port: 80 })
  assert.match((place(one) as { reason: string }).reason, /does not run/)
})

test('containers that use the networks of each other have a reason', () => {
  const one = container({}, { mode: 'container:web' })

  assert.ok('reason' in place(one, {}, { find: () => one }))
})

test('a published port is reached at the host of the engine', () => {
  const ports = [
    { IP: '::', PrivatePort: 80, PublicPort: 32_768, Type: 'tcp' },
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 32_769, Type: 'tcp' },
  ]
  const one = container(TWO, { ports })
  const rules = { publishedPorts: true, endpointHost: 'docker1' }

  assert.deepEqual(place(one, rules), { host: 'docker1', port: 32_769 })
})

test('a published port has the address that it is published at', () => {
  const ports = [{ IP: '10.0.0.4', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }]

  const found = place(container(TWO, { ports }), { publishedPorts: true })

  assert.deepEqual(found, { host: '10.0.0.4', port: 8080 })
})

test('a port that is published on the loopback of another host, or not at all, has a reason', () => {
  const ports = [{ IP: '127.0.0.1', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }]
  const one = container(TWO, { ports })

  const far = place(one, { publishedPorts: true, endpointHost: 'docker1' })
  const near = place(one, { publishedPorts: true })
  const none = place(container(TWO), { publishedPorts: true })

  assert.match((far as { reason: string }).reason, /127\.0\.0\.1 only/)
  assert.deepEqual(near, { host: '127.0.0.1', port: 8080 })
  assert.match((none as { reason: string }).reason, /does not publish port 80/)
})
