/**
 * Which registries, engines and zones are followed: one client for all services that are found in the same one. A *place* is
 * where the instances of a service are: a path of a ZooKeeper, an image on an engine; services may share it.
 */
import type { JsonMap } from '../../model/parsed.ts'
import type { RegistryPath } from './registry-layout.ts'

export type Feed = RegistryFeed | DockerFeed | MarathonFeed | ConsulFeed | DnsFeed

export interface RegistryFeed {
  readonly kind: 'zookeeper' | 'etcd'
  /** For people, and unique. */
  readonly key: string
  readonly endpoints: readonly string[]
  /** As of a source of its kind. */
  readonly prefix: string
  readonly paths: readonly RegistryPath[]
}

export interface DockerFeed {
  readonly kind: 'docker'
  readonly key: string
  /** `host:port` of its API. */
  readonly address: string
  readonly containers: readonly DockerContainers[]
}

export interface DockerContainers {
  readonly place: string
  /** Without its tag. */
  readonly image: string
  readonly port: number
  readonly name: string
  /** Where published ports are. */
  readonly host: string
}

export interface MarathonFeed {
  readonly kind: 'marathon'
  readonly key: string
  readonly url: string
  readonly intervalMs: number
  readonly apps: readonly MarathonApp[]
}

export interface MarathonApp {
  readonly place: string
  /** `/v2/apps/shop/tasks`. */
  readonly path: string
  readonly portIndex: number
}

export interface ConsulFeed {
  readonly kind: 'consul'
  readonly key: string
  readonly endpoints: readonly string[]
  readonly token: string | null
  readonly services: readonly ConsulService[]
}

export interface ConsulService {
  readonly place: string
  readonly service: string
  readonly tag: string | null
  readonly datacenter: string | null
}

export interface DnsFeed {
  readonly kind: 'dns'
  readonly key: string
  /** Null: those of the system. */
  readonly nameserver: string | null
  readonly names: readonly DnsName[]
}

export interface DnsName {
  readonly place: string
  readonly host: string
  readonly port: number | null
  readonly name: string
  readonly labels: JsonMap
}

interface Cluster {
  readonly kind: RegistryFeed['kind']
  readonly endpoints: readonly string[]
  readonly paths: Map<string, RegistryPath>
}

/** Collects what the services of a configuration need. Each `add` returns the place. */
export interface FeedPlanner {
  registry(
    kind: RegistryFeed['kind'],
    endpoints: readonly string[],
    path: string,
    decode: RegistryPath['decode'],
  ): string
  docker(address: string, containers: Omit<DockerContainers, 'place'>): string
  marathon(url: string, intervalMs: number, app: Omit<MarathonApp, 'place'>): string
  consul(
    endpoints: readonly string[],
    token: string | null,
    service: Omit<ConsulService, 'place'>,
  ): string
  dns(nameserver: string | null, name: Omit<DnsName, 'place'>): string
  feeds(): readonly Feed[]
}

export function createFeedPlanner(): FeedPlanner {
  const clusters = new Map<string, Cluster>()
  const others = new Map<string, Feed>()

  /** `place` of an entry in a list of the feed with this key. */
  function add<One extends { readonly place: string }>(
    key: string,
    entry: Omit<One, 'place'>,
    listOf: (feed: Feed | undefined) => readonly One[],
    make: (list: readonly One[]) => Feed,
  ): string {
    const place = `${key} ${JSON.stringify(entry)}`
    const list = listOf(others.get(key))
    if (list.some((one) => one.place === place)) return place
    others.set(key, make([...list, { ...entry, place } as unknown as One]))
    return place
  }

  return {
    registry(kind, endpoints, path, decode) {
      const sorted = [...new Set(endpoints)].sort()
      const key = `${kind} ${sorted.join(',')}`
      const place = `${key} ${path}${decode === null ? '' : ` ${decode.method} ${decode.endpoint ?? ''}`}`
      const cluster = clusters.get(key) ?? { kind, endpoints: sorted, paths: new Map() }
      clusters.set(key, cluster)
      cluster.paths.set(place, { place, path, decode })
      return place
    },
    docker: (address, containers) =>
      add<DockerContainers>(
        `docker ${address}`,
        containers,
        (feed) => (feed?.kind === 'docker' ? feed.containers : []),
        (list) => ({ kind: 'docker', key: `docker ${address}`, address, containers: list }),
      ),
    marathon: (url, intervalMs, app) =>
      add<MarathonApp>(
        `marathon ${url}`,
        app,
        (feed) => (feed?.kind === 'marathon' ? feed.apps : []),
        (apps) => ({ kind: 'marathon', key: `marathon ${url}`, url, intervalMs, apps }),
      ),
    consul(endpoints, token, service) {
      const key = `consul ${endpoints.join(',')}`
      return add<ConsulService>(
        key,
        service,
        (feed) => (feed?.kind === 'consul' ? feed.services : []),
        (services) => ({ kind: 'consul', key, endpoints, token, services }),
      )
    },
    dns(nameserver, name) {
      const key = `dns ${nameserver ?? 'of the system'}`
      return add<DnsName>(
        key,
        name,
        (feed) => (feed?.kind === 'dns' ? feed.names : []),
        (names) => ({ kind: 'dns', key, nameserver, names }),
      )
    },
    feeds: () => [
      ...[...clusters].flatMap(([key, { kind, endpoints, paths }]) =>
        splitPaths([...paths.values()]).map(([prefix, below]): RegistryFeed => ({
          kind,
          key: `${key} ${prefix}`,
          endpoints,
          prefix,
          paths: below,
        })),
      ),
      ...others.values(),
    ],
  }
}

/**
 * One session is enough for all paths with a folder in common. It is the folder above the paths, if there is one, so that
 * the data of the paths themselves are keys, too.
 */
function splitPaths(
  paths: readonly RegistryPath[],
): readonly (readonly [prefix: string, paths: readonly RegistryPath[]])[] {
  const byTop = new Map<string, RegistryPath[]>()
  for (const one of paths) {
    const [, top = ''] = one.path.split('/')
    byTop.set(top, [...(byTop.get(top) ?? []), one])
  }
  return [...byTop.values()].map((group) => {
    const prefix = commonFolder(group.map(({ path }) => path))
    const below = group.map((one) => ({ ...one, path: one.path.slice(prefix.length + 1) }))
    return [prefix, below] as const
  })
}

/** `/a/b` of `/a/b/c` and `/a/b/d`; of one path of one segment, the path itself. */
function commonFolder(paths: readonly string[]): string {
  const [first = [], ...rest] = paths.map((path) => path.split('/').slice(1))
  let length = first.length
  for (const other of rest) {
    let same = 0
    while (same < length && same < other.length && other[same] === first[same]) same += 1
    length = same
  }
  const isWhole = paths.some((path) => path.split('/').length - 1 === length)
  const kept = isWhole ? Math.max(1, length - 1) : length
  return `/${first.slice(0, kept).join('/')}`
}
