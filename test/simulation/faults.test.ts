/**
 * A throw anywhere between a request's head and the end of its exchange, for some hundred seeds: each makes one call at one seam
 * of the data plane throw while clients use all of it.
 *
 *   - at most the one connection that the throw was on fails, at once; every other client gets what it came for
 *   - the throw is reported, once, and nothing else is
 *   - nothing stays counted: exchanges in flight, places of limits and queues, connections
 *   - the gateway serves on
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createChance, type Chance } from '../fuzz/random.ts'
import { arm, Injected } from '../support/seams.ts'
import { eventually } from '../support/until.ts'
import { openWorld, SEAMS, type World } from './faults-world.ts'

const SEEDS = 400
const PARTS = 4
const CALLS = [1, 1, 2, 4]

interface Seam {
  readonly of: object
  readonly name: string
}

const ALL: readonly Seam[] = SEAMS.flatMap(([{ prototype }, names]) =>
  names.split(' ').map((name) => ({ of: prototype, name })),
)

for (let part = 0; part < PARTS; part++) {
  test(`a throw on the way of an exchange ends that one alone (part ${part + 1} of ${PARTS})`, async (t) => {
    const world = await openWorld(t)
    let fired = 0
    for (let seed = part; seed < SEEDS; seed += PARTS) {
      const seam = ALL[seed % ALL.length]
      if (seam === undefined) throw new RangeError('no seam')
      try {
        if (await strike(world, seam, createChance(seed))) fired++
      } catch (cause) {
        throw new Error(`seed ${seed}, ${seam.of.constructor.name}.${seam.name}`, { cause })
      }
    }
    assert.ok(fired > SEEDS / PARTS / 2, `only ${fired} of ${SEEDS / PARTS} seams were reached`)
  })
}

async function strike(world: World, { of, name }: Seam, chance: Chance): Promise<boolean> {
  const { gateway } = world
  const takesTime = name === 'expire' || name === 'abandonLate' || chance.once(8)
  const clients = world.clients.filter(({ waits }) => takesTime || !waits)
  const armed = arm(of, name, chance.pick(CALLS))
  const results = await Promise.all(clients.map(({ act }) => act()))
  armed.disarm()
  await eventually(() => world.held().length === 0, 'nothing is held').catch((cause: unknown) => {
    throw new Error(world.held().join(', '), { cause })
  })
  const failed = results.flatMap((saw, at) =>
    saw === 'well' ? [] : [`${clients[at]?.name ?? ''}: ${saw}`],
  )
  const faults = gateway.takeFaults()

  assert.doesNotMatch(failed.join(), /did not happen/, 'a client is not left waiting')
  assert.ok(failed.length <= (armed.fired() ? 1 : 0), failed.join(', '))
  assert.deepEqual(
    faults.filter((fault) => !(fault instanceof Injected)),
    [],
  )
  assert.equal(faults.length, armed.fired() ? 1 : 0)
  return armed.fired()
}
