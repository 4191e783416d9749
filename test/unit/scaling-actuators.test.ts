import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHmac } from 'node:crypto'
import { readContainer, type Container } from '../../src/providers/docker/container.ts'
import { openActuator } from '../../src/scaling/actuators/catalog.ts'
import { parseContainers } from '../../src/scaling/actuators/compose.ts'
import { choosePoolChange, type PoolMember } from '../../src/scaling/actuators/docker-pool.ts'
import { isServerOf } from '../../src/scaling/actuators/docker.ts'
import { findSource } from '../../src/scaling/actuators/named-source.ts'
import { createOutputLines } from '../../src/scaling/actuators/output-lines.ts'
import { signatureOf } from '../../src/scaling/actuators/signature.ts'
import { whenIdle } from '../../src/scaling/rotation.ts'
import { actuatorContext, createRotation, inTime } from '../support/actuators.ts'
import { dockerSource } from '../support/docker-source.ts'
import { fakeContainer } from '../support/fake-docker.ts'
import { swarmSource } from '../support/swarm-source.ts'

function member(name: string, more: Readonly<Record<string, unknown>>, inFlight = 0): PoolMember {
  return { container: containerOf(name, more), inFlight }
}

function containerOf(name: string, more: Readonly<Record<string, unknown>> = {}): Container {
  const read = readContainer(fakeContainer(name, {}, more))
  assert.ok(!('fault' in read))
  return read
}

function namesOf(containers: readonly Container[]): readonly string[] {
  return containers.map(({ name }) => name)
}

test('of a pool, the containers that have existed longest are started first', () => {
  const pool = [
    member('new', { State: 'created', Status: 'Created', Created: 3 }),
    member('old', { State: 'exited', Status: 'Exited (0) 2 days ago', Created: 1 }),
    member('middle', { State: 'exited', Status: 'Exited (0) 1 day ago', Created: 2 }),
    member('up', { Created: 4 }),
  ]

  const change = choosePoolChange(pool, 3)

  assert.deepEqual(namesOf(change.start), ['old', 'middle'])
  assert.deepEqual([change.stop, change.missing], [[], 0])
})

test('of a pool, what serves nothing is stopped first, then the least loaded, then the youngest', () => {
  const pool = [
    member('oldest', { Created: 1 }, 0),
    member('young', { Created: 5 }, 0),
    member('busy', { Created: 9 }, 7),
    member('sick', { Created: 2, Status: 'Up 5 minutes (unhealthy)' }, 9),
    member('restarts', { Created: 3, State: 'restarting', Status: 'Restarting (1)' }, 0),
  ]

  const orders = [4, 3, 2, 1, 0].map((replicas) =>
    namesOf(choosePoolChange(pool, replicas).stop).at(-1),
  )

  assert.deepEqual(orders, ['restarts', 'sick', 'young', 'oldest', 'busy'])
})

test('of a pool that is too small all start, and those that are paused are left alone', () => {
  const pool = [
    member('one', { State: 'exited', Status: 'Exited (0)' }),
    member('set aside', { State: 'paused', Status: 'Up 5 minutes (Paused)' }),
    member('going', { State: 'removing', Status: 'Removal In Progress' }),
  ]

  const change = choosePoolChange(pool, 3)

  assert.deepEqual(namesOf(change.start), ['one'])
  assert.equal(change.missing, 2)
})

test('a server is that of a container by its name or by an address of the container', () => {
  const container = containerOf('shop-web-1', {
    Ports: [{ PrivatePort: 80, PublicPort: 32768, IP: '0.0.0.0', Type: 'tcp' }],
  })
  const found = [
    { id: 'shop-web-1', url: 'http://198.51.100.7' },
    { id: 'any', url: 'http://172.18.0.2:8080' },
    { id: 'any', url: 'http://127.0.0.1:32768' },
  ]
  const others = [
    { id: 'shop-web-2', url: 'http://172.18.0.3:8080' },
    { id: 'any', url: 'http://127.0.0.1:32769' },
  ]

  assert.deepEqual(
    [...found, ...others].map((server) => isServerOf(container, server)),
    [true, true, true, false, false],
  )
})

test('a source is found by its name, or is the only one of its kind', () => {
  const [one, two] = [
    { ...swarmSource(), name: 'one' },
    { ...swarmSource(), name: 'two' },
  ]
  const docker = dockerSource()

  assert.equal(findSource('swarm', null, [one, docker]), one)
  assert.equal(findSource('swarm', 'two', [one, two]), two)
  assert.equal(findSource('swarm', null, [docker]), null)
  assert.throws(() => findSource('swarm', null, [one, two]), {
    message: 'there are several sources of kind swarm ("one", "two"): name one as source',
  })
  assert.throws(() => findSource('swarm', 'three', [one]), {
    message: 'there is no source "three": declare it below sources, of kind swarm',
  })
  assert.throws(() => findSource('swarm', 'docker', [docker]), {
    message: 'source "docker" is of kind docker, not swarm',
  })
})

test('an actuator of Marathon cannot be opened without a source of that kind', async () => {
  const spec = { kind: 'marathon', app: '/vote', source: null } as const

  await assert.rejects(openActuator(spec, actuatorContext()), {
    message: 'there is no source of kind marathon, whose endpoints and login it would use',
  })
})

test('what compose lists is read as lines and as one list', () => {
  const [one, two] = [
    { Name: 'shop-web-1', State: 'running', Service: 'web' },
    { Name: 'shop-web-12', State: 'restarting', Service: 'web' },
  ]
  const gone = { Name: 'shop-web-3', State: 'exited', Service: 'web' }
  const expected = [
    { name: 'shop-web-1', number: 1 },
    { name: 'shop-web-12', number: 12 },
  ]

  const lines = [one, gone, two].map((each) => JSON.stringify(each)).join('\n')

  assert.deepEqual(parseContainers(`${lines}\n`), expected)
  assert.deepEqual(parseContainers(JSON.stringify([one, two])), expected)
  assert.deepEqual(parseContainers('\n'), [])
  assert.throws(() => parseContainers('NAME  STATE'), /what compose writes is not JSON/)
  assert.throws(() => parseContainers('[{}]'), /lists a container without a name/)
})

test('a signature is the HMAC of its time and the body', () => {
  const written = signatureOf('{"replicas":2}', 'sixteen characters', 1_700_000_000_999)

  const digest = createHmac('sha256', 'sixteen characters')
    .update('1700000000.{"replicas":2}')
    .digest('hex')
  assert.equal(written, `t=1700000000,v1=${digest}`)
})

test('output is logged by line, in limited length and number', () => {
  let now = 0
  const lines: string[] = []
  const left: number[] = []
  const output = createOutputLines(
    (line) => lines.push(line),
    (count) => left.push(count),
    () => now,
  )

  output.add('one\r\ntw')
  output.add(`o\n\n${'x'.repeat(1500)}\n`)
  output.add('n\n'.repeat(150))
  now = 1_000
  output.add('later\nlast')
  output.end()

  assert.deepEqual(lines.slice(0, 3), ['one', 'two', `${'x'.repeat(1000)}...`])
  assert.equal(lines.filter((line) => line === 'n').length, 97)
  assert.deepEqual(lines.slice(-2), ['later', 'last'])
  assert.deepEqual(left, [53])
})

test('a server is idle when it has had no request in flight for a moment, and the wait for it is bounded', async () => {
  const rotation = createRotation({ id: 'a', inFlight: 1 }, { id: 'b', inFlight: 5 })
  const isA = ({ id }: { readonly id: string }): boolean => id === 'a'

  const begun = performance.now()
  await whenIdle(rotation, isA, 200, inTime())
  const bounded = performance.now() - begun
  const [a] = rotation.declared
  if (a !== undefined) a.inFlight = 0
  await whenIdle(rotation, isA, 60_000, inTime())
  await whenIdle(rotation, ({ id }) => id === 'none', 60_000, inTime())
  await whenIdle(rotation, ({ id }) => id === 'b', 60_000, AbortSignal.abort())

  assert.ok(bounded >= 190)
})
