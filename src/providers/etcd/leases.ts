/** The keys that live by a lease, and an eye on each lease: its keys are gone when it ends, not when etcd gets round to it. */
import type { ListedKey } from './list.ts'
import { createLeaseClock, shortestSeconds } from './lease-clock.ts'
import type { LeaseAnswer, LeaseClock } from './lease-clock.ts'

export interface Leases {
  /** Null: the key lives by none, or is no more. */
  note(path: string, lease: string | null): void
  /** From a list. */
  replace(keys: readonly ListedKey[]): void
  /** It has ended, and etcd has yet to remove its keys. */
  isGone(lease: string | null): boolean
  close(): void
}

export interface LeaseWorld {
  /** Null: etcd does not tell. */
  ask(lease: string): Promise<LeaseAnswer | null>
  /** Rejects unless the member that we ask has the others: one that lost them knows nothing of renewals. */
  confirm(): Promise<unknown>
  onGone(paths: readonly string[]): void
  /** What was taken for gone is not removed. */
  onDoubt(error: Error): void
}

interface Followed {
  readonly paths: Set<string>
  readonly clock: LeaseClock
  timer: NodeJS.Timeout | null
  isGone: boolean
}

/** More are left to etcd: asking for them all would cost more than the half second is worth. */
const maxFollowed = 1000
/** In the last seconds of a lease it is asked for this often; all such questions together, at most 200 times a second. */
const stepMs = 40
const stepMsEach = 5
/** What has ended is removed within half a second, or a little more after an election. */
const removedWithinMs = 3000

export function createLeases(world: LeaseWorld): Leases {
  const followed = new Map<string, Followed>()
  const leaseOf = new Map<string, string>()

  function note(path: string, lease: string | null): void {
    const before = leaseOf.get(path)
    if (before === (lease ?? undefined)) return
    if (before !== undefined) release(path, before)
    if (lease === null) return
    leaseOf.set(path, lease)
    const known = followed.get(lease)
    if (known !== undefined) return void known.paths.add(path)
    if (followed.size >= maxFollowed) return
    const paths = new Set([path])
    const one: Followed = { paths, clock: createLeaseClock(), timer: null, isGone: false }
    followed.set(lease, one)
    lookIn(0, lease, one)
  }

  function release(path: string, lease: string): void {
    leaseOf.delete(path)
    const one = followed.get(lease)
    one?.paths.delete(path)
    if (one?.paths.size === 0) forget(lease, one)
  }

  function forget(lease: string, one: Followed): void {
    if (one.timer !== null) clearTimeout(one.timer)
    if (followed.get(lease) === one) followed.delete(lease)
  }

  function lookIn(ms: number, lease: string, one: Followed): void {
    one.timer = setTimeout(() => {
      look(lease, one).catch(() => {
        // A link that is lost is noticed by others; this lease is left to etcd.
        forget(lease, one)
      })
    }, ms)
  }

  async function look(lease: string, one: Followed): Promise<void> {
    const answer = await world.ask(lease)
    if (followed.get(lease) !== one) return
    if (answer === null || (answer.leftSeconds >= 0 && answer.grantedSeconds < shortestSeconds)) {
      return forget(lease, one)
    }
    const next = one.clock.take(answer, currentStepMs())
    if (next !== 'gone') return lookIn(next, lease, one)
    await world.confirm()
    if (followed.get(lease) !== one) return
    one.isGone = true
    one.timer = setTimeout(() => {
      world.onDoubt(new Error(`lease ${lease} has ended and its keys are still there`))
    }, removedWithinMs)
    world.onGone([...one.paths])
  }

  function currentStepMs(): number {
    const close = [...followed.values()].filter(({ clock }) => clock.isClose()).length
    return Math.max(stepMs, close * stepMsEach)
  }

  return {
    note,
    replace(keys) {
      const listed = new Set(keys.map(({ entry }) => entry.path))
      for (const path of leaseOf.keys()) if (!listed.has(path)) note(path, null)
      for (const { entry, lease } of keys) note(entry.path, lease)
    },
    isGone: (lease) => lease !== null && followed.get(lease)?.isGone === true,
    close() {
      for (const [lease, one] of followed) forget(lease, one)
    },
  }
}
