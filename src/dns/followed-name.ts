/**
 * One name: where it leads, and when it is looked up next. Pure; time and chance are arguments.
 *
 *   new --> looked up --found--> resolved until its TTL is over --> looked up ...
 *                     \--none, failed--> the last good addresses stay, looked up again after 1, 2, 4, 8, 10 s
 */
import { denyHost } from '../model/denied-address.ts'
import { plainHost } from '../model/ip.ts'
import type { FamilyAnswer, NameAnswer } from './answer.ts'

export interface TtlBounds {
  readonly minMs: number
  readonly maxMs: number
  /** Where none is known: hosts, the system's resolver. */
  readonly defaultMs: number
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
  /** How many want it followed without end. */
  holders = 0
  /** Somebody asked for it last, of the monotonic clock. */
  touchedAt: number
  isLookedUp = false
  /** Of the monotonic clock. */
  dueAt: number
  /** ms since the epoch; null: never. */
  resolvedAt: number | null = null
  lastFailure: NameFailure | null = null
  /** Why the last look-up failed; null: it did not. */
  failure: string | null = null
  addresses: readonly string[] = []
  #failures = 0
  #v4: readonly string[] = []
  #v6: readonly string[] = []

  constructor(name: string, now: number) {
    this.name = name
    this.touchedAt = now
    this.dueAt = now
  }

  /** It failed before: it may do so again, and take long. */
  get isSuspect(): boolean {
    return this.#failures > 0
  }

  get isKnown(): boolean {
    return this.addresses.length > 0 || this.failure !== null
  }

  /** What has come of an answer while the rest of it is awaited. Only a name without addresses needs it. */
  takePart(part: Partial<NameAnswer>, date: number): boolean {
    if (this.addresses.length > 0) return false
    const { v4 = PENDING, v6 = PENDING } = part
    return this.#takeFound(refuseDenied(v4), refuseDenied(v6), date)
  }

  /** Whether it leads elsewhere than before, or is failing now, or is no longer. */
  take(
    answer: NameAnswer,
    bounds: TtlBounds,
    { now, date, random }: { now: number; date: number; random: () => number },
  ): boolean {
    const before = this.failure
    const v4 = refuseDenied(answer.v4)
    const v6 = refuseDenied(answer.v6)
    const isMoved = this.#takeFound(v4, v6, date)
    const failure = reasonOf(v4, v6)
    this.failure = failure
    if (failure === null) {
      this.#failures = 0
      this.dueAt = now + ttlOf([v4, v6], bounds)
    } else {
      this.lastFailure = { at: date, reason: failure }
      const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 8))
      this.dueAt = now + wait * (0.9 + 0.2 * random())
    }
    return isMoved || this.failure !== before
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

/** Sorted, so that a server which turns its records round tells nothing new. */
function foundIn(answer: FamilyAnswer, before: readonly string[]): readonly string[] {
  if (answer.kind === 'found') return [...new Set(answer.addresses)].sort()
  // Of a family that could not be asked for, what was known stays.
  return answer.kind === 'none' ? [] : before
}

/** Null when there are addresses, if only of one family. */
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

/** Removes the addresses that no connection is made to. */
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
