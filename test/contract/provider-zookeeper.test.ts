// needs: zookeeper, kazoo
/** ZooKeeper against what control relies on from every registry. Real servers; what is written past our code, kazoo writes. */
import { after } from 'node:test'
import {
  createZookeeperProvider,
  openZookeeperKeyStore,
} from '../../src/providers/zookeeper/zookeeper-provider.ts'
import { startKazoo } from '../support/kazoo.ts'
import { createLayout } from '../support/layouts.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { startZookeeper } from '../support/zookeeper.ts'
import { zookeeperSource } from '../support/zookeeper-source.ts'
import { testRegistrySessions, type SessionRegistryUnderTest } from './registry-expiry-suite.ts'
import { testRegistryLink, type RemoteRegistryUnderTest } from './registry-link-suite.ts'
import { testRegistry, type OpenRegistry } from './registry-suite.ts'
import { testSealedValues } from './sealed-suite.ts'

const server = await startZookeeper({ after })
const others = await startKazoo({ after }, server.endpoint)
const layout = createLayout('sluice', { sealKey: null })
let roots = 0

const open: OpenRegistry = async (t, reconcileMs) => {
  const spec = zookeeperSource([server.endpoint], { prefix: `/suite-${++roots}` })
  const keys = await openZookeeperKeyStore(spec)
  t.after(() => keys.close())
  return {
    provider: createZookeeperProvider(
      spec,
      layout,
      reconcileMs === undefined ? {} : { reconcileMs },
    ),
    keys,
    async put(suffix, value) {
      // What ZooKeeper itself takes for no path cannot be in its way.
      if (!/\/$|\/\/|\n/.test(suffix)) await others.put(spec.prefix + suffix, value)
    },
  }
}

const openWithSession: OpenRegistry<SessionRegistryUnderTest> = async (t) => {
  const registry = await open(t)
  const other = await startKazoo(t, server.endpoint)
  const root = `/suite-${roots}`
  return {
    ...registry,
    session: {
      put: (suffix, value) => other.create(root + suffix, value, { ephemeral: true }),
      kill: other.kill,
      lateMs: 2_500,
    },
  }
}

const linked = await startZookeeper({ after })

const openLink: OpenRegistry<RemoteRegistryUnderTest> = async (t) => {
  const proxy = await startTcpProxy(t, linked.port)
  const spec = zookeeperSource([proxy.address], { prefix: `/suite-${++roots}` })
  const keys = await openZookeeperKeyStore({ ...spec, endpoints: [linked.endpoint] })
  t.after(() => keys.close())
  return {
    provider: createZookeeperProvider(spec, layout),
    keys,
    async put(suffix, value) {
      const writer = await startKazoo(t, linked.endpoint)
      await writer.put(spec.prefix + suffix, value)
      await writer.kill()
    },
    proxy,
    server: linked,
  }
}

testRegistry('ZooKeeper', open)
testRegistrySessions('ZooKeeper', openWithSession)
testRegistryLink('ZooKeeper', openLink)

testSealedValues('ZooKeeper', async (t, layout) => {
  const spec = zookeeperSource([server.endpoint], { prefix: `/suite-${++roots}` })
  const keys = await openZookeeperKeyStore(spec)
  t.after(() => keys.close())
  return { provider: createZookeeperProvider(spec, layout), keys }
})
