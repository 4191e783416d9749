/** Servers that are no longer declared and have requests in flight: reported until those have ended. */
import type { ServerReport } from '../observe/reports/health-report.ts'
import type { MonitoredServer } from './monitored-server.ts'

export interface DrainingServers {
  add(server: MonitoredServer, since: number): void
  /** The slot belongs to another server now, or the server is declared again. */
  forget(slot: number): void
  tick(): void
  reports(): Iterable<ServerReport>
}

/** Further ones are not reported. */
const MAX_DRAINING = 1000

export function createDrainingServers(): DrainingServers {
  const draining = new Map<number, { readonly server: MonitoredServer; readonly since: number }>()

  function* reports(): Generator<ServerReport> {
    for (const { server, since } of draining.values()) {
      const reason = 'it is no longer declared'
      yield { ...server.report(), state: 'draining', since, reason, admit: 0 }
    }
  }

  return {
    add(server, since) {
      if (draining.size < MAX_DRAINING && server.inFlight > 0) {
        draining.set(server.slot.number, { server, since })
      }
    },
    forget(slot) {
      draining.delete(slot)
    },
    tick() {
      for (const [slot, { server }] of draining) if (server.inFlight <= 0) draining.delete(slot)
    },
    reports,
  }
}
