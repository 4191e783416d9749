/** The key-value store of a Consul. */
import { onDemand } from '../../model/on-demand.ts'
import type { SourceSpec } from '../../model/settings.ts'
import {
  consulOptions,
  describeAccess,
  readAccess,
  type ConsulAccess,
} from '../consul-api/options.ts'
import {
  readRegistry,
  registryOptions,
  withRegistryFiles,
  type RegistryOptions,
} from '../registry/options.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'

type ConsulKvOptions = RegistryOptions & ConsulAccess

export type ConsulKvSource = SourceSpec & ConsulKvOptions

/** What Traefik calls the source, in `shop@consul`. */
const TRAEFIK_NAME = 'consul'

const client = onDemand('the client of Consul', () => import('./consul-kv-provider.ts'))
const { prefix, layout, tls, sealKey, vulcand, decrypt } = registryOptions

export const consulKv: SourceKind = defineSource({
  kind: 'consul-kv',
  description: 'The keys of a Consul.',
  options: { ...consulOptions, prefix, layout, tls, sealKey, vulcand, decrypt },
  read(form, complain): ConsulKvOptions {
    const registry = readRegistry(form, form.endpoints.isTls, complain)
    return { ...readAccess(form), ...registry, username: null, password: null }
  },
  locations: (spec) => [
    `${describeAccess(spec)}, prefix ${JSON.stringify(spec.prefix.replace(/^\/+/, ''))}, layout ${spec.layout}`,
  ],
  withFiles: withRegistryFiles,
  async open(spec, loadLayout) {
    const { createConsulKvProvider } = await client.load()
    return createConsulKvProvider(spec, await loadLayout({ ...spec, kind: TRAEFIK_NAME }))
  },
  keys: {
    open: async (spec) => (await client.load()).openConsulKeyStore(spec),
    layout: (spec) => ({ ...spec, kind: TRAEFIK_NAME }),
  },
})
