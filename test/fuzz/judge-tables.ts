/**
 * Lets hostile tables through everything that a change goes through: merge, admission, publication, the health monitor, the scaler,
 * and a serving thread's gateway. Whatever is declared, nothing throws anywhere, and what is in force is whole.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createAdmission, type Admission } from '../../src/control/admission/admit.ts'
import { createHealthMonitor } from '../../src/health/health-monitor.ts'
import { createMerge, type Merge } from '../../src/control/sources/merge.ts'
import { createPublisher } from '../../src/control/publication/publisher.ts'
import { redact } from '../../src/control/redact.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { backendsOfMiddleware } from '../../src/middleware/catalog.ts'
import type { Delta, Snapshot } from '../../src/model/snapshot.ts'
import type { ScaleReport } from '../../src/observe/reports/scale-report.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import type { Actuator } from '../../src/scaling/actuator.ts'
import { systemMs } from '../../src/scoreboard/board-clock.ts'
import { Scoreboard } from '../../src/scoreboard/scoreboard.ts'
import { ALONE } from '../../src/scaling/acting-lock.ts'
import { NO_EXCHANGE } from '../../src/scaling/measure-exchange.ts'
import { createScaler } from '../../src/scaling/scaler.ts'
import { openSource, type DeclaredSource } from '../support/declared.ts'
import { createChance, type Chance } from './random.ts'
import { hostileObject, SOURCES } from './tables.ts'

const ROUNDS = 4
const MOST_OBJECTS = 16

/** Throws with the seed of the first failure. */
export async function runTables(first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    try {
      await judgeTables(seed)
    } catch (error) {
      throw new Error(`seed ${seed} of the tables: ${String(error)}`, { cause: error })
    }
  }
}

async function judgeTables(seed: number): Promise<void> {
  const chance = createChance(seed)
  const faults: unknown[] = []
  const onFault = (_object: unknown, error: unknown): void => void faults.push(error)
  const scoreboard = new Scoreboard(1, systemMs())
  const publisher = createPublisher(scoreboard, { conflateMs: 0, onFault })
  const monitor = createHealthMonitor({
    scoreboard,
    publisher,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    now: () => performance.now(),
    date: () => 0,
    random: () => 0.5,
    stallOfThreads: () => 0,
    probe: () => Promise.resolve({ ok: true, tookMs: 1 }),
    sendHook: () => Promise.resolve(null),
    onFault,
  })
  let now = 0
  const scaler = createScaler({
    ...{ scoreboard, publisher, onFault, lock: ALONE, exchange: NO_EXCHANGE, dryRun: false },
    open: () => Promise.resolve(hostileActuator(chance)),
    doubtOf: () => null,
    onDecision: ({ from, to }) => assert.notEqual(from, to),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    now: () => now,
    date: () => now,
    random: () => 0.5,
  })
  const gateway = new Gateway({
    thread: 0,
    memory: scoreboard.memory(),
    trusted: [],
    admin: { host: '127.0.0.1', port: 0 },
    secret: randomBytes(48),
    ticketKeys: randomBytes(48),
    reusePort: false,
    onNotice: () => {},
    onListenersTried() {},
    onRecord: null,
    onStream: null,
    onShortage: () => {},
    onFault: (error) => faults.push(error),
  })
  let applied = Promise.resolve()
  publisher.attach({
    thread: 0,
    boardSize: scoreboard.size,
    deliver({ number, delta, added }) {
      applied = applied.then(async () => {
        await gateway.apply(JSON.parse(delta) as Delta, added)
        publisher.acknowledge(0, number, [])
      })
    },
  })
  const admission = createAdmission({
    readFile: (path) => assert.fail(`${path} is not there`),
    admin: { host: '127.0.0.1', port: 8182 },
    localAddresses: () => new Set(['127.0.0.1']),
    now: () => 0,
    onFault,
  })
  const sources = SOURCES.map(openSource)
  const merge = createMerge(sources)
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const source = chance.pick(sources)
      const names = merge.affected(source.replace(rewritten(source, chance)))
      const { snapshot, changed } = admission.admit({
        names,
        merge,
        locate: () => undefined,
        revision: () => `${round}`,
      })
      const number = publisher.publish(snapshot, 0, changed)
      await nextTurn()
      if (publisher.number() > 0) await publisher.whenInForce(number)
      await applied
      monitor.tick()
      for (const end = now + 8_000; now < end; now += 2_000) {
        for (const backend of scaler.backends()) {
          const to = chance.once(2) ? { replicas: chance.below(50) } : { delta: 1 }
          if (chance.once(5)) scaler.request({ backend, to, input: 'api', reason: '', forMs: null })
        }
        scaler.sample()
        await nextTurn()
      }
      assertScaled(scaler.report(), snapshot)
      assertWhole(snapshot)
      assertShown(admission, merge)
    }
    assert.deepEqual(faults, [])
    assert.deepEqual(publisher.faults(), [])
    assert.deepEqual(gateway.problems(), [])
  } finally {
    await scaler.stop()
    await monitor.stop()
    publisher.stop()
    gateway.destroy()
  }
}

/** Some of what it declares, as it is or written otherwise, and some more. */
function rewritten(source: DeclaredSource, chance: Chance): DeclaredObject[] {
  const kept = (['listener', 'host', 'backend', 'server', 'frontend', 'middleware'] as const)
    .flatMap((kind) => [...source.objects(kind).values()])
    .filter(() => !chance.once(4))
  const fresh = Array.from({ length: chance.below(MOST_OBJECTS) }, () => hostileObject(chance))
  return [...kept, ...fresh]
}

/** Whatever a route in force leads to is in force. */
function assertWhole({ backends, frontends }: Snapshot): void {
  for (const { id, backend, middlewares } of frontends.values()) {
    const named = [
      ...(backend === null ? [] : [backend]),
      ...middlewares.flatMap(backendsOfMiddleware),
    ]
    for (const name of named) {
      assert.ok(backends.has(name), `frontend ${id} leads to ${name}, which is not in force`)
    }
  }
  for (const { servers } of backends.values()) {
    assert.equal(new Set(servers.map(({ url }) => url)).size, servers.length)
  }
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
}

/** It does what it is told, or something else, or fails. */
function hostileActuator(chance: Chance): Actuator {
  let replicas = chance.below(20)
  const respond = <T>(value: T): Promise<T> =>
    chance.once(4) ? Promise.reject(new Error('no')) : Promise.resolve(value)
  return {
    setReplicas: (count) => respond(void (replicas = chance.once(3) ? chance.below(50) : count)),
    observed: () => respond(chance.once(4) ? chance.pick([null, NaN, -1, 0.5, 1e300]) : replicas),
    close: () => respond(undefined),
  }
}

/** The backends with `scale` are scaled, and every decision is one within their bounds. */
function assertScaled({ backends }: ScaleReport, snapshot: Snapshot): void {
  const declared = [...snapshot.backends.values()].filter(({ scale }) => scale !== null)
  assert.deepEqual(
    backends.map(({ backend }) => backend).sort(),
    declared.map(({ id }) => id).sort(),
  )
  for (const { backend, desired, decisions } of backends) {
    assert.ok(desired === null || Number.isSafeInteger(desired), `${backend}: ${desired}`)
    for (const { from, to } of decisions) {
      assert.ok(Number.isSafeInteger(to) && to >= 0 && to <= 10_000, `${backend}: ${from} to ${to}`)
    }
  }
}

/** As the admin would. */
function assertShown(admission: Admission, merge: Merge): void {
  const shown = [...admission.inForce()].map(redact)
  const said = [...admission.setAside(), ...admission.remarks(), ...merge.conflicts()]
  for (const { message } of said) assert.doesNotMatch(message, /a fault of the proxy/)
  assert.ok(JSON.stringify([shown, said]).length > 0)
}
