/** Which tasks get requests: those that run and are healthy, and during a deployment those that are ready. */
import type { MarathonApp, MarathonTask } from './app.ts'

export interface Readiness {
  isServing(app: MarathonApp, task: MarathonTask): boolean
  /** Forgets other tasks than those of these apps, once there are too many of them. */
  retain(apps: Iterable<MarathonApp>, taskCount: number): void
}

/**
 * A new leader has no results of health and readiness checks until it has checked each task by itself, and some never come. A
 * task without a result therefore keeps the last one that it had. If none is known, as after a start of Sluice, it is healthy
 * once it has run for longer than its first result can take: then the result is lost.
 *
 * `date`: ms since the epoch.
 */
export function createReadiness(date: () => number): Readiness {
  const health = new Map<string, boolean>()
  const readiness = new Map<string, boolean>()

  function isHealthy(app: MarathonApp, { id, alive, startedAt }: MarathonTask): boolean {
    if (app.healthChecks.length === 0) return true
    const last = settle(health, id, alive)
    return last ?? (startedAt !== null && date() - startedAt > longestWaitMs(app))
  }

  function isReady(app: MarathonApp, { id, version }: MarathonTask): boolean {
    const last = settle(readiness, id, app.readiness.get(id) ?? null)
    // Readiness checks matter during deployments only, to the tasks that these start.
    if (!app.hasReadinessChecks || !app.isDeploying) return true
    return last ?? version !== app.version
  }

  return {
    isServing(app, task) {
      // Both, because each remembers.
      const [isWell, isUsed] = [isHealthy(app, task), isReady(app, task)]
      return isRunning(task) && isWell && isUsed
    },
    retain(apps, taskCount) {
      if (Math.max(health.size, readiness.size) <= 2 * taskCount) return
      const there = new Set<string>()
      for (const { tasks } of apps) for (const { id } of tasks) there.add(id)
      for (const known of [health, readiness]) {
        for (const id of known.keys()) if (!there.has(id)) known.delete(id)
      }
    },
  }
}

/** The last result; null: there was none. */
function settle(known: Map<string, boolean>, id: string, result: boolean | null): boolean | null {
  if (result !== null) known.set(id, result)
  return result ?? known.get(id) ?? null
}

/** Clocks of Marathon and Sluice differ, and results take their time. */
const MARGIN_MS = 30_000

/** From the start of a task to its first result. */
function longestWaitMs({ healthChecks }: MarathonApp): number {
  const waits = healthChecks.map(
    ({ gracePeriodSeconds, intervalSeconds, timeoutSeconds }) =>
      gracePeriodSeconds + intervalSeconds + timeoutSeconds,
  )
  return Math.max(...waits) * 1_000 + MARGIN_MS
}

/**
 * A task in TASK_KILLING finishes its requests and gets no new ones. TASK_UNREACHABLE and TASK_LOST: its agent is away, and
 * Marathon starts another task by the app's unreachableStrategy. Before version 1.0 tasks have no state: only those that have
 * started are running.
 */
function isRunning({ state, startedAt }: MarathonTask): boolean {
  return state === null ? startedAt !== null : state === 'TASK_RUNNING'
}
