/** Shortages of the machine in the log and the metrics: logged when one begins, with what helps, and when it has ended. */
import { helpAgainst } from '../http/connection/shortage.ts'
import type { Log } from './log.ts'

export interface Shortages {
  /** The shortage occurred so many times. */
  note(code: string, times: number): void
  /** Since the start, by code. */
  counts(): Readonly<Record<string, number>>
}

/** A shortage has ended when it did not occur for so long. */
const QUIET_MS = 10_000

interface Shortage {
  readonly begunAt: number
  times: number
  timer: NodeJS.Timeout
}

/** `now`: ms, monotonic. */
export function createShortages(
  log: Pick<Log, 'info' | 'warn'>,
  now: () => number,
  quietMs: number = QUIET_MS,
): Shortages {
  const underWay = new Map<string, Shortage>()
  const counts = new Map<string, number>()

  function end(code: string, { begunAt, times }: Shortage): void {
    underWay.delete(code)
    const seconds = Math.round((now() - begunAt) / 100) / 10
    log.info({ code, times, seconds }, `the shortage ${code} has ended: it was met ${times} times`)
  }

  return {
    note(code, times) {
      counts.set(code, (counts.get(code) ?? 0) + times)
      const known = underWay.get(code)
      if (known !== undefined) {
        known.times += times
        known.timer.refresh()
        return
      }
      const what = 'the system gives this process no more: requests that need it get 503'
      log.warn({ code }, `${code}: ${what} (OUT_OF_RESOURCES); ${helpAgainst(code)}`)
      const timer = setTimeout(() => end(code, begun), quietMs).unref()
      const begun: Shortage = { begunAt: now(), times, timer }
      underWay.set(code, begun)
    },
    counts: () => Object.fromEntries(counts),
  }
}
