// Several instances and one registry, on a clock of their own: one of them acts, whatever happens.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ActingLock } from '../../src/scaling/acting-lock.ts'
import { createRegistryLock } from '../../src/scaling/registry-lock.ts'
import type { KeyStore } from '../../src/providers/store.ts'
import {
  createRegistry,
  createTime,
  type FakeRegistry,
  type FakeTime,
} from '../support/acme-world.ts'

interface Instance {
  readonly name: string
  readonly lock: ActingLock
  readonly keys: KeyStore & { isAway: boolean }
  readonly log: string[]
  /** As SIGKILL: nothing of it runs any more. */
  kill(): void
  readonly isAlive: boolean
}

interface World {
  readonly time: FakeTime
  readonly registry: FakeRegistry
  readonly instances: readonly Instance[]
  start(name: string): Instance
  /** Moves on, and asserts in each step that at most one acts. */
  run(ms: number, look?: () => boolean): Promise<boolean>
  acting(): readonly string[]
}

function createWorld(seed = 1): World {
  const time = createTime(seed)
  const registry = createRegistry()
  const instances: Instance[] = []
  const acting = (): readonly string[] =>
    instances.flatMap(({ name, lock, isAlive }) => (isAlive && lock.isActing() ? name : []))

  return {
    time,
    registry,
    instances,
    acting,
    start(name) {
      const keys = registry.connect()
      const log: string[] = []
      let isAlive = true
      const note = (level: string) => (_fields: object, message: string) =>
        void log.push(`${level}: ${message}`)
      const lock = createRegistryLock({
        keys,
        instance: name,
        id: `${name} ${instances.length}`,
        world: {
          now: time.now,
          sleep: (ms, signal) =>
            time.sleep(ms, signal).then(() => (isAlive ? undefined : new Promise(() => {}))),
        },
        log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      })
      lock.begin()
      const instance: Instance = {
        ...{ name, lock, keys, log },
        kill: () => (isAlive = false),
        get isAlive() {
          return isAlive
        },
      }
      instances.push(instance)
      return instance
    },
    async run(ms, look = () => false) {
      return time.run(ms, () => {
        assert.ok(acting().length <= 1, `${acting().join(' and ')} act at once`)
        return look()
      })
    },
  }
}

test('one of several instances acts, and all know which', async () => {
  const { start, run, acting, instances } = createWorld()
  for (const name of ['a', 'b', 'c']) start(name)

  await run(5_000)
  const [first = ''] = acting()
  await run(60_000)

  assert.deepEqual(acting(), [first])
  assert.deepEqual(
    instances.map(({ lock }) => lock.holder()),
    [first, first, first],
  )
  assert.deepEqual(
    instances.map(({ lock }) => lock.problem()),
    [null, null, null],
  )
})

test('after the death of the holder another acts within 10 s', async () => {
  for (const afterMs of [0, 500, 1_000, 1_500, 1_900]) {
    const { start, run, acting, time } = createWorld()
    const first = start('a')
    await run(5_000, () => acting().length === 1)
    const second = start('b')
    await run(10_000 + afterMs)

    first.kill()
    const killedAt = time.now()
    const tookOver = await run(30_000, () => second.lock.isActing())

    assert.ok(tookOver)
    assert.ok(time.now() - killedAt <= 10_500, `it took ${time.now() - killedAt} ms`)
    assert.equal(second.lock.holder(), 'b')
  }
})

test('an instance that ends leaves the lock to another at once', async () => {
  const { start, run, acting, time } = createWorld()
  const first = start('a')
  await run(5_000, () => acting().length === 1)
  const second = start('b')
  await run(3_000)

  const endedAt = time.now()
  const closed = first.lock.close()
  await run(10_000, () => second.lock.isActing())
  await closed

  assert.equal(first.lock.isActing(), false)
  assert.ok(time.now() - endedAt <= 1_500, `it took ${time.now() - endedAt} ms`)
})

test('a holder that cannot renew stops before another may begin, and says why', async () => {
  const { start, run, acting, time } = createWorld()
  const first = start('a')
  await run(5_000, () => acting().length === 1)
  const second = start('b')
  await run(3_000)

  first.keys.isAway = true
  const cutAt = time.now()
  await run(30_000, () => !first.lock.isActing())
  const stoppedMs = time.now() - cutAt
  await run(30_000, () => second.lock.isActing())
  await run(5_000)

  assert.ok(stoppedMs <= 8_000, `it stopped after ${stoppedMs} ms`)
  assert.deepEqual(acting(), ['b'])
  assert.match(first.lock.problem() ?? '', /the registry is away/)
  assert.equal(first.log.filter((line) => line.startsWith('warn')).length, 2)
  first.keys.isAway = false
  await run(5_000)
  assert.equal(first.lock.problem(), null)
  assert.equal(first.lock.holder(), 'b')
})

test('a registry that is away for a minute and comes back has one instance that acts', async () => {
  const { start, run, acting, instances } = createWorld()
  for (const name of ['a', 'b', 'c']) start(name)
  await run(10_000)

  for (const { keys } of instances) keys.isAway = true
  await run(60_000)
  const meanwhile = acting()
  for (const { keys } of instances) keys.isAway = false
  const isBack = await run(12_000, () => acting().length === 1)

  assert.deepEqual(meanwhile, [])
  assert.ok(isBack)
})

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`a registry that loses its keys never has two instances that act (seed ${seed})`, async () => {
    const { start, run, acting, instances, time } = createWorld(seed)
    for (const name of ['a', 'b', 'c']) start(name)
    await run(10_000)

    for (let times = 0; times < 10; times++) {
      await run(time.random() * 20_000)
      await instances[0]?.keys.delete('lock', {})
      const isBack = await run(12_000, () => acting().length === 1)
      assert.ok(isBack)
    }
  })

  test(`never two act while instances die, come and lose the registry (seed ${seed})`, async () => {
    const { start, run, acting, instances, time } = createWorld(seed)
    for (const name of ['a', 'b', 'c']) start(name)

    for (let step = 0; step < 40; step++) {
      const alive = instances.filter(({ isAlive }) => isAlive)
      const one = alive[Math.floor(time.random() * alive.length)]
      const chance = time.random()
      if (one !== undefined) {
        if (chance < 0.3) one.kill()
        else if (chance < 0.6) one.keys.isAway = !one.keys.isAway
      }
      if (alive.length < 3) start(`n${step}`)
      await run(time.random() * 6_000)
    }
    for (const { keys } of instances) keys.isAway = false

    assert.ok(await run(15_000, () => acting().length === 1))
  })
}

test('a lock that holds something else stops all, and is named', async () => {
  const { start, run, acting, registry } = createWorld()
  await registry.connect().put('lock', '{"mine":true}', {})
  const { lock, log } = start('a')

  await run(30_000)

  assert.deepEqual(acting(), [])
  assert.match(lock.problem() ?? '', /the key of the lock holds something else; delete it/)
  assert.equal(log.length, 1)
})
