/**
 * Outlier detection: takes servers out of a pool by the results of requests: consecutive failures, consecutive errors, or a
 * lower success rate than the other servers.
 *
 *   in service --outlier--> ejected for baseMs x n, n its ejections so far --time is over--> in service, counted from 0
 *                           n decreases by one after the same time in service without an outlier
 *
 * Never more than `share` of the pool is ejected. What was counted during a stall of this process is no evidence: `discard`,
 * and a tick that is late, restart the count.
 */
import type { Ejection } from '../../model/snapshot.ts'
import { outliers, SuccessRate } from './success-rate.ts'

/** Totals, and the longest streaks since the last tick: the caller must reset those to 0 after each tick. */
export interface EjectorServer {
  readonly url: string
  /** Attempts with a response (also 5xx), attempts that failed, responses of 5xx. */
  readonly responses: number
  readonly failed: number
  readonly errors: number
  readonly longestFailureStreak: number
  readonly longestErrorStreak: number
  /** False: down by its probes, or drained. Such a server is neither checked nor compared with. */
  readonly usable: boolean
}

/** The state of a removed server, for the case that it is declared again. */
export type EjectorMemory = Pick<Tracked, 'ejections' | 'ejectedUntil' | 'quietSince'>

export const EJECTION_REASONS = ['failures', 'errors', 'success-rate'] as const

export type EjectionReason = (typeof EJECTION_REASONS)[number]

export type EjectorChange =
  | {
      readonly url: string
      readonly kind: 'ejected'
      readonly reason: EjectionReason
      readonly forMs: number
      /** For people: `5 gateway failures in a row`. */
      readonly detail: string
    }
  | { readonly url: string; readonly kind: 'returned' }

interface Tracked {
  readonly url: string
  /** Number of the last tick that included it: a server that is absent is forgotten. */
  seen: number
  /** As of that tick. Copies: the caller may reuse its objects. */
  responses: number
  failed: number
  errors: number
  /** The totals when its evidence began. */
  failedFrom: number
  badFrom: number
  /** Streaks within the evidence. */
  failureStreak: number
  errorStreak: number
  rate: SuccessRate | null
  /** It was in service during the last tick, and may be checked. */
  isChecked: boolean
  ejections: number
  /** Null: in service. */
  ejectedUntil: number | null
  quietSince: number
}

interface Suspect {
  readonly tracked: Tracked
  readonly reason: EjectionReason
  /** Order of ejection: by rank of the reason, then by degree, the highest first. */
  readonly rank: number
  readonly degree: number
  readonly detail: string
}

/** After a longer time without a tick, it is not known when the counts since then happened. */
const MAX_GAP_MS = 1_000

export class Ejector {
  #spec: Ejection
  readonly #servers = new Map<string, Tracked>()
  #tick = 0
  #lastAt = -Infinity
  /** `skip` was called since the last tick. */
  #wasQuiet = false
  #ejected = 0

  constructor(spec: Ejection) {
    this.#spec = spec
  }

  /** The number of ejected servers. While it is not 0, the caller must not leave out a tick. */
  get ejected(): number {
    return this.#ejected
  }

  isEjected(url: string): boolean {
    return this.#servers.get(url)?.ejectedUntil != null
  }

  /** Takes the counts, and returns which servers are ejected or return to service. */
  tick(now: number, servers: Iterable<EjectorServer>): readonly EjectorChange[] {
    const isLate = now - this.#lastAt > MAX_GAP_MS || now < this.#lastAt
    this.#lastAt = now
    this.#tick++
    for (const server of servers) this.#see(server, now, isLate)
    this.#wasQuiet = false
    this.#forgetAbsent()
    const changes = this.#returnSome(now)
    this.#forgive(now)
    for (const suspect of this.#suspects(now)) {
      // An outlier is not quiet, even if no more servers may be ejected.
      suspect.tracked.quietSince = now
      if (this.#ejected < this.#most()) changes.push(this.#eject(suspect, now))
    }
    return changes
  }

  /**
   * Replaces the ticks since the last one, if no failure was counted and no server is ejected. Streaks that began since then
   * count; successes in the meantime do not, because they say nothing about the present rate.
   */
  skip(now: number): void {
    this.#lastAt = now
    this.#wasQuiet = true
  }

  /** Ignores what was counted since the last tick, because this process stalled. */
  discard(servers: Iterable<EjectorServer>): void {
    for (const server of servers) {
      const tracked = this.#servers.get(server.url)
      if (tracked !== undefined) restart(tracked, server)
      else this.#servers.set(server.url, newlyTracked(server, this.#tick, this.#lastAt))
    }
  }

  update(spec: Ejection): void {
    this.#spec = spec
    if (spec.successRate === null) for (const tracked of this.#servers.values()) tracked.rate = null
  }

  /** Removes a server, and returns its state for `restore`; null: the server is not known. */
  remove(url: string): EjectorMemory | null {
    const tracked = this.#servers.get(url)
    if (tracked === undefined) return null
    if (tracked.ejectedUntil !== null) this.#ejected--
    this.#servers.delete(url)
    const { ejections, ejectedUntil, quietSince } = tracked
    return { ejections, ejectedUntil, quietSince }
  }

  /**
   * Restores a server that was removed. To be called after the tick (or `discard`) with all present servers: only then it is
   * known whether it may be ejected again. Its counts in the meantime are no evidence.
   */
  restore(url: string, { ejections, ejectedUntil, quietSince }: EjectorMemory): void {
    const tracked = this.#servers.get(url)
    if (tracked === undefined || tracked.ejectedUntil !== null) return
    tracked.ejections = ejections
    tracked.quietSince = quietSince
    if (ejectedUntil === null) return
    if (this.#ejected < this.#most()) {
      tracked.ejectedUntil = ejectedUntil
      this.#ejected++
    } else tracked.quietSince = Math.max(quietSince, this.#lastAt)
  }

  #see(server: EjectorServer, now: number, isLate: boolean): void {
    const tracked = this.#servers.get(server.url)
    if (tracked === undefined) {
      this.#servers.set(server.url, newlyTracked(server, this.#tick, now))
      return
    }
    const requests = server.responses + server.failed - tracked.responses - tracked.failed
    const bad = badOf(server) - badOf(tracked)
    tracked.seen = this.#tick
    // Totals that shrink belong to another slot.
    const isAnew = isLate || requests < 0 || bad < 0
    if (isAnew || !server.usable || tracked.ejectedUntil !== null) {
      restart(tracked, server)
      return
    }
    copySums(server, tracked)
    tracked.failureStreak = Math.min(
      server.longestFailureStreak,
      server.failed - tracked.failedFrom,
    )
    tracked.errorStreak = Math.min(server.longestErrorStreak, badOf(server) - tracked.badFrom)
    tracked.isChecked = true
    if (this.#spec.successRate === null || requests === 0 || this.#wasQuiet) return
    tracked.rate ??= new SuccessRate()
    // The threads write one total after the other: for a moment there may be more failures than requests.
    tracked.rate.add(now, requests, Math.min(bad, requests))
  }

  #forgetAbsent(): void {
    for (const [url, { seen }] of this.#servers) if (seen !== this.#tick) this.remove(url)
  }

  /** Servers whose time is over; if fewer may be ejected than before, also those whose time is over next. */
  #returnSome(now: number): EjectorChange[] {
    if (this.#ejected === 0) return []
    const out = [...this.#servers.values()].flatMap((tracked) =>
      tracked.ejectedUntil === null ? [] : [{ tracked, until: tracked.ejectedUntil }],
    )
    const most = this.#most()
    const changes: EjectorChange[] = []
    for (const { tracked, until } of out.sort((a, b) => a.until - b.until)) {
      if (until > now && this.#ejected <= most) break
      tracked.ejectedUntil = null
      tracked.quietSince = now
      this.#ejected--
      changes.push({ url: tracked.url, kind: 'returned' })
    }
    return changes
  }

  #forgive(now: number): void {
    for (const tracked of this.#servers.values()) {
      while (tracked.ejections > 0 && tracked.ejectedUntil === null) {
        const quietMs = this.#timeOf(tracked.ejections)
        if (now - tracked.quietSince < quietMs) break
        tracked.ejections--
        tracked.quietSince += quietMs
      }
    }
  }

  #suspects(now: number): Suspect[] {
    const checked = [...this.#servers.values()].filter(({ isChecked }) => isChecked)
    const found = new Map<Tracked, Suspect>()
    for (const tracked of checked) {
      const suspect = this.#judgeStreaks(tracked)
      if (suspect !== null) found.set(tracked, suspect)
    }
    for (const suspect of this.#checkRates(checked, now)) {
      if (!found.has(suspect.tracked)) found.set(suspect.tracked, suspect)
    }
    return [...found.values()].sort((a, b) => a.rank - b.rank || b.degree - a.degree)
  }

  #judgeStreaks(tracked: Tracked): Suspect | null {
    const { failureStreak, errorStreak } = tracked
    if (this.#spec.failures > 0 && failureStreak >= this.#spec.failures) {
      const detail = `${failureStreak} gateway failures in a row`
      return { tracked, reason: 'failures', rank: 0, degree: failureStreak, detail }
    }
    if (this.#spec.errors > 0 && errorStreak >= this.#spec.errors) {
      const detail = `${errorStreak} failures or 5xx responses in a row`
      return { tracked, reason: 'errors', rank: 1, degree: errorStreak, detail }
    }
    return null
  }

  #checkRates(checked: readonly Tracked[], now: number): Suspect[] {
    if (this.#spec.successRate === null) return []
    const { deviations, requests } = this.#spec.successRate
    const rates = checked.flatMap((tracked) => {
      const rate = tracked.rate?.newest(now, requests) ?? null
      return rate === null ? [] : [{ of: tracked, rate }]
    })
    return outliers(rates, deviations).map(({ of: tracked, rate, others }) => ({
      tracked,
      reason: 'success-rate',
      rank: 2,
      degree: 1 - rate.share,
      detail: `${percent(rate.share)} of ${rate.requests} requests went well, of the other servers' ${percent(others)}`,
    }))
  }

  #eject({ tracked, reason, detail }: Suspect, now: number): EjectorChange {
    const { baseMs, longestMs } = this.#spec
    // A higher n would not lengthen the ejection, only the time until n is 0 again.
    const useful = Math.max(1, Math.ceil(longestMs / baseMs))
    tracked.ejections = Math.min(tracked.ejections + 1, useful)
    const forMs = this.#timeOf(tracked.ejections)
    tracked.ejectedUntil = now + forMs
    this.#ejected++
    restart(tracked, tracked)
    return { url: tracked.url, kind: 'ejected', reason, forMs, detail }
  }

  #timeOf(ejections: number): number {
    return Math.min(this.#spec.baseMs * ejections, this.#spec.longestMs)
  }

  #most(): number {
    const { failures, errors, successRate } = this.#spec
    // Switched off: ejected servers return, too.
    if (failures === 0 && errors === 0 && successRate === null) return 0
    // In floating point, 0.29 x 100 is a little less than 29.
    return Math.floor(this.#spec.share * this.#servers.size + 1e-9)
  }
}

type Sums = Pick<EjectorServer, 'responses' | 'failed' | 'errors'>

function newlyTracked(server: EjectorServer, tick: number, now: number): Tracked {
  const { url, responses, failed, errors } = server
  return {
    url,
    seen: tick,
    responses,
    failed,
    errors,
    failedFrom: failed,
    badFrom: badOf(server),
    failureStreak: 0,
    errorStreak: 0,
    rate: null,
    isChecked: false,
    ejections: 0,
    ejectedUntil: null,
    quietSince: now,
  }
}

function restart(tracked: Tracked, sums: Sums): void {
  copySums(sums, tracked)
  tracked.failedFrom = sums.failed
  tracked.badFrom = badOf(sums)
  tracked.isChecked = false
  tracked.rate?.clear()
}

function copySums({ responses, failed, errors }: Sums, tracked: Tracked): void {
  tracked.responses = responses
  tracked.failed = failed
  tracked.errors = errors
}

function badOf({ failed, errors }: Sums): number {
  return failed + errors
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
