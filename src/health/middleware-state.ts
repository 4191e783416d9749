/** What frontends have on their way that the control plane decides for: breakers, and limits that adapt. Known by their slots. */
import { adaptiveSpecOf } from '../middleware/adaptive.ts'
import { breakerSpecOf } from '../middleware/breaker.ts'
import type { MiddlewareSpec, PlacedFrontend } from '../model/snapshot.ts'
import type { LimitReport } from '../observe/reports/health-report.ts'
import { AdaptiveLimit } from '../policy/limiting/adaptive-limit.ts'
import { COUNT, SHARED } from '../scoreboard/layout.ts'
import { sharedLoad, type Scoreboard, type Slot } from '../scoreboard/scoreboard.ts'
import { LiveBreaker, type BreakerContext } from './live-breaker.ts'
import { writeCell } from './cells.ts'

export interface MiddlewareState {
  upsert(placed: PlacedFrontend): void
  remove(frontend: string): void
  tick(now: number): void
  breakers(): Iterable<LiveBreaker>
  limits(): Iterable<LimitReport>
}

/** Frontends of one backend may share one. */
interface SharedState {
  readonly holders: Set<string>
  readonly thing: LiveBreaker | LiveLimit
}

export function createMiddlewareState(context: BreakerContext): MiddlewareState {
  const bySlot = new Map<number, SharedState>()
  /** Those without are not here. */
  const slotsOf = new Map<string, readonly number[]>()

  function upsert({ object: { id, backend, middlewares }, states }: PlacedFrontend): void {
    const before = slotsOf.get(id) ?? []
    const after: number[] = []
    for (const [at, spec] of middlewares.entries()) {
      const number = states[at]
      // Others remember something of their own, and may do so in a table, whose number is none of a slot.
      if (number == null || !KINDS.has(spec.kind)) continue
      const held = hold(number, spec, id, backend)
      held.holders.add(id)
      after.push(number)
    }
    release(
      id,
      before.filter((number) => !after.includes(number)),
    )
    if (after.length === 0) slotsOf.delete(id)
    else slotsOf.set(id, after)
  }

  function hold(
    number: number,
    spec: MiddlewareSpec,
    frontend: string,
    backend: string | null,
  ): SharedState {
    const known = bySlot.get(number)
    if (known !== undefined) {
      // What else its options say has no place of its own: it may have changed.
      if (known.thing instanceof LiveBreaker) known.thing.update(breakerSpecOf(spec.options))
      return known
    }
    const thing = create(spec, frontend, backend, context.scoreboard.slot(number), context)
    const held = { holders: new Set<string>(), thing }
    bySlot.set(number, held)
    return held
  }

  function release(frontend: string, numbers: readonly number[]): void {
    for (const number of numbers) {
      const held = bySlot.get(number)
      held?.holders.delete(frontend)
      if (held?.holders.size !== 0) continue
      // From now on its slot may become another's: nothing is written there any more.
      bySlot.delete(number)
      if (held.thing instanceof LiveBreaker) held.thing.remove()
    }
  }

  function* things<T>(pick: (thing: SharedState['thing']) => T | null): Generator<T> {
    for (const { thing } of bySlot.values()) {
      const picked = pick(thing)
      if (picked !== null) yield picked
    }
  }

  return {
    upsert,
    remove(frontend) {
      release(frontend, slotsOf.get(frontend) ?? [])
      slotsOf.delete(frontend)
    },
    tick(now) {
      for (const { thing } of bySlot.values()) thing.tick(now)
    },
    breakers: () => things((thing) => (thing instanceof LiveBreaker ? thing : null)),
    limits: () => things((thing) => (thing instanceof LiveLimit ? thing.report() : null)),
  }
}

const KINDS = new Set(['breaker', 'adaptive'])

function create(
  { kind, options }: MiddlewareSpec,
  frontend: string,
  backend: string | null,
  slot: Slot,
  context: BreakerContext,
): SharedState['thing'] {
  if (kind === 'breaker') {
    const owner = { frontend, backend: null, server: null }
    return new LiveBreaker(owner, breakerSpecOf(options), slot, context)
  }
  const owner = backend === null ? { frontend, backend } : { frontend: null, backend }
  return new LiveLimit(owner, options, slot, context.scoreboard)
}

class LiveLimit {
  readonly #owner: Pick<LimitReport, 'frontend' | 'backend'>
  readonly #slot: Slot
  readonly #scoreboard: Scoreboard
  readonly #adaptive: AdaptiveLimit

  constructor(
    owner: Pick<LimitReport, 'frontend' | 'backend'>,
    options: unknown,
    slot: Slot,
    scoreboard: Scoreboard,
  ) {
    const spec = adaptiveSpecOf(options)
    this.#owner = owner
    this.#slot = slot
    this.#scoreboard = scoreboard
    this.#adaptive = new AdaptiveLimit(spec)
    writeCell(slot, SHARED.limit, spec.initial)
  }

  tick(now: number): void {
    const limit = this.#adaptive.tick(now, {
      answered: this.#scoreboard.sumOf(this.#slot, COUNT.responses),
      headMs: this.#scoreboard.sumOf(this.#slot, COUNT.headMs),
      inFlight: sharedLoad(this.#slot, SHARED.inFlight),
    })
    writeCell(this.#slot, SHARED.limit, limit)
  }

  report(): LimitReport {
    return { ...this.#owner, limit: sharedLoad(this.#slot, SHARED.limit) }
  }
}
