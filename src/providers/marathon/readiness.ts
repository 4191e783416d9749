/** Which tasks get requests: those that run and are healthy, and during a deployment those that are ready. */
import type { MarathonApp, MarathonTask } from './app.ts'

export interface Readiness {
  isServing(app: MarathonApp, task: MarathonTask): boolean
  /** Forgets other tasks than those of these apps, once there are too many of them. */
  retain(apps: Iterable<MarathonApp>, taskCount: number): void
}

/**
 * A new leader has no results of health and readiness checks until it has checked each task by itself, which takes as long as
 * their interval. A task without a result therefore keeps the last one that it had.
 */
export function createReadiness(): Readiness {
  const healthy = new Set<string>()
  const ready = new Set<string>()

  function isHealthy({ healthChecks }: MarathonApp, { id, alive }: MarathonTask): boolean {
    if (healthChecks.length === 0) return true
    return settle(healthy, id, alive)
  }

  function isReady(app: MarathonApp, { id, version }: MarathonTask): boolean {
    const result = app.readiness.get(id) ?? null
    // Readiness checks matter during deployments only, to the tasks that these start.
    if (!app.hasReadinessChecks || !app.isDeploying) return true
    return settle(ready, id, result) || (result === null && version !== app.version)
  }

  return {
    isServing(app, task) {
      // Both, because each remembers.
      const [isWell, isUsed] = [isHealthy(app, task), isReady(app, task)]
      return isRunning(task) && isWell && isUsed
    },
    retain(apps, taskCount) {
      if (Math.max(healthy.size, ready.size) <= 2 * taskCount) return
      const there = new Set<string>()
      for (const { tasks } of apps) for (const { id } of tasks) there.add(id)
      for (const known of [healthy, ready]) {
        for (const id of known) if (!there.has(id)) known.delete(id)
      }
    },
  }
}

function settle(known: Set<string>, id: string, result: boolean | null): boolean {
  if (result === true) known.add(id)
  if (result === false) known.delete(id)
  return known.has(id)
}

/**
 * A task in TASK_KILLING finishes its requests and gets no new ones. TASK_UNREACHABLE and TASK_LOST: its agent is away, and
 * Marathon starts another task by the app's unreachableStrategy. Before version 1.0 tasks have no state: only those that have
 * started are running.
 */
function isRunning({ state, hasStarted }: MarathonTask): boolean {
  return state === null ? hasStarted : state === 'TASK_RUNNING'
}
