/** An etcd, version 3, to register in. */
import { onDemand } from '../../model/on-demand.ts'
import type { EtcdAccess } from '../../providers/etcd/source.ts'
import { checkLogin, endpoints } from '../../providers/registry/options.ts'
import { refuseRegistration, toEntry } from './formats.ts'
import { defineRegistrar, type RegistrarKind } from './kind.ts'
import { keysOptions, readKeys, ttl, withFiles, type KeysSettings } from './options.ts'

type EtcdOptions = EtcdAccess & KeysSettings & { readonly ttlMs: number }

/** With the defaults of etcd it grants no shorter lease. */
const SHORTEST_TTL_MS = 2_000

const client = onDemand('the client of etcd', () => import('./etcd-link.ts'))

export const etcdRegistrar: RegistrarKind = defineRegistrar({
  kind: 'etcd',
  description: 'An etcd, version 3.',
  options: { endpoints: endpoints(2379), ...keysOptions, ttl: ttl(SHORTEST_TTL_MS) },
  read(form, complain): EtcdOptions {
    const { username = null, password = null } = form
    checkLogin({ username, password }, complain)
    const { addresses, isTls } = form.endpoints
    return {
      ...{ endpoints: addresses, username, password },
      ...readKeys(form, isTls, complain),
      // A lease has whole seconds.
      ttlMs: Math.ceil(form.ttl / 1000) * 1000,
    }
  },
  withFiles,
  placeOf: ({ endpoints }) => `etcd ${endpoints.join(',')}`,
  refuse: (registration, { layout }) => refuseRegistration(registration, layout),
  toEntry: (registration, spec) => toEntry(registration, { ...spec, isNumbered: false }),
  async openLinks(spec) {
    const { createEtcdLinks } = await client.load()
    return createEtcdLinks(spec, spec.ttlMs)
  },
})
