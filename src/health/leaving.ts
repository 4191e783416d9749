/** Servers that are no longer declared and still have requests under way: shown until those have ended. */
import type { ServerReport } from '../observe/guard-report.ts'
import type { GuardedServer } from './server.ts'

export interface Leaving {
  add(server: GuardedServer, since: number): void
  /** The slot is another's now, or the server is back. */
  forget(slot: number): void
  tick(): void
  reports(): Iterable<ServerReport>
}

/** More are not worth remembering. */
const MOST = 1000

export function createLeaving(): Leaving {
  const leaving = new Map<number, { readonly server: GuardedServer; readonly since: number }>()

  function* reports(): Generator<ServerReport> {
    for (const { server, since } of leaving.values()) {
      const reason = 'it is no longer declared'
      yield { ...server.report(), state: 'draining', since, reason, admit: 0 }
    }
  }

  return {
    add(server, since) {
      if (leaving.size < MOST && server.inFlight > 0) {
        leaving.set(server.slot.number, { server, since })
      }
    },
    forget(slot) {
      leaving.delete(slot)
    },
    tick() {
      for (const [slot, { server }] of leaving) if (server.inFlight <= 0) leaving.delete(slot)
    },
    reports,
  }
}
