/** Metrics about the health of servers: health, ejection, breakers, retry budgets and adaptive limits. */
import { COUNT } from '../../scoreboard/layout.ts'
import type { Family } from './families.ts'
import { PROBE_RESULTS, type BreakerReport, type ServerTally } from '../reports/health-report.ts'
import { BREAKER_STATES } from '../../policy/breaking/breaker.ts'
import { EJECTION_REASONS } from '../../policy/health/ejector.ts'
import { SERVER_STATES, type ServerState } from '../../policy/health/pool-eligibility.ts'
import type { HealthScrape } from './health-series.ts'
import { toSample, type Sample } from './samples.ts'
import { OTHER, type Labels } from './series.ts'

export const HEALTH_FAMILIES: readonly Family[] = [
  ofHealth(
    'sluice_server_up',
    'gauge',
    '1 while the state of a server is up, else 0 (see sluice_server_state)',
    ({ servers }) =>
      servers.map(({ labels, report }) => ({
        value: report.state === 'up' ? 1 : 0,
        sharedLabels: labels,
      })),
  ),
  ofHealth(
    'sluice_server_state',
    'gauge',
    `1 for the state that a server is in: ${SERVER_STATES.join(', ')}`,
    ({ servers }) =>
      servers.map(({ labels, report }) => ({
        value: 1,
        labels: { state: report.state },
        sharedLabels: labels,
      })),
  ),
  ofTallies(
    'sluice_server_state_changes_total',
    'Changes of the state of a server, by the state that it came to',
    ({ changes }) =>
      SERVER_STATES.filter((to) => changes[to] > 0 || ALARMING.has(to)).map((to) => [
        changes[to],
        { to },
      ]),
  ),
  ofTallies('sluice_server_probes_total', 'Health probes of a server, by result', ({ probes }) =>
    probes.success + probes.failure === 0
      ? []
      : PROBE_RESULTS.map((result) => [probes[result], { result }]),
  ),
  ofTallies(
    'sluice_server_ejections_total',
    'Times that a server was ejected because of its requests, by reason',
    ({ ejections }) =>
      EJECTION_REASONS.filter((reason) => ejections[reason] > 0).map((reason) => [
        ejections[reason],
        { reason },
      ]),
  ),
  {
    name: 'sluice_server_failures_total',
    type: 'counter',
    help: 'Attempts at a server that failed before a response, from the scoreboard',
    samples: ({ servers }) => servers.rows.map((row) => toSample(row, ofFailed)),
  },
  ofHealth(
    'sluice_backend_panic',
    'gauge',
    '1 while too few servers of a backend are well, and health and ejection are ignored, else 0',
    ({ panics }) => panics.map(({ labels, panics }) => ({ value: panics ? 1 : 0, labels })),
  ),
  {
    name: 'sluice_backend_retries_refused_total',
    type: 'counter',
    help: 'Retries that the budget of a backend refused, from the scoreboard',
    samples: ({ backends }) => backends.rows.map((row) => toSample(row, ofRefused)),
  },
  ofHealth(
    'sluice_breaker_state',
    'gauge',
    `1 for the state that a breaker is in: ${BREAKER_STATES.join(', ')}`,
    ({ breakers }) =>
      breakers.map((breaker) => ({
        value: 1,
        labels: { state: breaker.state },
        sharedLabels: toLabels(breaker),
      })),
  ),
  ofHealth('sluice_breaker_trips_total', 'counter', 'Times that a breaker tripped', (of) => [
    ...of.breakers.map((breaker) => ({ value: breaker.trips, labels: toLabels(breaker) })),
    ...(of.otherTrips === null ? [] : [{ value: of.otherTrips, labels: OTHER_BREAKERS }]),
  ]),
  ofHealth(
    'sluice_adaptive_limit',
    'gauge',
    'Requests that an adaptive limit allows at a time',
    ({ limits }) =>
      limits.map(({ frontend, backend, limit }) => ({
        value: limit,
        labels: { frontend: frontend ?? '', backend: backend ?? '' },
      })),
  ),
]

// States without a change are left out, except those with alerts: a rate does not see the first step of a series.
const ALARMING = new Set<ServerState>(['failing', 'down', 'ejected'])

const OTHER_BREAKERS: Labels = { frontend: OTHER, backend: OTHER, server: OTHER, condition: OTHER }

function ofHealth(
  name: string,
  type: Family['type'],
  help: string,
  samplesOf: (health: HealthScrape) => readonly Sample[],
): Family {
  return {
    name,
    type,
    help: `${help}, from the control plane`,
    samples: ({ health }) => samplesOf(health),
  }
}

function ofTallies(
  name: string,
  help: string,
  countsOf: (tally: ServerTally) => readonly (readonly [value: number, labels: Labels])[],
): Family {
  const toSamples = (tally: ServerTally, sharedLabels: Labels): readonly Sample[] =>
    countsOf(tally).map(([value, labels]) => ({ value, labels, sharedLabels }))
  return ofHealth(name, 'counter', help, ({ servers, otherServers }) => [
    ...servers.flatMap(({ labels, report }) => toSamples(report.tally, labels)),
    ...(otherServers === null ? [] : toSamples(otherServers, { backend: OTHER, server: OTHER })),
  ])
}

function ofFailed({ counts }: { readonly counts: Float64Array }): number | undefined {
  return counts[COUNT.failed]
}

function ofRefused({ counts }: { readonly counts: Float64Array }): number | undefined {
  return counts[COUNT.retriesRefused]
}

/** To Prometheus, an empty label is no label. */
function toLabels({ frontend, backend, server, condition }: BreakerReport): Labels {
  return { frontend: frontend ?? '', backend: backend ?? '', server: server ?? '', condition }
}
