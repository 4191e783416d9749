/**
 * Which servers, breakers and limits get series at a scrape. A server has them if it has series from the scoreboard; at most
 * `limit` breakers and limits do. The others are summed: the totals of the health monitor minus the gains of those that are
 * shown, scrape by scrape, so that no counter ever falls.
 */
import type {
  BreakerReport,
  HealthView,
  LimitReport,
  ServerReport,
} from '../reports/health-report.ts'
import { NO_TALLY, PROBE_RESULTS, type ServerTally } from '../reports/health-report.ts'
import { EJECTION_REASONS } from '../../policy/health/ejector.ts'
import { SERVER_STATES } from '../../policy/health/pool-eligibility.ts'
import type { Row } from './series.ts'

export interface HealthScrape {
  readonly servers: readonly ServerSample[]
  /** Null while every server has its own series. */
  readonly otherServers: ServerTally | null
  /** Labels of backends, and whether each panics. */
  readonly panics: readonly { readonly labels: Row['labels']; readonly panics: boolean }[]
  readonly breakers: readonly BreakerReport[]
  readonly otherTrips: number | null
  readonly limits: readonly LimitReport[]
}

export interface ServerSample {
  readonly labels: Row['labels']
  readonly report: ServerReport
}

export type HealthReader = (servers: readonly Row[], backends: readonly Row[]) => HealthScrape

export const NO_HEALTH: HealthView = {
  server: () => null,
  panics: () => false,
  tally: () => NO_TALLY,
  trips: () => 0,
  breakers: () => [],
  limits: () => [],
}

export function createHealthReader(health: HealthView, limit: number): HealthReader {
  const serversBeyond = createRemainder()
  const tripsBeyond = createRemainder()

  return (serverRows, backendRows) => {
    const servers = serverRows.flatMap(({ labels, slot }) => {
      const report = slot === null ? null : health.server(slot)
      return report === null ? [] : [{ labels, report }]
    })
    const gains = servers.map(({ labels, report }): Gain => [
      `${labels['server']} ${labels['backend']}`,
      toCounts(report.tally),
    ])
    const others = serversBeyond(gains, toCounts(health.tally()))
    const all = distinctBreakers(health.breakers())
    const breakers = all.slice(0, limit)
    const trips = tripsBeyond(
      breakers.map((breaker) => [identityOf(breaker), [breaker.trips]]),
      [health.trips()],
    )
    const hasOthers = serverRows.some(({ slot }) => slot === null)
    return {
      servers,
      otherServers: hasOthers ? toTally(others) : null,
      panics: backendRows.flatMap(({ labels, slot }) =>
        slot === null ? [] : [{ labels, panics: health.panics(slot) }],
      ),
      breakers,
      otherTrips: all.length > limit ? (trips[0] ?? 0) : null,
      limits: distinctLimits(health.limits()).slice(0, limit),
    }
  }
}

type Gain = readonly [identity: string, counts: readonly number[]]

/** The part of the totals that the shown objects did not gain. */
function createRemainder(): (shown: readonly Gain[], all: readonly number[]) => readonly number[] {
  let before = new Map<string, readonly number[]>()
  let allBefore: readonly number[] = []
  let rest: readonly number[] = []

  return (shown, all) => {
    const gained = all.map((count, at) => count - (allBefore[at] ?? 0))
    for (const [identity, counts] of shown) {
      const known = before.get(identity) ?? []
      counts.forEach((count, at) => {
        // Less than before: the object was removed and declared again.
        const last = known[at] ?? 0
        gained[at] = (gained[at] ?? 0) - (count >= last ? count - last : count)
      })
    }
    before = new Map(shown)
    allBefore = all
    rest = gained.map((count, at) => (rest[at] ?? 0) + Math.max(0, count))
    return rest
  }
}

function toCounts({ changes, probes, ejections }: ServerTally): readonly number[] {
  return [
    ...SERVER_STATES.map((state) => changes[state]),
    ...PROBE_RESULTS.map((result) => probes[result]),
    ...EJECTION_REASONS.map((reason) => ejections[reason]),
  ]
}

function toTally(counts: readonly number[]): ServerTally {
  let at = 0
  const next = (): number => counts[at++] ?? 0
  return {
    changes: {
      unknown: next(),
      up: next(),
      failing: next(),
      down: next(),
      draining: next(),
      ejected: next(),
    },
    probes: { success: next(), failure: next() },
    ejections: { failures: next(), errors: next(), 'success-rate': next() },
  }
}

/** The same breaker twice in a chain would be the same series twice. */
function distinctBreakers(breakers: Iterable<BreakerReport>): readonly BreakerReport[] {
  return [...new Map(Array.from(breakers, (one) => [identityOf(one), one])).values()]
}

function identityOf({ frontend, backend, server, condition }: BreakerReport): string {
  return JSON.stringify([frontend, backend, server, condition])
}

function distinctLimits(limits: Iterable<LimitReport>): readonly LimitReport[] {
  const found = new Map<string, LimitReport>()
  for (const one of limits) found.set(JSON.stringify([one.frontend, one.backend]), one)
  return [...found.values()]
}
