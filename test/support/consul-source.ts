/** Settings of the sources that read a Consul, for tests that care about few of them. */
import type { ConsulSource } from '../../src/providers/consul/source.ts'
import type { ConsulKvSource } from '../../src/providers/consul-kv/source.ts'

const COMMON = {
  required: true,
  shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false },
  tls: null,
  token: null,
  datacenter: null,
  namespace: null,
  partition: null,
  stale: false,
} as const

export function consulKvSource(
  endpoints: readonly string[],
  settings: Partial<ConsulKvSource> = {},
): ConsulKvSource {
  return {
    ...COMMON,
    kind: 'consul-kv',
    name: 'consul-kv',
    endpoints,
    prefix: 'sluice',
    layout: 'sluice',
    username: null,
    password: null,
    sealKey: null,
    ...settings,
  }
}

export function consulSource(
  endpoints: readonly string[],
  settings: Partial<ConsulSource> = {},
): ConsulSource {
  return {
    ...COMMON,
    kind: 'consul',
    name: 'consul',
    endpoints,
    datacenters: [null],
    exposedByDefault: false,
    constraint: null,
    defaultRule: null,
    listen: null,
    virtualHost: false,
    prefix: 'traefik',
    strictChecks: ['passing', 'warning'],
    ...settings,
  }
}
