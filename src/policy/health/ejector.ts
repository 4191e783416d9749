/**
 * Takes servers out of a pool by what the requests themselves tell: failures in a row, errors in a row, or fewer successes
 * than the other servers have.
 *
 *   in service --outlier--> ejected for baseMs x n, n its ejections so far --time is over--> in service, counted anew
 *                           each time as long, spent quietly in service, takes one off n
 *
 * Never more than `share` of the pool is out. What was counted while our own process was held up is no evidence: `discard`,
 * and ticks that come late, take it as a new beginning.
 */
import type { Ejection } from '../../model/snapshot.ts'
import { outliers, SuccessRate } from './success-rate.ts'

/** Sums since ever, and the longest rows since the last tick: whoever calls takes those back to 0 after each. */
export interface EjectorServer {
  readonly url: string
  /** Attempts answered (with 5xx too), attempts that failed, answers of 5xx. */
  readonly responses: number
  readonly failed: number
  readonly errors: number
  readonly longestFailureStreak: number
  readonly longestErrorStreak: number
  /** False: down by its probes, drained; such a one is neither judged nor what others are compared with. */
  readonly usable: boolean
}

/** Of a server that leaves, for the case that it comes back. */
export type EjectorMemory = Pick<Tracked, 'ejections' | 'ejectedUntil' | 'quietSince'>

export type EjectionReason = 'failures' | 'errors' | 'success-rate'

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
  /** Number of the tick that saw it last: whoever is absent is forgotten. */
  seen: number
  /** As of that tick. Copied: whoever calls may use its objects again. */
  responses: number
  failed: number
  errors: number
  /** The sums when its evidence began. */
  failedFrom: number
  badFrom: number
  /** Rows as far as they have come since the evidence began. */
  failureStreak: number
  errorStreak: number
  rate: SuccessRate | null
  /** What it shows now may be judged. */
  isJudged: boolean
  ejections: number
  /** Null: in service. */
  ejectedUntil: number | null
  quietSince: number
}

interface Suspect {
  readonly tracked: Tracked
  readonly reason: EjectionReason
  /** The worst first: by reason, then by degree. */
  readonly rank: number
  readonly degree: number
  readonly detail: string
}

/** Without a tick for longer, nobody knows when that happened which was counted since. */
const MAX_GAP_MS = 1_000

export class Ejector {
  #spec: Ejection
  readonly #servers = new Map<string, Tracked>()
  #tick = 0
  #lastAt = -Infinity
  /** Nobody has looked for a while. */
  #wasQuiet = false
  #ejected = 0

  constructor(spec: Ejection) {
    this.#spec = spec
  }

  /** How many are ejected. While there are any, ticks must not be left out. */
  get ejected(): number {
    return this.#ejected
  }

  isEjected(url: string): boolean {
    return this.#servers.get(url)?.ejectedUntil != null
  }

  /** Counts, returns and ejects. */
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
      // It is not quiet, even if there is no room to eject it.
      suspect.tracked.quietSince = now
      if (this.#ejected < this.#most()) changes.push(this.#eject(suspect, now))
    }
    return changes
  }

  /**
   * Instead of the ticks since the last one, when no failure was counted and none is ejected. Rows that began since are as good
   * as any; how much went well in the meantime says nothing of now.
   */
  skip(now: number): void {
    this.#lastAt = now
    this.#wasQuiet = true
  }

  /** What was counted since the last tick tells nothing: our own process was held up. */
  discard(servers: Iterable<EjectorServer>): void {
    for (const server of servers) {
      const tracked = this.#servers.get(server.url)
      if (tracked !== undefined) beginAnew(tracked, server)
      else this.#servers.set(server.url, newlyTracked(server, this.#tick, this.#lastAt))
    }
  }

  update(spec: Ejection): void {
    this.#spec = spec
    if (spec.successRate === null) for (const tracked of this.#servers.values()) tracked.rate = null
  }

  /** Answers with what it takes to come back; null: nothing is known of it. */
  remove(url: string): EjectorMemory | null {
    const tracked = this.#servers.get(url)
    if (tracked === undefined) return null
    if (tracked.ejectedUntil !== null) this.#ejected--
    this.#servers.delete(url)
    const { ejections, ejectedUntil, quietSince } = tracked
    return { ejections, ejectedUntil, quietSince }
  }

  /**
   * One that had left, after the tick (or `discard`) that has seen all that are here now: only then it is known whether it can
   * be out again. What it counted meanwhile tells nothing.
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
    // Sums that shrink are of another slot.
    const isAnew = isLate || requests < 0 || bad < 0
    if (isAnew || !server.usable || tracked.ejectedUntil !== null) {
      beginAnew(tracked, server)
      return
    }
    copySums(server, tracked)
    tracked.failureStreak = Math.min(
      server.longestFailureStreak,
      server.failed - tracked.failedFrom,
    )
    tracked.errorStreak = Math.min(server.longestErrorStreak, badOf(server) - tracked.badFrom)
    tracked.isJudged = true
    if (this.#spec.successRate === null || requests === 0 || this.#wasQuiet) return
    tracked.rate ??= new SuccessRate()
    // The threads write one sum after the other: for a moment there may be more bad ones than requests.
    tracked.rate.add(now, requests, Math.min(bad, requests))
  }

  #forgetAbsent(): void {
    for (const [url, { seen }] of this.#servers) if (seen !== this.#tick) this.remove(url)
  }

  /** Those whose time is over; and when fewer may be out than before, those whose time is over next. */
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
    const judged = [...this.#servers.values()].filter(({ isJudged }) => isJudged)
    const found = new Map<Tracked, Suspect>()
    for (const tracked of judged) {
      const suspect = this.#judgeRows(tracked)
      if (suspect !== null) found.set(tracked, suspect)
    }
    for (const suspect of this.#judgeRates(judged, now)) {
      if (!found.has(suspect.tracked)) found.set(suspect.tracked, suspect)
    }
    return [...found.values()].sort((a, b) => a.rank - b.rank || b.degree - a.degree)
  }

  #judgeRows(tracked: Tracked): Suspect | null {
    const { failureStreak, errorStreak } = tracked
    if (this.#spec.failures > 0 && failureStreak >= this.#spec.failures) {
      const detail = `${failureStreak} gateway failures in a row`
      return { tracked, reason: 'failures', rank: 0, degree: failureStreak, detail }
    }
    if (this.#spec.errors > 0 && errorStreak >= this.#spec.errors) {
      const detail = `${errorStreak} failures or answers of 5xx in a row`
      return { tracked, reason: 'errors', rank: 1, degree: errorStreak, detail }
    }
    return null
  }

  #judgeRates(judged: readonly Tracked[], now: number): Suspect[] {
    if (this.#spec.successRate === null) return []
    const { deviations, requests } = this.#spec.successRate
    const rates = judged.flatMap((tracked) => {
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
    // More would only make the way back longer.
    const useful = Math.max(1, Math.ceil(longestMs / baseMs))
    tracked.ejections = Math.min(tracked.ejections + 1, useful)
    const forMs = this.#timeOf(tracked.ejections)
    tracked.ejectedUntil = now + forMs
    this.#ejected++
    beginAnew(tracked, tracked)
    return { url: tracked.url, kind: 'ejected', reason, forMs, detail }
  }

  #timeOf(ejections: number): number {
    return Math.min(this.#spec.baseMs * ejections, this.#spec.longestMs)
  }

  #most(): number {
    const { failures, errors, successRate } = this.#spec
    // It is switched off: for those that are out, too.
    if (failures === 0 && errors === 0 && successRate === null) return 0
    // 0.29 x 100 is a little less than 29.
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
    isJudged: false,
    ejections: 0,
    ejectedUntil: null,
    quietSince: now,
  }
}

function beginAnew(tracked: Tracked, sums: Sums): void {
  copySums(sums, tracked)
  tracked.failedFrom = sums.failed
  tracked.badFrom = badOf(sums)
  tracked.isJudged = false
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
