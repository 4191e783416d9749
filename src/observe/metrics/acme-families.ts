/** The metrics of ordered certificates. The number of series is that of the states and of the issuers. */
import { ACME_STATES } from '../reports/acme-report.ts'
import type { Family } from './families.ts'

export const ACME_FAMILIES: readonly Family[] = [
  {
    name: 'sluice_acme_names',
    type: 'gauge',
    help: 'Names whose certificates are ordered, by state, see /api/certificates; from the control plane',
    samples: ({ status: { acme } }) =>
      acme.names.length === 0
        ? []
        : ACME_STATES.map((state) => ({
            value: acme.names.filter((one) => one.state === state).length,
            labels: { state },
          })),
  },
  {
    name: 'sluice_acme_orders_total',
    type: 'counter',
    help: 'Orders of certificates of this instance, by issuer and result, from the control plane',
    samples: ({ status: { acme } }) =>
      acme.orders.flatMap(({ directory, issued, failed }) => {
        const issuer = new URL(directory).hostname
        return [
          { value: issued, labels: { issuer, result: 'issued' } },
          { value: failed, labels: { issuer, result: 'failed' } },
        ]
      }),
  },
  {
    name: 'sluice_acme_next_renewal_timestamp_seconds',
    type: 'gauge',
    help: 'When the next certificate is renewed, in seconds since the epoch, from the control plane',
    samples: ({ status: { acme } }) => {
      const moments = acme.names.flatMap(({ renewsAt }) => renewsAt ?? [])
      return moments.length === 0 ? [] : [{ value: Math.min(...moments) / 1000, labels: {} }]
    },
  },
  {
    name: 'sluice_acme_registry_failing',
    type: 'gauge',
    help: '1 while the registry of certificates cannot be used, so that none is ordered; from the control plane',
    samples: ({ status: { acme } }) =>
      acme.names.length === 0 && acme.storeError === null
        ? []
        : [{ value: acme.storeError === null ? 0 : 1, labels: {} }],
  },
]
