/** Runs one check at its interval, the next one only when the one before has ended, and keeps what its results mean. */
import type { CheckSpec } from '../spec/agent-spec.ts'
import { CheckShortage, runBounded, type Check } from './check.ts'
import { CheckHistory } from './check-history.ts'

export interface CheckReport {
  readonly name: string
  readonly state: 'unknown' | 'up' | 'down'
  /** Of the last run; null: it passed, or there was none. */
  readonly reason: string | null
}

export interface CheckListener {
  /** Of the state. */
  onChange(report: CheckReport): void
  /** It cannot be run, so its state stays. Called once until it can be run again. */
  onShortage(report: CheckReport): void
}

export interface CheckLoop {
  readonly spec: CheckSpec
  report(): CheckReport
  /** In place of an earlier listener. */
  listen(listener: CheckListener): void
  start(): void
  /** Ends a run that has begun. */
  stop(): void
}

/** `now`: ms, monotonic. */
export function createCheckLoop(spec: CheckSpec, check: Check, now: () => number): CheckLoop {
  const history = new CheckHistory(spec)
  let calling = new AbortController()
  let isStopped = false
  let isShort = false
  let listener: CheckListener | null = null
  let reason: string | null = null
  let timer: NodeJS.Timeout | undefined

  async function run(): Promise<void> {
    const began = now()
    calling = new AbortController()
    const result = await runBounded(check, spec.timeoutMs, calling).catch((error: unknown) => {
      if (error instanceof CheckShortage) return error
      throw error
    })
    if (isStopped) return
    note(result)
    // Its result does not change.
    if (spec.how.kind === 'noop') return
    const waitMs = Math.max(0, began + spec.intervalMs - now())
    timer = setTimeout(() => void run(), waitMs)
  }

  function note(result: string | null | CheckShortage): void {
    const wasShort = isShort
    isShort = result instanceof CheckShortage
    if (result instanceof CheckShortage) {
      reason = result.message
      if (!wasShort) listener?.onShortage(report())
      return
    }
    reason = result
    if (history.record(result === null)) listener?.onChange(report())
  }

  function report(): CheckReport {
    return { name: spec.name, state: history.state, reason }
  }

  return {
    spec,
    report,
    listen: (next) => void (listener = next),
    start: () => void run(),
    stop() {
      isStopped = true
      calling.abort()
      clearTimeout(timer)
    },
  }
}
