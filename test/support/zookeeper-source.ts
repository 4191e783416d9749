/** Settings of a ZooKeeper source, for tests that care about few of them. */
import type { ZookeeperSource } from '../../src/providers/zookeeper/source.ts'

export function zookeeperSource(
  endpoints: readonly string[],
  settings: Partial<ZookeeperSource> = {},
): ZookeeperSource {
  return {
    kind: 'zookeeper',
    name: 'zookeeper',
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
