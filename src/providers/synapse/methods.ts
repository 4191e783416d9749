/** The discovery methods: where each of them finds instances. */
import { isIP } from 'node:net'
import { bracketHost, parseHost, withoutRoot } from '../../model/address.ts'
import { bad, good, isMap, quote, type JsonMap, type Scalar } from '../../model/parsed.ts'
import { parseEndpoint, parsePrefix } from '../registry/options.ts'
import type { FeedPlanner, RegistryFeed } from './feed-plan.ts'
import { hostsOf, type Form } from './form.ts'
import { readInstance, readPort, type Instance } from './instance.ts'
import type { Decode } from './registry-layout.ts'

/** What a method finds. */
export interface Found {
  /** Empty: it finds nothing, so that default servers are used. */
  readonly places: readonly string[]
  /** Beside those of places. */
  readonly fixed: readonly Instance[]
  /** Whose configuration is that of the service; null: none. */
  readonly configPlace: string | null
  /** Hosts are names whose addresses are servers of their own. */
  readonly expands: boolean
}

/** Null after a note: it cannot be read. */
export type ReadMethod = (form: Form, feeds: FeedPlanner, service: string) => Found | null

const COMMON = ['method', 'label_filter', 'label_filters']
const NOTHING: Found = { places: [], fixed: [], configPlace: null, expands: false }

export const METHODS: Readonly<Record<string, ReadMethod>> = {
  base: readBase,
  static: readBase,
  zookeeper: (form, feeds) => readZookeeper(form, feeds, false),
  zookeeper_poll: (form, feeds) => readZookeeper(form, feeds, false),
  zookeeper_dns: (form, feeds) => readZookeeper(form, feeds, true),
  zookeeper_dns_poll: (form, feeds) => readZookeeper(form, feeds, true),
  etcd: readEtcd,
  consul: readConsul,
  docker: readDocker,
  marathon: readMarathon,
  dns: readDns,
  ec2tag: readAmazon,
  awstag: readAmazon,
}

function readBase(form: Form): Found {
  form.known(COMMON)
  return NOTHING
}

function readZookeeper(form: Form, feeds: FeedPlanner, expands: boolean): Found | null {
  form.known(
    [
      ...COMMON,
      'path',
      'hosts',
      'decode',
      'generator_config_path',
      'retry_policy',
      'discovery_jitter',
    ],
    {
      ...{ polling_interval_sec: NOT_POLLED, check_interval: NOT_POLLED },
      nameserver: 'names are looked up with the DNS servers of the setting resolver',
    },
  )
  for (const key of ['retry_policy', 'discovery_jitter']) {
    if (key in form.value) form.note('hint', 'is not needed', key)
  }
  const decode = form.map('decode')
  decode?.known(['method', 'endpoint_name'])
  const method = decode?.text('method') ?? 'nerve'
  if (method !== 'nerve' && method !== 'serverset') {
    decode?.note('error', `must be nerve or serverset, not ${quote(method)}`, 'method')
    return null
  }
  const endpoint = decode?.text('endpoint_name') ?? null
  const members = { method, endpoint: method === 'serverset' ? endpoint : null } as const
  const found = readRegistry(form, feeds, 'zookeeper', hostsOf(form, 'hosts'), 2181, members)
  if (found === null) return null
  const configPath = form.text('generator_config_path')
  if (configPath === null) return { ...found.watcher, expands }
  if (configPath === 'disabled') return { ...found.watcher, configPlace: null, expands }
  const path = readPath(configPath)
  if (!path.ok) {
    form.note('error', path.reason, 'generator_config_path')
    return null
  }
  const configPlace = feeds.registry('zookeeper', found.endpoints, path.value, null)
  return { ...found.watcher, configPlace, expands }
}

const NOT_POLLED = 'is not needed: changes are pushed'

function readEtcd(form: Form, feeds: FeedPlanner): Found | null {
  form.known([...COMMON, 'host', 'port', 'hosts', 'path'])
  const port = form.read('port', readPort)
  const hosts = [...hostsOf(form, 'hosts'), ...hostsOf(form, 'host')]
  const members = { method: 'nerve', endpoint: null } as const
  return readRegistry(form, feeds, 'etcd', hosts, port ?? 2379, members)?.watcher ?? null
}

function readRegistry(
  form: Form,
  feeds: FeedPlanner,
  kind: RegistryFeed['kind'],
  hosts: readonly string[],
  port: number,
  decode: Decode,
): { readonly watcher: Found; readonly endpoints: readonly string[] } | null {
  const path = form.read('path', readPath)
  if (form.value['path'] === undefined) form.note('error', 'needs path')
  const endpoints = readEndpoints(form, hosts, port)
  if (path === null || endpoints === null) return null
  const place = feeds.registry(kind, endpoints, path, decode)
  return {
    watcher: { ...NOTHING, places: [place], configPlace: kind === 'etcd' ? null : place },
    endpoints,
  }
}

function readPath(value: unknown): Scalar<string> {
  const prefix = parsePrefix(value)
  if (!prefix.ok) return bad('must be a path such as /services/shop')
  return good(prefix.value.startsWith('/') ? prefix.value : `/${prefix.value}`)
}

function readEndpoints(
  form: Form,
  hosts: readonly string[],
  port: number,
): readonly string[] | null {
  if (hosts.length === 0) {
    form.note('error', `needs hosts, such as ["127.0.0.1:${port}"]`)
    return null
  }
  const parsed = hosts.map((one) => parseEndpoint(one.replace(/\/$/, ''), port))
  const wrong = hosts.filter((_, at) => parsed[at]?.ok !== true)
  for (const one of wrong) form.note('error', `must be host:port, not ${quote(one)}`, 'hosts')
  return wrong.length > 0 ? null : parsed.flatMap((one) => (one?.ok === true ? one.value : []))
}

function readConsul(form: Form, feeds: FeedPlanner, name: string): Found | null {
  form.known([
    ...COMMON,
    'host',
    'port',
    'hosts',
    'service',
    'tag',
    'datacenter',
    'token',
    'check_interval',
  ])
  const port = form.read('port', readPort) ?? 8500
  const hosts = [...hostsOf(form, 'hosts'), ...hostsOf(form, 'host')]
  const endpoints = readEndpoints(form, hosts.length > 0 ? hosts : ['127.0.0.1'], port)
  if (endpoints === null) return null
  const place = feeds.consul(endpoints, form.text('token'), {
    service: form.text('service') ?? name,
    tag: form.text('tag'),
    datacenter: form.text('datacenter'),
  })
  return { ...NOTHING, places: [place] }
}

function readDocker(form: Form, feeds: FeedPlanner): Found | null {
  form.known([...COMMON, 'servers', 'image_name', 'container_port'], { check_interval: NOT_POLLED })
  const image = form.text('image_name')
  const port = form.read('container_port', readPort)
  const servers = form.maps('servers')
  if (image === null || image === '' || port === null || servers.length === 0) {
    form.note('error', 'needs servers, image_name and container_port')
    return null
  }
  const places = servers.flatMap((server) => {
    server.known(['name', 'host', 'port'])
    const host = parseHost(server.text('host') ?? '')
    if (!host.ok) {
      server.note('error', host.reason, 'host')
      return []
    }
    const api = parseEndpoint(bracketHost(host.value), server.read('port', readPort) ?? 4243)
    if (api?.ok !== true) return []
    return feeds.docker(api.value, {
      image,
      port,
      name: server.text('name') ?? '',
      host: host.value,
    })
  })
  return { ...NOTHING, places }
}

const MARATHON_INTERVAL_S = 10

function readMarathon(form: Form, feeds: FeedPlanner): Found | null {
  form.known([
    ...COMMON,
    'marathon_api_url',
    'application_name',
    'check_interval',
    'port_index',
    'marathon_api_path',
  ])
  const url = URL.parse(form.text('marathon_api_url') ?? '')
  const app = form.text('application_name') ?? ''
  if (url === null || !/^https?:$/.test(url.protocol) || app === '') {
    form.note('error', 'needs marathon_api_url, such as http://marathon:8080, and application_name')
    return null
  }
  const pattern = form.text('marathon_api_path') ?? '/v2/apps/%{app}/tasks'
  const encoded = app.split('/').map(encodeURIComponent).join('/')
  const path = new URL(
    pattern.replaceAll('%{app}', encoded).replace('/v2/apps//', '/v2/apps/'),
    url,
  )
  const seconds = form.number('check_interval') ?? MARATHON_INTERVAL_S
  const portIndex = form.number('port_index') ?? 0
  const intervalMs = Math.max(1_000, seconds * 1_000)
  const place = feeds.marathon(url.origin, intervalMs, {
    path: path.pathname + path.search,
    portIndex,
  })
  return { ...NOTHING, places: [place] }
}

function readDns(form: Form, feeds: FeedPlanner): Found | null {
  form.known([...COMMON, 'servers', 'nameserver'], {
    check_interval: 'is not needed: names are looked up as their TTL says',
  })
  const nameserver = form.read(
    'nameserver',
    (value) => parseEndpoint(String(value), 53) ?? bad('must be the address of a DNS server'),
  )
  const written = form.value['servers']
  const list: readonly unknown[] = Array.isArray(written) ? written : []
  if (list.length === 0) {
    form.note('error', 'needs servers, a list of maps with host and port')
    return null
  }
  const places: string[] = []
  const fixed: Instance[] = []
  for (const [at, one] of list.entries()) {
    // A name alone: the port is that of backend_port_override.
    const map: JsonMap | null = typeof one === 'string' ? { host: one } : isMap(one) ? one : null
    const read = readInstance(map)
    if (!read.ok) {
      form.note('error', `servers.${at}: ${read.reason}`, 'servers')
      continue
    }
    const { host, port, name, labels } = read.value
    if (isIP(host) !== 0) fixed.push(read.value)
    else places.push(feeds.dns(nameserver, { host: withoutRoot(host), port, name, labels }))
  }
  return { ...NOTHING, places, fixed }
}

function readAmazon(form: Form): Found {
  form.note(
    'error',
    'tags of EC2 are not read: list the servers under default_servers, or register them with nerve, Consul or DNS',
    'method',
  )
  return NOTHING
}
