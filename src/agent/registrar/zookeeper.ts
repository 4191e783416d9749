/** A ZooKeeper to register in, alone or an ensemble. */
import { onDemand } from '../../model/on-demand.ts'
import { checkLogin } from '../../providers/registry/options.ts'
import { connectString } from '../../providers/zookeeper/source.ts'
import { refuseRegistration, toEntry } from './formats.ts'
import { defineRegistrar, type RegistrarKind } from './kind.ts'
import { keysOptions, readKeys, ttl, withFiles, type KeysSettings } from './options.ts'

interface ZookeeperOptions extends KeysSettings {
  readonly endpoints: readonly string[]
  /** '' or as `/lb`. */
  readonly chroot: string
  readonly username: string | null
  readonly password: string | null
  readonly ttlMs: number
}

const SHORTEST_TTL_MS = 1_000

const client = onDemand('the client of ZooKeeper', () => import('./zookeeper-link.ts'))

export const zookeeperRegistrar: RegistrarKind = defineRegistrar({
  kind: 'zookeeper',
  description: 'A ZooKeeper, alone or an ensemble.',
  options: {
    endpoints: connectString,
    ...keysOptions,
    ttl: ttl(
      SHORTEST_TTL_MS,
      ' The session: ZooKeeper keeps it within 2 and 20 of its ticks of 2s, and may end it a tick later.',
    ),
  },
  read(form, complain): ZookeeperOptions {
    const { username = null, password = null } = form
    checkLogin({ username, password }, complain)
    const { endpoints, chroot } = form.endpoints
    const { prefix, ...keys } = readKeys(form, false, complain)
    const whole = `${chroot}/${prefix.replace(/^\//, '')}`
    return { endpoints, chroot, username, password, ...keys, prefix: whole, ttlMs: form.ttl }
  },
  withFiles,
  placeOf: ({ endpoints, chroot }) => `ZooKeeper ${endpoints.join(',')}${chroot}`,
  refuse: (registration, { layout }) => refuseRegistration(registration, layout),
  toEntry(registration, spec) {
    const { path } = registration
    const inChroot = { ...registration, path: path === null ? null : spec.chroot + path }
    return { ...toEntry(inChroot, { ...spec, isNumbered: true }), registration }
  },
  async openLinks(spec) {
    const { createZookeeperLinks } = await client.load()
    return createZookeeperLinks(spec)
  },
})
