import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foundBoth, type FamilyAnswer, type NameAnswer } from '../../src/dns/answer.ts'
import type { NameChange } from '../../src/dns/names.ts'
import { createResolver, type Resolver, type ResolverOptions } from '../../src/dns/resolver.ts'
import { turn as oneTurn } from '../support/until.ts'

const SECOND = 1_000
const failed: FamilyAnswer = { kind: 'failed', reason: 'the DNS server responded with SERVFAIL' }
const none: FamilyAnswer = { kind: 'none', reason: 'the name does not exist (NXDOMAIN)' }
const SERVFAIL: NameAnswer = { v4: failed, v6: failed }
const NXDOMAIN: NameAnswer = { v4: none, v6: none }

/** Look-ups have ended, and what they brought is posted. */
async function turn(): Promise<void> {
  await oneTurn()
  await oneTurn()
}

/** A resolver without a network: time and the answers are the test's. */
class World {
  now = 0
  answers = new Map<string, NameAnswer | null>()
  hosts = new Map<string, readonly string[]>()
  hostsChanged = false
  readonly asked: string[] = []
  readonly posted: NameChange[] = []
  readonly states: string[] = []
  readonly systemAsked: string[] = []
  system: ((name: string) => Promise<readonly string[]>) | null = null
  /** Of look-ups that are left hanging. */
  readonly hanging: ((answer: NameAnswer) => void)[] = []
  partOf: ((part: Partial<NameAnswer>) => void) | null = null
  readonly resolver: Resolver

  constructor(options: Partial<ResolverOptions> = {}) {
    const takeChange = (): boolean => {
      const changed = this.hostsChanged
      this.hostsChanged = false
      return changed
    }
    this.resolver = createResolver({
      query: (name, onPart) => {
        this.asked.push(name)
        this.partOf = onPart
        const answer = this.answers.get(name)
        if (answer === null) return new Promise((resolve) => this.hanging.push(resolve))
        return Promise.resolve(answer ?? NXDOMAIN)
      },
      querySystem: (name) => {
        this.systemAsked.push(name)
        return this.system?.(name) ?? Promise.reject(new Error('ENOTFOUND'))
      },
      hosts: { value: this.hosts, changed: takeChange },
      ttl: {
        minMs: SECOND,
        maxMs: 300 * SECOND,
        defaultMs: 10 * SECOND,
        watchedMs: 20 * SECOND,
        holdMs: 30 * SECOND,
      },
      now: () => this.now,
      date: () => 1_000_000 + this.now,
      random: () => 0.5,
      ...options,
    })
    this.resolver.listen((changes) => this.posted.push(...changes))
    this.resolver.onState(({ name, failing }) => this.states.push(`${name} ${failing}`))
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.now += 100
      this.resolver.tick()
      await turn()
    }
  }

  found(name: string, addresses: readonly string[], ttlMs = 5 * SECOND): void {
    this.answers.set(name, foundBoth(addresses, ttlMs))
  }

  addresses(name: string): readonly string[] | undefined {
    return this.resolver.report(name)?.addresses
  }
}

test('a name is resolved as soon as it is held, and again when its time to live is over', async () => {
  const world = new World()
  world.found('app.test', ['10.0.0.1'])
  world.resolver.hold('app.test')
  await turn()
  assert.deepEqual(world.posted, [{ name: 'app.test', addresses: ['10.0.0.1'], failure: null }])

  world.found('app.test', ['10.0.0.2'])
  await world.pass(4_900)
  assert.equal(world.asked.length, 1)
  await world.pass(100)

  assert.deepEqual(world.posted.at(-1)?.addresses, ['10.0.0.2'])
})

test('the time to live is bounded on both sides', async () => {
  const world = new World()
  world.found('short.test', ['10.0.0.1'], 0)
  world.found('long.test', ['10.0.0.1'], 86_400 * SECOND)
  world.resolver.hold('short.test')
  world.resolver.hold('long.test')
  await turn()
  await world.pass(300 * SECOND)

  const times = (name: string): number => world.asked.filter((one) => one === name).length
  assert.equal(times('short.test'), 301)
  assert.equal(times('long.test'), 2)
})

test('a name whose addresses are servers is looked up often, whatever its time to live, for as long as it is watched', async () => {
  const world = new World()
  world.found('app.test', ['10.0.0.1'], 600 * SECOND)
  const lookups = async (ms: number): Promise<number> => {
    const { length } = world.asked
    await world.pass(ms)
    return world.asked.length - length
  }
  world.resolver.hold('app.test')
  await turn()
  assert.equal(await lookups(100 * SECOND), 0)

  world.resolver.watch('app.test')
  assert.equal(await lookups(100 * SECOND), 5)
  world.resolver.unwatch('app.test')
  await lookups(20 * SECOND)
  assert.equal(await lookups(100 * SECOND), 0)
})

test('a name whose server fails is looked up at once, and often for ten minutes', async () => {
  const world = new World()
  world.found('app.test', ['10.0.0.1'], 600 * SECOND)
  world.resolver.hold('app.test')
  await turn()
  await world.pass(SECOND)
  world.found('app.test', ['10.0.0.2'], 600 * SECOND)

  world.resolver.doubt('app.test')
  world.resolver.doubt('stranger.test')
  await world.pass(100)
  assert.deepEqual(world.addresses('app.test'), ['10.0.0.2'])
  assert.equal(world.addresses('stranger.test'), undefined)

  world.asked.length = 0
  await world.pass(600 * SECOND)
  assert.equal(world.asked.length, 30)
  await world.pass(600 * SECOND)
  assert.ok(world.asked.length <= 33, String(world.asked.length))
})

test('an address is posted of again only when it is another one', async () => {
  const world = new World()
  world.found('app.test', ['10.0.0.1', '10.0.0.2'], SECOND)
  world.resolver.hold('app.test')
  await world.pass(3 * SECOND)
  world.found('app.test', ['10.0.0.2', '10.0.0.1'], SECOND)
  await world.pass(3 * SECOND)

  assert.equal(world.posted.length, 1)
})

test('the last good addresses stay while a look-up fails or finds nothing, and the change of state is posted once', async () => {
  for (const answer of [SERVFAIL, NXDOMAIN]) {
    const world = new World()
    world.found('app.test', ['10.0.0.1', '2001:db8::1'])
    world.resolver.hold('app.test')
    await turn()

    world.answers.set('app.test', answer)
    await world.pass(60 * SECOND)

    assert.deepEqual(world.addresses('app.test'), ['10.0.0.1', '2001:db8::1'])
    const report = world.resolver.report('app.test')
    assert.equal(report?.failing, true)
    assert.match(report.lastFailure?.reason ?? '', /SERVFAIL|NXDOMAIN/)
    assert.deepEqual(world.states, ['app.test true'])

    world.found('app.test', ['10.0.0.3'])
    await world.pass(11 * SECOND)
    assert.deepEqual(world.addresses('app.test'), ['10.0.0.3'])
    assert.deepEqual(world.states, ['app.test true', 'app.test false'])
  }
})

test('a name that has no address any more is gone after the hold, and only if a response confirms it', async () => {
  const world = new World()
  const gone = (): boolean | undefined => world.resolver.report('app.test')?.gone
  world.found('app.test', ['10.0.0.1'], SECOND)
  world.resolver.hold('app.test')
  await world.pass(SECOND)
  world.answers.set('app.test', NXDOMAIN)
  await world.pass(SECOND)
  assert.equal(world.states.length, 1)

  await world.pass(29 * SECOND)
  assert.equal(gone(), false)
  world.answers.set('app.test', SERVFAIL)
  await world.pass(20 * SECOND)
  assert.equal(gone(), false, 'a failed lookup confirms nothing')
  world.answers.set('app.test', NXDOMAIN)
  world.posted.length = 0
  await world.pass(10 * SECOND)
  assert.equal(gone(), true)
  assert.equal(world.posted.length, 1)
  assert.deepEqual(world.addresses('app.test'), ['10.0.0.1'])

  world.found('app.test', ['10.0.0.1'])
  await world.pass(10 * SECOND)
  assert.equal(gone(), false)
})

test('a hold of "forever" keeps the addresses of a name that is gone', async () => {
  const ttl = {
    minMs: SECOND,
    maxMs: 300 * SECOND,
    defaultMs: 10 * SECOND,
    watchedMs: 20 * SECOND,
    holdMs: null,
  }
  const world = new World({ ttl })
  world.found('app.test', ['10.0.0.1'], SECOND)
  world.resolver.hold('app.test')
  await world.pass(SECOND)
  world.answers.set('app.test', NXDOMAIN)

  await world.pass(600 * SECOND)

  assert.equal(world.resolver.report('app.test')?.gone, false)
})

test('a name that fails is looked up after 1, 2, 4, 8 and then every 10 seconds', async () => {
  const world = new World()
  world.answers.set('app.test', SERVFAIL)
  const times: number[] = []
  world.resolver.hold('app.test')
  await turn()
  for (let second = 0; second < 36; second++) {
    const before = world.asked.length
    await world.pass(SECOND)
    if (world.asked.length > before) times.push(second + 1)
  }

  assert.deepEqual(times, [1, 3, 7, 15, 25, 35])
})

test('of a family that could not be asked for the addresses stay, of one that has none they go', async () => {
  const world = new World()
  world.found('app.test', ['10.0.0.1', '2001:db8::1'], SECOND)
  world.resolver.hold('app.test')
  await turn()

  const { v4 } = foundBoth(['10.0.0.2'], SECOND)
  world.answers.set('app.test', { v4, v6: failed })
  await world.pass(SECOND)
  assert.deepEqual(world.addresses('app.test'), ['10.0.0.2', '2001:db8::1'])

  world.answers.set('app.test', { v4, v6: none })
  await world.pass(SECOND)
  assert.deepEqual(world.addresses('app.test'), ['10.0.0.2'])
})

test('a name has one look-up at a time, however long it takes, and others do not wait for it', async () => {
  const world = new World()
  world.answers.set('dead.test', null)
  world.found('app.test', ['10.0.0.1'], SECOND)
  world.resolver.hold('dead.test')
  world.resolver.hold('dead.test')
  world.resolver.hold('app.test')
  await turn()
  await world.pass(20 * SECOND)

  assert.equal(world.asked.filter((name) => name === 'dead.test').length, 1)
  assert.equal(world.asked.filter((name) => name === 'app.test').length, 21)
})

test('names that fail take no place from those that do not', async () => {
  const world = new World()
  const dead = Array.from({ length: 600 }, (_, at) => `dead${at}.test`)
  for (const name of dead) {
    world.answers.set(name, SERVFAIL)
    world.resolver.hold(name)
  }
  await world.pass(SECOND)
  for (const name of dead) world.answers.set(name, null)
  await world.pass(3 * SECOND)
  assert.equal(world.hanging.length, 64)

  world.found('app.test', ['10.0.0.1'])
  world.resolver.hold('app.test')
  await turn()

  assert.deepEqual(world.addresses('app.test'), ['10.0.0.1'])
})

test('whoever asks waits for the first look-up, and never for another one', async () => {
  const world = new World()
  world.answers.set('app.test', null)
  const waiting = world.resolver.addressesOf('app.test')
  await turn()
  world.hanging.pop()?.(foundBoth(['10.0.0.1'], SECOND))
  assert.deepEqual(await waiting, ['10.0.0.1'])

  await world.pass(5 * SECOND)
  assert.equal(world.hanging.length, 1)

  assert.deepEqual(await world.resolver.addressesOf('app.test'), ['10.0.0.1'])
})

test('whoever asks for a name that failed is posted why at once, also while it is looked up again', async () => {
  const world = new World()
  const reason = /^Error: app.test cannot be resolved: the name does not exist \(NXDOMAIN\)$/
  await assert.rejects(world.resolver.addressesOf('app.test'), reason)

  world.answers.set('app.test', null)
  await world.pass(2 * SECOND)
  assert.equal(world.hanging.length, 1)

  await assert.rejects(world.resolver.addressesOf('app.test'), reason)
})

test('a family that is late does not keep the other waiting', async () => {
  const world = new World()
  world.answers.set('app.test', null)
  const waiting = world.resolver.addressesOf('app.test')
  await turn()

  world.partOf?.({ v4: foundBoth(['10.0.0.1'], SECOND).v4 })

  assert.deepEqual(await waiting, ['10.0.0.1'])
  world.hanging.pop()?.(foundBoth(['10.0.0.1', '2001:db8::1'], SECOND))
  await turn()
  assert.deepEqual(world.addresses('app.test'), ['10.0.0.1', '2001:db8::1'])
})

test('no denied address is handed out, and a name that leads to none but such fails', async () => {
  const world = new World()
  world.found('some.test', ['169.254.169.254', '10.0.0.1', 'fd00:ec2::254'])
  world.found('all.test', ['169.254.169.254', '::ffff:a9fe:a9fe'])
  world.found('was.test', ['10.0.0.1'], SECOND)
  for (const name of ['some.test', 'all.test', 'was.test']) world.resolver.hold(name)
  await turn()
  world.found('was.test', ['0.0.0.0'])
  await world.pass(SECOND)

  assert.deepEqual(world.addresses('some.test'), ['10.0.0.1'])
  assert.deepEqual(world.addresses('all.test'), [])
  assert.match(
    world.resolver.report('all.test')?.lastFailure?.reason ?? '',
    /leads to .* only, which is a link-local address/,
  )
  assert.deepEqual(world.addresses('was.test'), ['10.0.0.1'])
})

test('localhost is loopback, hosts go before DNS, and a change of hosts is in force within a second', async () => {
  const world = new World()
  world.hosts.set('localhost', ['192.0.2.1', '127.0.0.1'])
  world.hosts.set('db', ['10.0.0.1'])
  world.found('db', ['10.9.9.9'])
  for (const name of ['localhost', 'a.localhost', 'db', 'db.']) world.resolver.hold(name)
  await turn()

  assert.deepEqual(world.addresses('localhost'), ['127.0.0.1'])
  assert.deepEqual(world.addresses('a.localhost'), ['127.0.0.1', '::1'])
  assert.deepEqual(world.addresses('db'), ['10.0.0.1'])
  assert.deepEqual(world.addresses('db.'), ['10.0.0.1'])
  assert.deepEqual(world.asked, [])

  world.hosts.set('db', ['10.0.0.2'])
  world.hostsChanged = true
  await world.pass(SECOND)
  assert.deepEqual(world.addresses('db'), ['10.0.0.2'])
})

test('only names such as printer.local are asked of the system, one at a time', async () => {
  const world = new World()
  const turns: ((addresses: readonly string[]) => void)[] = []
  world.system = () => new Promise((resolve) => turns.push(resolve))
  for (const name of ['printer.local', 'scanner.local', 'app.svc.cluster.local', 'app.test']) {
    world.resolver.hold(name)
  }
  await turn()
  assert.deepEqual(world.systemAsked, ['printer.local'])

  turns.pop()?.(['192.0.2.7'])
  await turn()

  assert.deepEqual(world.addresses('printer.local'), ['192.0.2.7'])
  assert.deepEqual(world.systemAsked, ['printer.local', 'scanner.local'])
})

test('a name that nobody holds is forgotten after a while, and the threads are posted', async () => {
  const world = new World()
  world.found('app.test', ['10.0.0.1'], 300 * SECOND)
  world.resolver.hold('app.test')
  await world.pass(SECOND)
  world.resolver.release('app.test')
  await world.pass(599 * SECOND)
  assert.notEqual(world.resolver.report('app.test'), null)

  await world.pass(2 * SECOND)

  assert.equal(world.resolver.report('app.test'), null)
  assert.deepEqual(world.posted.at(-1), { name: 'app.test', addresses: null, failure: null })
})

test('look-ups and names are counted', async () => {
  const world = new World()
  world.found('well.test', ['10.0.0.1'])
  world.found('was.test', ['10.0.0.1'], SECOND)
  for (const name of ['well.test', 'was.test', 'dead.test']) world.resolver.hold(name)
  await turn()
  world.answers.set('was.test', SERVFAIL)
  await world.pass(SECOND)

  const { names, lookups } = world.resolver.counts()
  assert.deepEqual(names, { resolved: 1, failing: 1, unresolved: 1 })
  assert.deepEqual(lookups, { success: 2, failure: 3 })
})

test('a look-up that throws is one that failed', async () => {
  const world = new World({ query: () => Promise.reject(new Error('out of order')) })
  world.resolver.hold('app.test')
  await turn()

  assert.equal(world.resolver.report('app.test')?.lastFailure?.reason, 'Error: out of order')
})
