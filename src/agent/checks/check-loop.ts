/** Runs one check at its interval, the next one only when the one before has ended, and keeps what its results mean. */
import type { CheckSpec } from '../spec/agent-spec.ts'
import { runBounded, type Check } from './check.ts'
import { CheckHistory } from './check-history.ts'

export interface CheckReport {
  readonly name: string
  readonly state: 'unknown' | 'up' | 'down'
  /** Of the last run; null: it passed, or there was none. */
  readonly reason: string | null
}

export interface CheckLoop {
  readonly spec: CheckSpec
  report(): CheckReport
  /** In place of an earlier listener; it learns of changes of the state. */
  listen(onChange: (report: CheckReport) => void): void
  start(): void
  /** Ends a run that has begun. */
  stop(): void
}

/** `now`: ms, monotonic. */
export function createCheckLoop(spec: CheckSpec, check: Check, now: () => number): CheckLoop {
  const history = new CheckHistory(spec)
  let calling = new AbortController()
  let isStopped = false
  let onChange: (report: CheckReport) => void = () => {}
  let reason: string | null = null
  let timer: NodeJS.Timeout | undefined

  async function run(): Promise<void> {
    const began = now()
    calling = new AbortController()
    const result = await runBounded(check, spec.timeoutMs, calling)
    if (isStopped) return
    reason = result
    if (history.record(result === null)) onChange(report())
    // Its result does not change.
    if (spec.how.kind === 'noop') return
    const waitMs = Math.max(0, began + spec.intervalMs - now())
    timer = setTimeout(() => void run(), waitMs)
  }

  function report(): CheckReport {
    return { name: spec.name, state: history.state, reason }
  }

  return {
    spec,
    report,
    listen: (next) => void (onChange = next),
    start: () => void run(),
    stop() {
      isStopped = true
      calling.abort()
      clearTimeout(timer)
    },
  }
}
