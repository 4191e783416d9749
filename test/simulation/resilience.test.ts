/**
 * Health, ejection, breakers, retries and balancing together, for some hundred seeds: servers slow down, answer with errors,
 * refuse, hang, flap and return. While they do (resilience-world.ts checks it at each tick):
 *
 *   - a tripped breaker lets nothing through, and a server that is out is asked nothing
 *   - never more than its share of a pool is ejected
 *   - retries keep to their budget
 *   - in-flight counts are exactly what is under way
 *
 * And when the servers have been well for long: everybody is back with all turns, breakers are on standby, in-flight counts are
 * zero, and turns are by weight.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createChance, type Chance } from '../fuzz/random.ts'
import { type Behaviour, type Plan, WELL, World } from './resilience-world.ts'

const SEEDS = 240
const PARTS = 4
const POLICIES = ['round-robin', 'least-connections', 'random', 'peak-ewma', 'hash']

for (let part = 0; part < PARTS; part++) {
  test(`requests find servers that are well, whatever happens to the others (part ${part + 1} of ${PARTS})`, async () => {
    const seen = { ejections: 0, downs: 0, trips: 0, refused: 0 }
    for (let seed = part; seed < SEEDS; seed += PARTS) {
      try {
        const { monitor, refusedByBreaker } = await simulate(createChance(seed))
        const { ejections, changes } = monitor.tally()
        seen.ejections += Object.values(ejections).reduce((sum, count) => sum + count, 0)
        seen.downs += changes.down
        seen.trips += monitor.trips()
        seen.refused += refusedByBreaker
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause })
      }
    }
    // Nothing is shown by a world in which nothing happens.
    const few = Object.entries(seen).filter(([, count]) => count < SEEDS / PARTS / 4)
    assert.deepEqual(few, [], JSON.stringify(seen))
  })
}

async function simulate(chance: Chance): Promise<World> {
  const world = new World(choosePlan(chance), chance)
  await world.pass(1_000, true)
  for (let round = 0; round < 12; round++) {
    const at = chance.below(world.behaviours.length)
    world.behaviours[at] = chooseBehaviour(chance)
    await world.pass(chance.pick([100, 300, 1_000, 3_000]), !chance.once(8))
  }
  world.behaviours.fill(WELL)
  await world.pass(60_000, true)
  await world.pass(2_000, false)
  assert.deepEqual(
    world.inFlight(),
    world.behaviours.map(() => 0),
    'nothing is under way',
  )
  assert.equal(world.responses + world.refusedByBreaker, world.requests, 'every request has ended')
  assert.deepEqual(
    world.trafficShares(),
    world.behaviours.map(() => 0),
    'all servers take all their turns',
  )
  assert.equal(world.breakerShare, 0, 'the breaker is on standby')
  world.close()
  return world
}

function choosePlan(chance: Chance): Plan {
  const servers = 1 + chance.below(6)
  return {
    servers,
    ratePerSecond: chance.pick([5, 40, 120]),
    backend: {
      balance: chance.pick(POLICIES),
      ...(chance.once(2) ? { health: { interval: '1s', timeout: '300ms', rise: 2, fall: 2 } } : {}),
      ejection: {
        failures: chance.pick([3, 5]),
        errors: chance.pick([0, 5]),
        ...(chance.once(2) ? { successRate: { deviations: 3, requests: 20 } } : {}),
        time: '2s',
        longest: '8s',
        share: chance.pick(['50%', '34%']),
      },
      panic: chance.pick(['0%', '50%']),
      slowStart: chance.pick(['0s', '4s']),
      ...(chance.once(3) ? { breaker: chooseBreaker(chance) } : {}),
      retry: { attempts: chance.pick([2, 3]), budget: { ratio: '20%', perSecond: 3 } },
    },
    breaker: chance.once(2) ? chooseBreaker(chance) : null,
  }
}

function chooseBreaker(chance: Chance): object {
  return {
    condition: chance.pick([
      'NetworkErrorRatio() > 0.3',
      'ResponseCodeRatio(500, 600, 0, 600) > 0.3',
      'LatencyAtQuantileMS(50.0) > 100 || NetworkErrorRatio() >= 0.5',
    ]),
    requests: chance.pick([5, 20]),
    tripped: '2s',
    recovery: '3s',
  }
}

function chooseBehaviour(chance: Chance): Behaviour {
  const kind = chance.pick(['well', 'slow', 'errors', 'refuses', 'hangs'] as const)
  return { kind, share: chance.pick([0.1, 0.5, 1]) }
}

for (const balance of ['round-robin', 'least-connections', 'random']) {
  test(`${balance} gives turns by weight, also after servers have come and gone`, async () => {
    for (let seed = 0; seed < 10; seed++) {
      const chance = createChance(seed)
      const world = new World(
        {
          servers: 3,
          ratePerSecond: 100,
          breaker: null,
          backend: { balance, ejection: { time: '1s' } },
        },
        chance,
      )
      await world.pass(2_000, true)
      world.behaviours[chance.below(3)] = { kind: 'refuses', share: 1 }
      await world.pass(3_000, true)
      world.behaviours.fill(WELL)
      await world.pass(40_000, true)
      const before = world.served()

      await world.pass(20_000, true)

      const gained = world.served().map((count, at) => count - (before[at] ?? 0))
      const total = gained.reduce((sum, count) => sum + count, 0)
      const bound = balance === 'round-robin' ? 0.01 : 0.06
      for (const count of gained)
        assert.ok(Math.abs(count / total - 1 / 3) < bound, `seed ${seed}: ${gained.join(', ')}`)
      world.close()
    }
  })
}
