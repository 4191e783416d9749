/** Every kind of source that settings can name, one line each. */
import type { SourceSpec } from '../../model/settings.ts'
import { certificates } from '../certificates/source.ts'
import { consul } from '../consul/source.ts'
import { consulKv } from '../consul-kv/source.ts'
import { directory } from '../directory/source.ts'
import { dns } from '../dns/source.ts'
import { docker } from '../docker/source.ts'
import { embedded } from '../embedded/source.ts'
import { etcd } from '../etcd/source.ts'
import { http } from '../http/source.ts'
import { marathon } from '../marathon/source.ts'
import type { Provider } from '../provider.ts'
import { redis } from '../redis/source.ts'
import { swarm } from '../swarm/source.ts'
import { swarmStandalone } from '../swarm-standalone/source.ts'
import { synapse } from '../synapse/source.ts'
import { loadLayout } from './layouts.ts'
import type { SourceKind } from '../source-kind.ts'
import { zookeeper } from '../zookeeper/source.ts'

export const SOURCE_KINDS: readonly SourceKind[] = [
  ...[etcd, redis, consul, consulKv, zookeeper, docker, swarm, marathon, dns],
  swarmStandalone,
  synapse,
  ...[http, directory, certificates, embedded],
]

/** That of a spec, which one of the kinds has parsed. */
export function sourceKindOf({ name, kind }: SourceSpec): SourceKind {
  const found = SOURCE_KINDS.find((one) => one.kind === kind)
  if (found === undefined) throw new Error(`source "${name}" has the unknown kind "${kind}"`)
  return found
}

export function openSource(spec: SourceSpec): Promise<Provider> {
  return sourceKindOf(spec).open(spec, loadLayout)
}
