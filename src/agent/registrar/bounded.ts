/** Waits of a registrar for its registry, each with a limit. */
import { RegistrarFailure } from './registrar.ts'

/** Of a call. A link that is silent for longer is replaced. */
const CALL_MS = 2_000
/** Of `remove` and `close`, and for each registration that is removed. */
const CONFIRM_MS = 2_000
const CONFIRM_EACH_MS = 10
/** Calls under way. */
export const WINDOW = 32

/** The result of a call. One that takes longer has lost its link: its result is not waited for. `doing` completes `cannot ...`. */
export async function within<T>(call: Promise<T>, doing: string, place: string): Promise<T> {
  return orLate(call, CALL_MS, () => new Error(`cannot ${doing} in ${place}: no response in time`))
}

export interface Confirmation {
  /** Completes `cannot ...`. */
  readonly doing: string
  readonly ttlMs: number
  /** How many registrations are removed. */
  readonly count: number
  /** By default as long as so many should take. */
  readonly withinMs?: number | undefined
}

/** Rejects with RegistrarFailure if the registry takes too long. */
export async function confirmed(
  done: Promise<void>,
  { doing, ttlMs, count, withinMs }: Confirmation,
): Promise<void> {
  const ms = withinMs ?? CONFIRM_MS + count * CONFIRM_EACH_MS
  const reason = `the registry has not confirmed it within ${ms / 1000} s`
  const expiry = `it expires after ${ttlMs / 1000} s`
  await orLate(done, ms, () => new RegistrarFailure(`cannot ${doing}: ${reason}; ${expiry}`))
}

async function orLate<T>(call: Promise<T>, ms: number, failure: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(failure()), ms)
  try {
    return await Promise.race([call, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** At most WINDOW at a time. Rejects with the first failure, once all that have begun have ended. */
export async function inParallel<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items].reverse()
  const work = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item)
  }
  const results = await Promise.allSettled(Array.from({ length: WINDOW }, work))
  const failed = results.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
