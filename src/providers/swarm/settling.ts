/**
 * When to read tasks again. A manager reports that a service changes, but not what its tasks do next. So after any sign of a
 * change the tasks of the service are read again after 0.2, 0.4, 0.8 and then each second, until they are as the service wants
 * them and stay so.
 */
import type { SwarmService, SwarmTask } from './api.ts'

export interface Settling {
  /** Something happens to the service. */
  hinted(id: string, now: number): void
  /** The service and its tasks, as just read; null: there is no such service. */
  read(id: string, service: SwarmService | null, tasks: readonly SwarmTask[], now: number): void
  /** The services to read again, and in how many ms. */
  next(): { readonly ids: readonly string[]; readonly afterMs: number } | null
  /** They are read again now. */
  polled(): void
}

interface Activity {
  tasks: string
  isSettled: boolean
  /** Of the last sign of a change. */
  at: number
}

const FIRST_MS = 200
/** A task that runs is in force within 1.5 s, also on another node. */
const LAST_MS = 1_000
/** Tasks that are as wanted may be so only before the change begins. */
const SETTLED_FOR_MS = 2_500
/** Tasks that do not become as wanted: no node fits, the image cannot be had. */
const GIVE_UP_MS = 60_000

export function createSettling(): Settling {
  /** By id of the service. */
  const services = new Map<string, Activity>()
  const active = new Set<string>()
  let delayMs = FIRST_MS

  function touch(id: string, now: number): Activity {
    const known = services.get(id) ?? { tasks: '', isSettled: false, at: now }
    known.at = now
    services.set(id, known)
    active.add(id)
    delayMs = FIRST_MS
    return known
  }

  return {
    hinted: (id, now) => void touch(id, now),
    read(id, service, tasks, now) {
      if (service === null) {
        services.delete(id)
        active.delete(id)
        return
      }
      const isNew = !services.has(id)
      const known = services.get(id) ?? touch(id, now)
      const text = `${service.version} ${tasks.map(({ id, state }) => `${id} ${state}`).join()}`
      if (text !== known.tasks && !isNew) touch(id, now)
      known.tasks = text
      known.isSettled = areAsWanted(service, tasks)
      const quietMs = now - known.at
      if (quietMs >= (known.isSettled ? SETTLED_FOR_MS : GIVE_UP_MS)) active.delete(id)
    },
    next: () => (active.size === 0 ? null : { ids: [...active], afterMs: delayMs }),
    polled() {
      delayMs = Math.min(LAST_MS, delayMs * 2)
    },
  }
}

function areAsWanted(service: SwarmService, tasks: readonly SwarmTask[]): boolean {
  const { replicas, isUpdating } = service
  const running = tasks.filter(({ state }) => state === 'running').length
  return !isUpdating && running === tasks.length && running === (replicas ?? running)
}
