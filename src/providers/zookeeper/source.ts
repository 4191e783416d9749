/** An Apache ZooKeeper, alone or an ensemble. */
import * as z from 'zod'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, type Scalar } from '../../model/parsed.ts'
import type { SourceSpec } from '../../model/settings.ts'
import { splitList } from '../../model/units.ts'
import { scalar, text } from '../../options/fields.ts'
import {
  checkLogin,
  parseEndpoints,
  parsePrefix,
  readRegistry,
  registryLocation,
  registryOptions,
  withRegistryFiles,
  type RegistryOptions,
} from '../registry/options.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'

/** `prefix`: the whole path of a znode, the chroot included. */
export type ZookeeperSource = SourceSpec & RegistryOptions

export interface ConnectString {
  readonly endpoints: readonly string[]
  /** '' or as `/lb`. */
  readonly chroot: string
}

const NORMAL_PORT = 2181

const client = onDemand('the client of ZooKeeper', () => import('./zookeeper-provider.ts'))

/** Of the registry, with a chroot. */
export const connectString: z.ZodType<ConnectString> = scalar(parseConnectString, {
  type: ['array', 'string'],
  items: { type: 'string' },
  description: `A list, or text with commas, of host:${NORMAL_PORT}; a chroot follows the last: zk1:${NORMAL_PORT},zk2:${NORMAL_PORT}/lb.`,
})

export const zookeeper: SourceKind = defineSource({
  kind: 'zookeeper',
  description: 'A ZooKeeper, alone or an ensemble.',
  options: {
    endpoints: connectString,
    ...registryOptions,
    scheme: z
      .enum(['http', 'https', 'h2c'])
      .default('http')
      .meta({ description: 'Of the members of services.' }),
    endpointName: text(
      'Of server sets: the additional endpoint to use instead of the service endpoint.',
      256,
    ).optional(),
  },
  read(form, complain): RegistryOptions {
    const { username = null, password = null } = form
    checkLogin({ username, password }, complain)
    const { endpoints, chroot } = form.endpoints
    const registry = readRegistry(form, false, complain)
    const prefix = `${chroot}/${registry.prefix.replace(/^\//, '')}`
    const members = { scheme: form.scheme, endpoint: form.endpointName ?? null }
    return { ...registry, endpoints, prefix, username, password, members }
  },
  locations: (spec) => [registryLocation(spec, '')],
  withFiles: withRegistryFiles,
  async open(spec, loadLayout) {
    const { createZookeeperProvider } = await client.load()
    return createZookeeperProvider(spec, await loadLayout(spec))
  },
  keys: {
    open: async (spec) => (await client.load()).openZookeeperKeyStore(spec),
    layout: (spec) => spec,
  },
})

/** Each entry of a list may have the chroot, but no two another one. */
function parseConnectString(value: unknown): Scalar<ConnectString> {
  const written: unknown = typeof value === 'string' ? splitList(value) : value
  const hosts: unknown[] = []
  const chroots = new Set<string>()
  for (const one of Array.isArray(written) ? (written as readonly unknown[]) : []) {
    const slash = typeof one === 'string' ? one.indexOf('/') : -1
    if (typeof one !== 'string' || slash < 0) {
      hosts.push(one)
      continue
    }
    hosts.push(one.slice(0, slash))
    const chroot = one.slice(slash).trim().replace(/\/$/, '')
    if (chroot !== '') chroots.add(chroot)
  }
  const endpoints = parseEndpoints(Array.isArray(written) ? hosts : written, NORMAL_PORT)
  if (!endpoints.ok) return endpoints
  if (chroots.size > 1) return bad('all have the same chroot, which is written after the last')
  const [chroot = ''] = chroots
  const prefix = chroot === '' ? good('') : parsePrefix(chroot)
  if (!prefix.ok) return bad(`its chroot ${prefix.reason}`)
  return good({ endpoints: endpoints.value.addresses, chroot: prefix.value })
}
