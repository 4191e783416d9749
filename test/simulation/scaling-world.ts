/**
 * A backend whose replicas take time to start, under a load that changes, with the autoscaler that decides about it. Requests
 * arrive at random and are served by the replicas that are ready, so many at a time by each; the others wait, and leave after
 * a time.
 */
import { scale } from '../../src/schema/scale.ts'
import { Autoscaler, type Decision } from '../../src/policy/scaling/autoscaler.ts'
import { DURATION_BOUNDS } from '../../src/scoreboard/layout.ts'
import type { Measure } from '../../src/policy/scaling/measure.ts'

export interface World {
  readonly seed: number
  /** As written. */
  readonly spec: object
  /** Requests at a time in one replica. */
  readonly slots: number
  readonly serviceMs: number
  /** How long a replica takes to be ready. */
  readonly startMs: number
  /** Requests a second, at a second. */
  readonly demand: (second: number) => number
  readonly replicas: number
  /** What somebody asks for, at a second. */
  readonly asked?: (second: number) => number | null
}

export interface Tick {
  readonly second: number
  readonly decision: Decision
  /** After the decision. */
  readonly replicas: number
  readonly ready: number
  readonly waiting: number
}

const STEP_MS = 20
const TICK_MS = 2000
const PATIENCE_MS = 10_000

export function simulate(world: World, seconds: number): readonly Tick[] {
  const spec = scale.parse({ actuator: { swarm: { service: 'x' } }, max: 100, ...world.spec })
  const autoscaler = new Autoscaler(spec, 0)
  const chance = createChance(world.seed)
  const ticks: Tick[] = []
  /** When each replica is ready. */
  let replicas = Array.from({ length: world.replicas }, () => 0)
  let queue: number[] = []
  let served: { readonly from: number; readonly until: number }[] = []
  let integral = 0
  let ended = 0
  let durations = noDurations()
  let measuredAt = 0

  for (let now = 0; now <= seconds * 1000; now += STEP_MS) {
    for (const { from, until } of served) {
      if (until > now) continue
      ended++
      const bucket = bucketOf(now - from)
      durations[bucket] = (durations[bucket] ?? 0) + 1
    }
    served = served.filter(({ until }) => until > now)
    queue = queue.filter((from) => from > now - PATIENCE_MS)
    for (let left = (world.demand(now / 1000) * STEP_MS) / 1000; left > 0; left--) {
      if (chance() < left) queue.push(now)
    }
    const ready = replicas.filter((at) => at <= now).length
    const begun = queue.splice(0, Math.max(0, ready * world.slots - served.length))
    for (const from of begun) {
      served.push({ from, until: now - Math.log(1 - chance()) * world.serviceMs })
    }
    integral += (queue.length + served.length) * STEP_MS
    if (now === 0 || now % TICK_MS !== 0) continue
    const ms = now - measuredAt
    const measure: Measure = {
      concurrency: integral / ms,
      rps: ended / (ms / 1000),
      errors: 0,
      durations,
      waiting: ready === 0 ? queue.length : 0,
    }
    autoscaler.record(measuredAt, now, measure)
    measuredAt = now
    integral = 0
    ended = 0
    durations = noDurations()
    const decision = autoscaler.decide(now, {
      observed: replicas.length,
      ready,
      asked: world.asked?.(now / 1000) ?? null,
      waiting: measure.waiting,
    })
    if (decision.direction !== 'none') autoscaler.changed(now, decision.direction)
    const added = Math.max(0, decision.replicas - replicas.length)
    replicas = [
      ...replicas.slice(0, decision.replicas),
      ...Array.from({ length: added }, () => now + world.startMs),
    ]
    const waiting = queue.length
    ticks.push({ second: now / 1000, decision, replicas: replicas.length, ready, waiting })
  }
  return ticks
}

/** How often up follows down, or down up. */
export function directionChanges(ticks: readonly Tick[]): number {
  const moves = ticks.map(({ decision }) => decision.direction).filter((one) => one !== 'none')
  return moves.filter((move, at) => at > 0 && move !== moves[at - 1]).length
}

function noDurations(): number[] {
  return Array.from({ length: DURATION_BOUNDS.length + 1 }, () => 0)
}

function bucketOf(ms: number): number {
  const bucket = DURATION_BOUNDS.findIndex((bound) => ms / 1000 <= bound)
  return bucket < 0 ? DURATION_BOUNDS.length : bucket
}

function createChance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
