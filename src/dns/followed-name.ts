/**
 * One name: its addresses, and when it is looked up next. Pure; time and randomness are arguments.
 *
 *   new --> looked up --found--> resolved until its TTL is over --> looked up ...
 *                     \--none, failed--> the last good addresses stay, looked up again after 1, 2, 4, 8, 10 s
 */
import { exponentialBackoff } from '../model/backoff.ts'
import { denyHost } from '../model/denied-address.ts'
import { plainHost } from '../model/ip.ts'
import type { FamilyAnswer, NameAnswer } from './answer.ts'

export interface TtlBounds {
  readonly minMs: number
  readonly maxMs: number
  /** At most, for names that are watched or doubted. */
  readonly watchedMs: number
  /** For addresses without a TTL, of hosts and the system's resolver. */
  readonly defaultMs: number
  /** How long the name must have no address, by response after response, before it counts as gone; null: it never does. */
  readonly holdMs: number | null
}

const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 10_000

export interface NameFailure {
  /** ms since the epoch. */
  readonly at: number
  readonly reason: string
}

export class FollowedName {
  readonly name: string
  /** How many callers follow it until they release it. */
  holders = 0
  /** How many of them make a server of each address. */
  watchers = 0
  /** Until then its addresses may have changed before their TTL is over, of the monotonic clock. */
  doubtedUntil: number = -Infinity
  /** The last request for it, of the monotonic clock. */
  touchedAt: number
  isLookedUp = false
  /** Of the monotonic clock. */
  dueAt: number
  /** ms since the epoch; null: never. */
  resolvedAt: number | null = null
  lastFailure: NameFailure | null = null
  /** Why the last lookup failed, or null. */
  failure: string | null = null
  addresses: readonly string[] = []
  /** Since when the responses say that it has no address, of the monotonic clock; null: they do not. */
  absentSince: number | null = null
  /** It had addresses, and has been absent for `holdMs`. `addresses` are still the last good ones. */
  isGone = false
  #failures = 0
  #v4: readonly string[] = []
  #v6: readonly string[] = []

  constructor(name: string, now: number) {
    this.name = name
    this.touchedAt = now
    this.dueAt = now
  }

  /** The last lookup failed, so the next may take long. */
  get isSuspect(): boolean {
    return this.#failures > 0
  }

  get isKnown(): boolean {
    return this.addresses.length > 0 || this.failure !== null
  }

  /** Takes the response for one family while the other is pending; only for a name without addresses. */
  takePart(part: Partial<NameAnswer>, date: number): boolean {
    if (this.addresses.length > 0) return false
    const { v4 = PENDING, v6 = PENDING } = part
    return this.#takeFound(refuseDenied(v4), refuseDenied(v6), date)
  }

  /** Whether its addresses changed, or it began or ceased to fail or to be gone. */
  take(
    answer: NameAnswer,
    bounds: TtlBounds,
    { now, date, random }: { now: number; date: number; random: () => number },
  ): boolean {
    const before = this.failure
    const v4 = refuseDenied(answer.v4)
    const v6 = refuseDenied(answer.v6)
    const isMoved = this.#takeFound(v4, v6, date)
    const wasGone = this.isGone
    const failure = reasonOf(v4, v6)
    this.failure = failure
    if (failure === null) {
      this.#failures = 0
      this.dueAt = now + ttlOf([v4, v6], this.#isWatched(now) ? watched(bounds) : bounds)
      this.absentSince = null
      this.isGone = false
    } else {
      this.lastFailure = { at: date, reason: failure }
      const wait = exponentialBackoff(FIRST_RETRY_MS, this.#failures++, LONGEST_RETRY_MS)
      this.dueAt = now + wait * (0.9 + 0.2 * random())
      if (v4.kind === 'none' && v6.kind === 'none') this.#miss(now, bounds)
    }
    return isMoved || this.failure !== before || this.isGone !== wasGone
  }

  #isWatched(now: number): boolean {
    return this.watchers > 0 || now < this.doubtedUntil
  }

  /** A failed lookup in between neither ends the absence nor confirms it. */
  #miss(now: number, { holdMs }: TtlBounds): void {
    this.absentSince ??= now
    if (holdMs === null || this.addresses.length === 0) return
    this.isGone ||= now - this.absentSince >= holdMs
    if (!this.isGone) this.dueAt = Math.min(this.dueAt, this.absentSince + holdMs)
  }

  #takeFound(v4: FamilyAnswer, v6: FamilyAnswer, date: number): boolean {
    if (v4.kind !== 'found' && v6.kind !== 'found') return false
    this.resolvedAt = date
    this.#v4 = foundIn(v4, this.#v4)
    this.#v6 = foundIn(v6, this.#v6)
    const addresses = [...this.#v4, ...this.#v6]
    const isMoved = addresses.join() !== this.addresses.join()
    this.addresses = addresses
    return isMoved
  }
}

const PENDING: FamilyAnswer = { kind: 'failed', reason: '' }

/** Sorted, so that rotated records are not a change. */
function foundIn(answer: FamilyAnswer, before: readonly string[]): readonly string[] {
  if (answer.kind === 'found') return [...new Set(answer.addresses)].sort()
  // If the query of a family failed, its known addresses stay.
  return answer.kind === 'none' ? [] : before
}

/** Null if there are addresses of at least one family. */
function reasonOf(v4: FamilyAnswer, v6: FamilyAnswer): string | null {
  if (v4.kind === 'found' || v6.kind === 'found') return null
  return v6.kind === 'failed' ? v6.reason : v4.reason
}

function ttlOf(answers: readonly FamilyAnswer[], { minMs, maxMs, defaultMs }: TtlBounds): number {
  const ttls = answers.flatMap((answer) =>
    answer.kind === 'found' ? [answer.ttlMs ?? defaultMs] : [],
  )
  return Math.max(minMs, Math.min(maxMs, ...ttls))
}

function watched({ watchedMs, maxMs, ...bounds }: TtlBounds): TtlBounds {
  return { ...bounds, watchedMs, maxMs: Math.min(maxMs, watchedMs) }
}

/** Removes addresses that connections must not go to. */
function refuseDenied(answer: FamilyAnswer): FamilyAnswer {
  if (answer.kind !== 'found') return answer
  const addresses = answer.addresses.map(plainHost).filter((one) => denyHost(one) === null)
  if (addresses.length > 0) return { ...answer, addresses }
  const [first = ''] = answer.addresses
  return {
    kind: 'failed',
    reason: `it leads to ${first} only, which ${denyHost(first) ?? 'is none'}`,
  }
}
