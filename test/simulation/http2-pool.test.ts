/**
 * Connections of HTTP/2 to a server, for some hundred seeds: many exchanges come and leave while the server lowers its limits, says
 * GOAWAY, refuses, resets, dies, falls silent and moves. While it does (http2-pool-world.ts and http2-pool-server.ts check it):
 *
 *   - every exchange ends exactly once, and nothing follows its end
 *   - no stream is opened above the server's limit, or above `http2.streams`
 *   - no exchange waits while a connection has room
 *   - no connection is opened while the others that are being opened suffice; no more are idle than are kept
 *   - what is counted is what there is
 *
 * And when all goes well for long: every exchange has ended, and nothing is left of any connection.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clock } from '../../src/http/connection/clock.ts'
import { createChance, type Chance } from '../fuzz/random.ts'
import { type Plan, World } from './http2-pool-world.ts'

const SEEDS = 120
const PARTS = 4
const STEPS = 120

for (let part = 0; part < PARTS; part++) {
  test(`exchanges share connections through random faults (part ${part + 1} of ${PARTS})`, async (t) => {
    // Also the exact time is that of the simulation.
    t.mock.method(performance, 'now', () => clock.now)
    const seen = new Map<string, number>()
    for (let seed = part; seed < SEEDS; seed += PARTS) {
      try {
        const { endings } = await simulate(createChance(seed))
        for (const [how, count] of endings) seen.set(how, (seen.get(how) ?? 0) + count)
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause })
      }
    }
    // Nothing is shown by a world in which nothing happens.
    const expected = [
      ...['response', 'left', 'limit', 'tunnel', 'tunnel lost', 'STREAM_REFUSED', 'SERVER_CLOSED'],
      ...['ANSWER_CUT', 'CONNECT_REFUSED', 'FIRST_BYTE_TIMEOUT', 'STALL_TIMEOUT'],
    ]
    const missing = expected.filter((how) => (seen.get(how) ?? 0) < 3)
    assert.deepEqual(missing, [], JSON.stringify([...seen]))
  })
}

async function simulate(chance: Chance): Promise<World> {
  const world = new World(choosePlan(chance), chance)
  const intensity = chance.pick([1, 4, 12])
  for (let step = 0; step < STEPS; step++) {
    for (let asks = chance.below(intensity + 1); asks > 0; asks--) world.ask(chance.once(8))
    if (chance.once(2)) world.settleDial()
    for (let acts = chance.below(2 * intensity); acts > 0; acts--) world.act()
    if (chance.once(3)) world.leave()
    world.moveBodies()
    if (chance.once(8)) world.disturb()
    if (chance.once(40)) world.move()
    if (chance.once(3)) world.pass(chance.pick([100, 100, 300, 1_000, 4_000]))
    await world.settle()
    world.check()
  }
  await world.calmDown()
  await world.checkEmpty()
  return world
}

function choosePlan(chance: Chance): Plan {
  return {
    streams: chance.pick([1, 2, 5, 100]),
    connections: chance.pick([0, 0, 4, 20]),
    idle: chance.pick([1, 2, 100]),
    pingMs: chance.pick([0, 500]),
    maxAgeMs: chance.pick([0, 0, 3_000]),
    proxyProtocol: chance.pick([null, null, null, 1]),
    takesWebSockets: chance.once(2),
  }
}
