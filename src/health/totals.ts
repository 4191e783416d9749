/** Counts of all servers and breakers since the start, including removed ones: metrics sum those without series from it. */
import { NO_TALLY, type ServerTally } from '../observe/reports/health-report.ts'
import type { EjectionReason } from '../policy/health/ejector.ts'
import type { ServerState } from '../policy/health/pool-eligibility.ts'

export interface Totals {
  change(to: ServerState): void
  probe(ok: boolean): void
  ejection(reason: EjectionReason): void
  trip(): void
  tally(): ServerTally
  trips(): number
}

export function createTotals(): Totals {
  const changes = { ...NO_TALLY.changes }
  const probes = { ...NO_TALLY.probes }
  const ejections = { ...NO_TALLY.ejections }
  let trips = 0
  return {
    change(to) {
      changes[to]++
    },
    probe(ok) {
      probes[ok ? 'success' : 'failure']++
    },
    ejection(reason) {
      ejections[reason]++
    },
    trip() {
      trips++
    },
    tally: () => ({ changes, probes, ejections }),
    trips: () => trips,
  }
}
