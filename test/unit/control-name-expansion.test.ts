import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNameExpansion, MAX_ADDRESSES } from '../../src/control/publication/name-expansion.ts'
import type { Objects } from '../../src/control/publication/diff.ts'
import type { NameChange } from '../../src/dns/names.ts'
import type { NameReport } from '../../src/dns/resolver.ts'
import { refuseId } from '../../src/model/names.ts'
import type { Backend, Server } from '../../src/model/snapshot.ts'
import { backendOf, serverOf } from '../support/objects.ts'

/** A resolver whose names say what the test says, and a publisher that notes what it is given. */
class World {
  readonly held: string[] = []
  readonly published: (readonly string[])[] = []
  readonly admitted = new Map<string, Backend>()
  readonly #reports = new Map<string, NameReport>()
  #objects: Objects | null = null
  #changed: (changes: readonly NameChange[]) => void = () => {}
  readonly expansion = createNameExpansion(
    {
      publish: (objects, _at, { backends }) => {
        this.#objects = objects
        this.published.push([...backends])
        return this.published.length
      },
    },
    {
      watch: (name) => void this.held.push(name),
      unwatch: (name) => void this.held.splice(this.held.indexOf(name), 1),
      listen: (changed) => {
        this.#changed = changed
        return () => {}
      },
      report: (name) => this.#reports.get(name) ?? null,
    },
    () => 7,
  )

  declare(...backends: readonly Backend[]): void {
    for (const backend of backends) this.admitted.set(backend.id, backend)
    this.publish(...backends.map(({ id }) => id))
  }

  publish(...ids: readonly string[]): void {
    const none = new Map()
    const objects = { listeners: none, backends: this.admitted, frontends: none }
    const changed = { listeners: new Set(''), backends: new Set(ids), frontends: new Set('') }
    this.expansion.publish(objects, 0, changed)
  }

  resolve(name: string, addresses: readonly string[], more: Partial<NameReport> = {}): void {
    const lastFailure = { at: 0, reason: 'NXDOMAIN' }
    const well = { resolvedAt: 0, ttlMs: 0, failing: false, lastFailure, gone: false }
    this.#reports.set(name, { name, addresses, ...well, ...more })
    this.#changed([{ name, addresses, failure: null }])
  }

  servers(id: string): readonly Server[] {
    return this.#objects?.backends.get(id)?.servers ?? []
  }

  ids(id: string): readonly string[] {
    return this.servers(id).map((server) => server.id)
  }
}

const web = serverOf('web', 'http://web.test:8080', { weight: 3, labels: { zone: 'a' } })

test('each address of a name is a server of its own, with what was declared of the server', () => {
  const world = new World()
  world.declare(backendOf('b', [web], { resolve: 'all' }))
  assert.deepEqual(world.ids('b'), ['web'], 'until it is resolved, the name is one server')

  world.resolve('web.test', ['10.0.0.7', '10.0.0.8'])

  const [first, second] = world.servers('b')
  assert.deepEqual(first, {
    ...serverOf('web@10.0.0.7', 'http://10.0.0.7:8080', { weight: 3, labels: { zone: 'a' } }),
    name: 'web.test',
    hostname: 'web.test',
  })
  assert.equal(second?.url, 'http://10.0.0.8:8080')
  assert.deepEqual(world.published, [['b'], ['b']])
  assert.deepEqual(world.expansion.problems(), [])
})

test('a change of the records publishes the backends of that name alone, and nothing if they are the same', () => {
  const world = new World()
  world.resolve('web.test', ['10.0.0.7'])
  world.resolve('other.test', ['10.0.0.9'])
  const other = serverOf('o', 'http://other.test:80')
  world.declare(
    backendOf('one', [web], { resolve: 'all' }),
    backendOf('two', [web, other], { resolve: 'all' }),
    backendOf('other', [other], { resolve: 'all' }),
  )
  world.published.length = 0

  world.resolve('web.test', ['10.0.0.8', '10.0.0.7'])
  world.resolve('web.test', ['10.0.0.8', '10.0.0.7'])
  world.resolve('stranger.test', ['10.0.0.1'])

  assert.deepEqual(world.published, [['one', 'two']])
  assert.deepEqual(world.ids('two'), ['web@10.0.0.8', 'web@10.0.0.7', 'o@10.0.0.9'])
})

test('a server says for itself, else the backend for it; addresses and sockets stay what they are', () => {
  const world = new World()
  world.resolve('web.test', ['10.0.0.7', '10.0.0.8'])
  const address = serverOf('a', 'http://10.0.0.1:80')
  const socket = serverOf('s', 'http://x', { url: 'unix:/run/s', host: '/run/s', port: 0 })
  world.declare(
    backendOf('b', [{ ...web, resolve: 'one' }, address, socket], { resolve: 'all' }),
    backendOf('c', [
      { ...web, resolve: 'all' },
      { ...web, id: 'whole', url: 'http://web.test:81' },
    ]),
  )

  assert.deepEqual(world.ids('b'), ['web', 'a', 's'])
  assert.deepEqual(world.ids('c'), ['whole', 'web@10.0.0.7', 'web@10.0.0.8'])
})

test('the last addresses stay while lookups fail, and are reported; a name that is gone stands for no server', () => {
  const world = new World()
  let told = 0
  world.expansion.onProblems(() => told++)
  world.declare(backendOf('b', [web], { resolve: 'all' }))
  world.resolve('web.test', ['10.0.0.7'])

  world.resolve('web.test', ['10.0.0.7'], { failing: true })
  assert.deepEqual(world.ids('b'), ['web@10.0.0.7'])
  const [held] = world.expansion.problems()
  assert.match(held?.message ?? '', /cannot be resolved: NXDOMAIN; its 1 last addresses stay/)

  world.resolve('web.test', ['10.0.0.7'], { failing: true, gone: true })
  assert.deepEqual(world.ids('b'), [])
  assert.match(world.expansion.problems()[0]?.message ?? '', /stands for no server/)
  assert.equal(told, 3)

  world.resolve('web.test', ['10.0.0.9'])
  assert.deepEqual(world.ids('b'), ['web@10.0.0.9'])
  assert.deepEqual(world.expansion.problems(), [])
})

test('IPv4 addresses are used if there are any, else IPv6, and ids and urls are valid with both', () => {
  const world = new World()
  const long = { ...web, id: 'w'.repeat(128) }
  world.declare(backendOf('b', [long], { resolve: 'all' }))

  world.resolve('web.test', ['10.0.0.7', '2001:db8::1'])
  assert.deepEqual(
    world.servers('b').map(({ url }) => url),
    ['http://10.0.0.7:8080'],
  )

  world.resolve('web.test', ['2001:db8::1'])
  assert.deepEqual(
    world.servers('b').map(({ url }) => url),
    ['http://[2001:db8::1]:8080'],
  )
  assert.equal(refuseId(world.ids('b')[0] ?? ''), null)
})

test('an address is one server: the declared one, else that of the first name', () => {
  const world = new World()
  world.resolve('web.test', ['10.0.0.7', '10.0.0.8'])
  world.resolve('alias.test', ['10.0.0.8'])
  const alias = serverOf('alias', 'http://alias.test:8080')
  const own = serverOf('own', 'http://10.0.0.7:8080')

  world.declare(backendOf('b', [web, alias, own], { resolve: 'all' }))

  assert.deepEqual(world.ids('b'), ['own', 'web@10.0.0.8'])
  assert.deepEqual(
    world.expansion.problems().map(({ message }) => message),
    [
      'http://10.0.0.7:8080 of web.test is already the server "own"',
      'http://10.0.0.8:8080 of alias.test is already the server "web@10.0.0.8"',
    ],
  )
})

test('of a name with more addresses than are taken the same ones are used each time', () => {
  const world = new World()
  const all = Array.from({ length: 1500 }, (_, at) => `10.0.${at >> 8}.${at & 255}`).sort()
  world.declare(backendOf('b', [web], { resolve: 'all' }))

  world.resolve('web.test', all)

  assert.equal(world.servers('b').length, MAX_ADDRESSES)
  assert.match(world.expansion.problems()[0]?.message ?? '', /has 1500 addresses/)
})

test('a name is held for as long as a backend in force has it', () => {
  const world = new World()
  world.declare(backendOf('b', [web], { resolve: 'all' }))
  assert.deepEqual(world.held, ['web.test'])

  world.declare(backendOf('b', [serverOf('n', 'http://new.test')], { resolve: 'all' }))
  assert.deepEqual(world.held, ['new.test'])

  world.admitted.delete('b')
  world.publish('b')
  assert.deepEqual(world.held, [])
  world.resolve('web.test', ['10.0.0.1'])
  assert.deepEqual(world.published, [['b'], ['b'], ['b']])
})
