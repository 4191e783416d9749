/** Answers as Docker's API reference documents them for `GET /containers/json`, and as Podman gives them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readContainer, type Container } from '../../src/providers/docker/container.ts'
import { serviceOf } from '../../src/providers/docker/instances.ts'
import { fakeContainer } from '../support/fake-docker.ts'

function read(more: Readonly<Record<string, unknown>>): Container {
  const found = readContainer(fakeContainer('web', {}, more))
  assert.ok(!('fault' in found), JSON.stringify(found))
  return found
}

test('reads what a container of a bridge network is', () => {
  const container = read({ Labels: { 'sluice.port': '80' }, Created: 1_700_000_000 })

  assert.equal(container.name, 'web')
  assert.equal(container.createdAt, 1_700_000_000_000)
  assert.deepEqual([...container.labels], [['sluice.port', '80']])
  assert.deepEqual(container.networks, [
    { name: 'shop_default', address: '172.18.0.2', gateway: '172.18.0.1' },
  ])
  assert.deepEqual(container.ports, [8080])
})

for (const [status, health] of [
  ['Up 5 minutes', 'none'],
  ['Up 5 minutes (healthy)', 'healthy'],
  ['Up 1 second (health: starting)', 'starting'],
  ['Up 5 minutes (unhealthy)', 'unhealthy'],
  ['Up 5 minutes (Paused)', 'none'],
  // Podman.
  ['Up 3 seconds ago (starting)', 'starting'],
] as const) {
  test(`reads "${status}" as health ${health}`, () => {
    assert.equal(read({ Status: status }).health, health)
  })
}

test('takes health from its own member, which engines have since API 1.52', () => {
  const health = { Status: 'unhealthy', FailingStreak: 3 }

  assert.equal(read({ Status: 'Up 5 minutes', Health: health }).health, 'unhealthy')
  assert.equal(read({ Status: 'Up 5 minutes', Health: { Status: 'none' } }).health, 'none')
})

test('tells a container that has just started by its status', () => {
  const young = ['Up Less than a second', 'Up 1 second', 'Up 59 seconds', 'Up About a minute']

  assert.deepEqual(
    young.map((Status) => read({ Status }).isYoung),
    [true, true, true, true],
  )
  assert.equal(read({ Status: 'Up 2 minutes' }).isYoung, false)
})

test('leaves out names that links have added', () => {
  assert.equal(read({ Names: ['/other/alias', '/web'] }).name, 'web')
})

test('takes the IPv6 address of a network without IPv4', () => {
  const Networks = {
    six: { IPAddress: '', GlobalIPv6Address: '2001:db8::5', IPv6Gateway: '2001:db8::1' },
  }

  assert.deepEqual(read({ NetworkSettings: { Networks } }).networks, [
    { name: 'six', address: '2001:db8::5', gateway: '2001:db8::1' },
  ])
})

test('reads each TCP port once, lowest first, and where it is published', () => {
  const Ports = [
    { IP: '0.0.0.0', PrivatePort: 9000, PublicPort: 32_768, Type: 'tcp' },
    { IP: '::', PrivatePort: 9000, PublicPort: 32_768, Type: 'tcp' },
    { PrivatePort: 80, Type: 'tcp' },
    { PrivatePort: 53, Type: 'udp' },
  ]

  const { ports, published } = read({ Ports })

  assert.deepEqual(ports, [80, 9000])
  assert.deepEqual(published, [
    { port: 9000, hostPort: 32_768, hostAddress: '0.0.0.0' },
    { port: 9000, hostPort: 32_768, hostAddress: '::' },
  ])
})

test("reads a container on the host's network as Podman lists it", () => {
  const container = read({
    ...{ NetworkSettings: { Networks: null }, HostConfig: { NetworkMode: 'host' } },
    ...{ Ports: null, Labels: null },
  })

  assert.equal(container.networkMode, 'host')
  assert.deepEqual([container.networks, container.ports, container.labels.size], [[], [], 0])
})

test('shows a name as one line', () => {
  assert.equal(read({ Names: ['/web\n{"level":"error"}'] }).name.includes('\n'), false)
})

test('names a container that it cannot read', () => {
  assert.deepEqual(readContainer(fakeContainer('web', {}, { Id: '../version' })), {
    name: 'web',
    fault: 'has no id',
  })
  for (const value of [null, 7, [], 'web']) {
    assert.deepEqual(readContainer(value), { name: '?', fault: 'is not a container' })
  }
})

test('takes nothing from members of another type', () => {
  const nonsense = [7, 'text', true, [1], { a: 1 }]
  for (const value of nonsense) {
    const more = {
      ...{ Labels: value, Ports: value, NetworkSettings: value, HostConfig: value },
      ...{ State: value, Status: value, Created: value, Health: value },
    }
    assert.doesNotThrow(() => readContainer(fakeContainer('web', {}, more)))
  }
})

test('keeps a label that is named as a member of every object', () => {
  const labels = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>

  const { labels: read } = readContainer(fakeContainer('web', labels)) as Container

  assert.deepEqual(
    [...read],
    [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ],
  )
})

test("names a service by compose's labels, Swarm's, or the container", () => {
  const service = (labels: Record<string, string>): string =>
    serviceOf({ name: 'shop-web-1', labels: new Map(Object.entries(labels)) })

  assert.equal(
    service({ 'com.docker.compose.service': 'web', 'com.docker.compose.project': 'shop' }),
    'web-shop',
  )
  assert.equal(service({ 'com.docker.swarm.service.name': 'shop_web' }), 'shop_web')
  assert.equal(service({}), 'shop-web-1')
})
