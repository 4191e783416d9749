/** Settings of an etcd source, for tests that care about few of them. */
import type { EtcdSource } from '../../src/providers/etcd/source.ts'

export function etcdSource(
  endpoints: readonly string[],
  settings: Partial<EtcdSource> = {},
): EtcdSource {
  return {
    kind: 'etcd',
    name: 'etcd',
    required: true,
    shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false },
    endpoints,
    prefix: '/sluice',
    layout: 'sluice',
    username: null,
    password: null,
    tls: null,
    sealKey: null,
    ...settings,
  }
}
