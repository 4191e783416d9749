/** The middlewares of frontends that the main thread decides for: breakers and adaptive limits, by their slots. */
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

/** Frontends of one backend may share a state. */
interface SharedState {
  /** Ids of the frontends that use it. */
  readonly frontends: Set<string>
  readonly live: LiveBreaker | LiveLimit
}

export function createMiddlewareState(context: BreakerContext): MiddlewareState {
  const bySlot = new Map<number, SharedState>()
  /** By the id of the frontend. */
  const slotsOf = new Map<string, readonly number[]>()

  function upsert({ object: { id, backend, middlewares }, states }: PlacedFrontend): void {
    const before = slotsOf.get(id) ?? []
    const after: number[] = []
    for (const [at, spec] of middlewares.entries()) {
      const number = states[at]
      // The number of another kind may be that of a table, not of a slot.
      if (number == null || !KINDS.has(spec.kind)) continue
      acquire(number, spec, id, backend).frontends.add(id)
      after.push(number)
    }
    release(
      id,
      before.filter((number) => !after.includes(number)),
    )
    if (after.length === 0) slotsOf.delete(id)
    else slotsOf.set(id, after)
  }

  function acquire(
    number: number,
    spec: MiddlewareSpec,
    frontend: string,
    backend: string | null,
  ): SharedState {
    const known = bySlot.get(number)
    if (known !== undefined) {
      // Options that do not identify the slot may have changed.
      if (known.live instanceof LiveBreaker) known.live.update(breakerSpecOf(spec.options))
      return known
    }
    const live = create(spec, frontend, backend, context.scoreboard.slot(number), context)
    const state = { frontends: new Set<string>(), live }
    bySlot.set(number, state)
    return state
  }

  function release(frontend: string, numbers: readonly number[]): void {
    for (const number of numbers) {
      const state = bySlot.get(number)
      state?.frontends.delete(frontend)
      if (state?.frontends.size !== 0) continue
      // Another object may take the slot now: nothing is written to it any more.
      bySlot.delete(number)
      if (state.live instanceof LiveBreaker) state.live.remove()
    }
  }

  function* select<T>(pick: (live: SharedState['live']) => T | null): Generator<T> {
    for (const { live } of bySlot.values()) {
      const picked = pick(live)
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
      for (const { live } of bySlot.values()) live.tick(now)
    },
    breakers: () => select((live) => (live instanceof LiveBreaker ? live : null)),
    limits: () => select((live) => (live instanceof LiveLimit ? live.report() : null)),
  }
}

const KINDS = new Set(['breaker', 'adaptive'])

function create(
  { kind, options }: MiddlewareSpec,
  frontend: string,
  backend: string | null,
  slot: Slot,
  context: BreakerContext,
): SharedState['live'] {
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
      responses: this.#scoreboard.sumOf(this.#slot, COUNT.responses),
      headMs: this.#scoreboard.sumOf(this.#slot, COUNT.headMs),
      inFlight: sharedLoad(this.#slot, SHARED.inFlight),
    })
    writeCell(this.#slot, SHARED.limit, limit)
  }

  report(): LimitReport {
    return { ...this.#owner, limit: sharedLoad(this.#slot, SHARED.limit) }
  }
}
