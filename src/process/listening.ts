/** Which listeners listen: combines the reports of the serving threads for each listener, and logs a change once. */
import type { ListenerReport, ListenerState } from '../observe/reports/listener-report.ts'
import type { Log } from '../observe/log.ts'

export interface Listening {
  /** Takes the state of all listeners of a thread. */
  note(thread: number, states: readonly ListenerState[]): void
  /** For a thread that has ended. */
  forget(thread: number): void
  reports(): readonly ListenerReport[]
}

export function createListening(log: Log, now: () => number): Listening {
  const byThread = new Map<number, ReadonlyMap<string, ListenerState>>()
  let reports = new Map<string, ListenerReport>()

  function update(): void {
    const ids = new Set([...byThread.values()].flatMap((states) => [...states.keys()]))
    const before = reports
    reports = new Map([...ids].sort().map((id) => [id, reportOf(id, before.get(id))]))
    for (const report of reports.values()) logChange(report, before.get(report.id))
  }

  function reportOf(id: string, before: ListenerReport | undefined): ListenerReport {
    const states = [...byThread.values()].flatMap((all) => all.get(id) ?? [])
    const failing = states.find(({ reason }) => reason !== null)
    const listening = failing === undefined
    const since = before?.listening === listening ? before.since : now()
    return {
      id,
      listening,
      at: states.find(({ at }) => at !== null)?.at ?? null,
      reason: failing?.reason ?? null,
      since,
      nextTryAt: failing?.nextTryAt ?? null,
      threads: {
        listening: states.filter(({ reason }) => reason === null).length,
        // A unix socket is listened on by one thread.
        of: states.length < byThread.size && isSocket(states) ? states.length : byThread.size,
      },
    }
  }

  function isSocket(states: readonly ListenerState[]): boolean {
    return states.some(({ at }) => at?.startsWith('unix:') === true)
  }

  function logChange({ id, at, reason }: ListenerReport, before: ListenerReport | undefined): void {
    if (reason !== null) {
      if (reason !== before?.reason) log.error({ listener: id, at }, reason)
    } else if (before?.listening === false) {
      log.info({ listener: id, at }, `listener "${id}" listens as declared now`)
    }
  }

  return {
    note(thread, states) {
      byThread.set(thread, new Map(states.map((state) => [state.id, state])))
      update()
    },
    forget(thread) {
      byThread.delete(thread)
      update()
    },
    reports: () => [...reports.values()],
  }
}
