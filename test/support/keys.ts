/** Ways to write to a registry as `sluice put` does, from its address alone. */
import type { EtcdSource } from '../../src/providers/etcd/source.ts'
import type { RedisSource } from '../../src/providers/redis/source.ts'
import { openEmbeddedKeyStore } from '../../src/providers/embedded/embedded-provider.ts'
import { openEtcdKeyStore } from '../../src/providers/etcd/etcd-provider.ts'
import { openRedisKeyStore } from '../../src/providers/redis/redis-provider.ts'
import { openConsulKeyStore } from '../../src/providers/consul-kv/consul-kv-provider.ts'
import { openZookeeperKeyStore } from '../../src/providers/zookeeper/zookeeper-provider.ts'
import { zookeeperSource } from './zookeeper-source.ts'
import { consulKvSource } from './consul-source.ts'
import type { KeyStore } from '../../src/providers/store.ts'

const COMMON = {
  required: true,
  shrink: { holdMs: null, share: 1, allowEmpty: true },
} as const

const REGISTRY = {
  layout: 'sluice',
  username: null,
  password: null,
  tls: null,
  sealKey: null,
} as const

export async function openKeys(
  kind: 'etcd' | 'redis' | 'consul-kv' | 'zookeeper',
  endpoint: string,
  prefix: string,
): Promise<KeyStore> {
  if (kind === 'consul-kv') return openConsulKeyStore(consulKvSource([endpoint], { prefix }))
  if (kind === 'zookeeper') return openZookeeperKeyStore(zookeeperSource([endpoint], { prefix }))
  const common = { ...COMMON, ...REGISTRY, name: kind, endpoints: [endpoint], prefix }
  if (kind === 'etcd') return openEtcdKeyStore({ ...common, kind } satisfies EtcdSource)
  const spec: RedisSource = { ...common, kind, cluster: false, database: 0 }
  return openRedisKeyStore(spec)
}

export async function openStoreKeys(path: string): Promise<KeyStore> {
  return openEmbeddedKeyStore(path)
}
