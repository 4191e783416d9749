/** The catalogue of a Consul: services with tags or metadata, and their health. */
import * as z from 'zod'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, quote, type Scalar } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { splitList } from '../../model/units.ts'
import { scalar } from '../../options/fields.ts'
import {
  consulOptions,
  describeAccess,
  isName,
  readAccess,
  type ConsulAccess,
} from '../consul-api/options.ts'
import type { LabelRules } from '../labels/labelled.ts'
import { labelOptions, readLabelOptions } from '../labels/options.ts'
import { withRegistryFiles } from '../registry/options.ts'
import { readTls, tlsOption } from '../registry/tls.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'
import type { HealthStatus, InstanceRules } from './instances.ts'
import { TRAEFIK_PREFIX } from './traefik-prefix.ts'

interface ConsulOptions extends ConsulAccess, LabelRules, InstanceRules {
  /** At least one; null is the agent's own. */
  readonly datacenters: readonly (string | null)[]
}

export type ConsulSource = SourceSpec & ConsulOptions

const STATUSES = ['passing', 'warning', 'critical', 'maintenance'] as const
const MAX_DATACENTERS = 32

const client = onDemand('the client of Consul', () => import('./consul-provider.ts'))
const { datacenter: _, ...access } = consulOptions

const options = {
  ...access,
  datacenters: scalar(parseDatacenters, {
    type: ['array', 'string'],
    items: { type: 'string' },
    description:
      "The data centers to read; the agent's own by default. The servers of a service in several of them are together.",
  }).optional(),
  ...labelOptions,
  prefix: scalar(
    (value) =>
      typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)
        ? good(value)
        : bad('must be a word such as traefik'),
    {
      type: 'string',
      description: "What tags in Traefik's form begin with, as in traefik.http.routers.",
    },
  ).prefault(TRAEFIK_PREFIX),
  strictChecks: z.array(z.enum(STATUSES)).min(1).default(['passing', 'warning']).meta({
    description:
      'In which status an instance gets requests: the worst of the checks of the instance and its node; [passing, warning] by default. The others are critical and maintenance.',
  }),
  ...tlsOption,
}

export const consul: SourceKind = defineSource({
  kind: 'consul',
  description: 'The services of a Consul, by their tags.',
  options,
  read(form, complain): ConsulOptions {
    return {
      ...readAccess(form),
      ...readLabelOptions(form),
      tls: readTls(form.tls, form.endpoints.isTls, complain),
      datacenters: form.datacenters ?? [null],
      prefix: form.prefix as string,
      strictChecks: form.strictChecks as readonly HealthStatus[],
    }
  },
  locations: (spec) => [`${describeAccess(spec)}, data centers ${spec.datacenters.join()}`],
  withFiles: withRegistryFiles,
  async open(spec) {
    const { createConsulProvider } = await client.load()
    return createConsulProvider(spec)
  },
})

function parseDatacenters(value: unknown): Scalar<readonly string[]> {
  const list: unknown = typeof value === 'string' ? splitList(value) : value
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_DATACENTERS) {
    return bad(`must be a list of 1 to ${MAX_DATACENTERS} names, not ${quote(value)}`)
  }
  const wrong: unknown = list.find((one) => !isName(one))
  if (wrong !== undefined) return bad(`must be names of data centers, not ${quote(wrong)}`)
  return good([...new Set(list as readonly string[])])
}
