/** The metrics of scaling. The number of series is that of the backends with `scale`. */
import type { BackendScaleReport } from '../reports/scale-report.ts'
import type { Family, Scrape } from './families.ts'
import type { Sample } from './samples.ts'

export const SCALE_FAMILIES: readonly Family[] = [
  {
    name: 'sluice_scale_acting',
    type: 'gauge',
    help: '1 while this instance may change numbers of replicas, from the control plane',
    samples: ({ status: { scale } }) =>
      scale.backends.length === 0 ? [] : [{ value: scale.acting ? 1 : 0, labels: {} }],
  },
  gauge(
    'sluice_scale_replicas_desired',
    'Replicas of a backend by the last decision, from the control plane',
    ({ desired }) => desired,
  ),
  gauge(
    'sluice_scale_replicas_observed',
    'Replicas of a backend as its provider says; no sample while that is unknown; from the control plane',
    ({ observed }) => observed,
  ),
  gauge(
    'sluice_scale_replicas_ready',
    'Servers of a backend with scale that take requests, from the scoreboard',
    ({ ready }) => ready,
  ),
  gauge(
    'sluice_scale_replicas_min',
    'The least replicas of a backend, as declared',
    ({ min }) => min,
  ),
  gauge(
    'sluice_scale_replicas_max',
    'The most replicas of a backend, as declared',
    ({ max }) => max,
  ),
  gauge(
    'sluice_scale_panic',
    '1 while a sudden load keeps a backend from scaling down, from the control plane',
    ({ panic }) => (panic ? 1 : 0),
  ),
  {
    name: 'sluice_scale_decisions_total',
    type: 'counter',
    help: 'Decisions to scale a backend that its provider took, or that a dry run kept from it, by direction and reason; from the control plane',
    samples: (of) =>
      each(of, ({ backend, counts }) =>
        counts.decisions.map(({ direction, reason, count }) => ({
          value: count,
          labels: { backend, direction, reason },
        })),
      ),
  },
  {
    name: 'sluice_scale_failures_total',
    type: 'counter',
    help: 'Calls of a provider that failed, to set replicas or to observe them, and queries of Prometheus, from the control plane',
    samples: (of) =>
      each(of, ({ backend, prometheus, counts: { failures } }) => {
        const queries = prometheus === null ? {} : { prometheus: prometheus.failures }
        return Object.entries({ ...failures, ...queries }).map(([call, value]) => ({
          value,
          labels: { backend, call },
        }))
      }),
  },
]

function gauge(
  name: string,
  help: string,
  read: (report: BackendScaleReport) => number | null,
): Family {
  return {
    name,
    type: 'gauge',
    help,
    samples: (of) =>
      each(of, (report) => {
        const value = read(report)
        return value === null ? [] : [{ value, labels: { backend: report.backend } }]
      }),
  }
}

function each(
  { status: { scale } }: Scrape,
  samples: (report: BackendScaleReport) => readonly Sample[],
): readonly Sample[] {
  return scale.backends.flatMap(samples)
}
