/** etcd, version 3. */
import { onDemand } from '../../model/on-demand.ts'
import type { SourceSpec } from '../../model/settings.ts'
import {
  checkLogin,
  endpoints,
  readRegistry,
  registryLocation,
  registryOptions,
  withRegistryFiles,
  type RegistryOptions,
} from '../registry/options.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'

export type EtcdSource = SourceSpec & RegistryOptions

/** What a client needs. */
export type EtcdAccess = Pick<RegistryOptions, 'endpoints' | 'username' | 'password' | 'tls'>

const client = onDemand('the client of etcd', () => import('./etcd-provider.ts'))

export const etcd: SourceKind = defineSource({
  kind: 'etcd',
  description: 'An etcd, version 3.',
  options: { endpoints: endpoints(2379), ...registryOptions },
  read(form, complain): RegistryOptions {
    const { username = null, password = null } = form
    checkLogin({ username, password }, complain)
    const { addresses, isTls } = form.endpoints
    return { endpoints: addresses, ...readRegistry(form, isTls, complain), username, password }
  },
  locations: (spec) => [registryLocation(spec, '')],
  withFiles: withRegistryFiles,
  async open(spec, loadLayout) {
    const { createEtcdProvider } = await client.load()
    return createEtcdProvider(spec, await loadLayout(spec))
  },
  keys: {
    open: async (spec) => (await client.load()).openEtcdKeyStore(spec),
    layout: (spec) => spec,
  },
})
