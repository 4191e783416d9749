/** The clients of registries, each loaded when a source of its kind is named: etcd's alone would be 34 MB and 0.17 s of every start. */
import { onDemand, type OnDemand } from '../../model/on-demand.ts'
import type * as embedded from '../embedded/embedded-provider.ts'
import type * as etcd from '../etcd/etcd-provider.ts'
import type * as redis from '../redis/redis-provider.ts'

export const etcdClient: OnDemand<typeof etcd> = onDemand(
  'the client of etcd',
  () => import('../etcd/etcd-provider.ts'),
)

export const redisClient: OnDemand<typeof redis> = onDemand(
  'the client of Redis',
  () => import('../redis/redis-provider.ts'),
)

export const embeddedStore: OnDemand<typeof embedded> = onDemand(
  'the embedded store',
  () => import('../embedded/embedded-provider.ts'),
)
