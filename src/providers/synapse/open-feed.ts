/** Opens what a feed names: the sources of Sluice where one reads the same, else a client of a few lines. */
import { hash } from 'node:crypto'
import { splitHostPort } from '../../model/address.ts'
import { isMap } from '../../model/parsed.ts'
import type { ResolverSettings, SourceSpec } from '../../model/settings.ts'
import type { DnsSource } from '../dns/source.ts'
import { etcd } from '../etcd/source.ts'
import type { DeclaredObject, Provider } from '../provider.ts'
import { zookeeper } from '../zookeeper/source.ts'
import type { DnsFeed, DnsName, Feed, RegistryFeed } from './feed-plan.ts'
import type { Instance } from './instance.ts'
import { createRegistryLayout } from './registry-layout.ts'
import { withObjects } from './with-objects.ts'

export async function openFeed(feed: Feed, resolver: ResolverSettings): Promise<Provider> {
  switch (feed.kind) {
    case 'zookeeper':
    case 'etcd':
      return openRegistry(feed, resolver)
    case 'dns':
      return openDns(feed, resolver)
    case 'docker':
      return (await import('./docker-feed.ts')).createDockerFeed(feed)
    case 'marathon':
      return (await import('./marathon-feed.ts')).createMarathonFeed(feed)
    case 'consul':
      return (await import('./consul-feed.ts')).createConsulFeed(feed)
    default:
      return feed satisfies never
  }
}

function openRegistry(feed: RegistryFeed, resolver: ResolverSettings): Promise<Provider> {
  const { kind, endpoints, prefix, paths } = feed
  const written = { kind, endpoints, prefix, layout: 'nerve' }
  const source = kind === 'etcd' ? etcd : zookeeper
  const parsed = source.parse(kind, written, { filename: '', data: '', resolver })
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '))
  return source.open(parsed.value, () => Promise.resolve(createRegistryLayout(paths)))
}

async function openDns(
  { key, nameserver, names }: DnsFeed,
  resolver: ResolverSettings,
): Promise<Provider> {
  const { createDnsProvider } = await import('../dns/dns-provider.ts')
  const byId = new Map(names.map((one) => [hash('sha1', one.place, 'hex'), one]))
  const spec: Pick<DnsSource & SourceSpec, 'name' | 'resolver' | 'readsHosts' | 'backends'> = {
    name: key,
    resolver: nameserver === null ? resolver : { ...resolver, servers: [nameserver] },
    readsHosts: nameserver === null,
    backends: [...byId].map(([id, { host, port }]) => ({
      id,
      name: host,
      type: 'A',
      scheme: 'http',
      port: port ?? UNKNOWN_PORT,
    })),
  }
  return withObjects(createDnsProvider(spec), (objects) =>
    objects.flatMap((object) => {
      const name = byId.get(object.part ?? '')
      return name === undefined ? [] : [toInstance(object, name)]
    }),
  )
}

/** In the place of one that `backend_port_override` has. */
const UNKNOWN_PORT = 1

/** With the address that the name was resolved to. */
function toInstance(
  object: DeclaredObject,
  { place, port, name, labels }: DnsName,
): DeclaredObject {
  const url = isMap(object.value) ? String(object.value['url']) : ''
  const host = splitHostPort(url.replace(/^\w+:\/\//, ''))?.host ?? ''
  const value: Instance = {
    ...{ name, port, labels, id: null, weight: null, haproxyOptions: '' },
    host: host.replace(/^\[(.*)\]$/, '$1'),
  }
  return { ...object, part: place, value }
}
