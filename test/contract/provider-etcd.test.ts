// needs: etcd
import { after } from 'node:test'
import { createEtcdProvider, openEtcdKeyStore } from '../../src/providers/etcd/etcd-provider.ts'
import { createLayout } from '../support/layouts.ts'
import { etcdSource } from '../support/etcd-source.ts'
import { startEtcd } from '../support/etcd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { testRegistryExpiry, type ExpiringRegistryUnderTest } from './registry-expiry-suite.ts'
import { testRegistryLink } from './registry-link-suite.ts'
import { testRegistry, type OpenRegistry } from './registry-suite.ts'
import { testSealedValues } from './sealed-suite.ts'

const server = await startEtcd({ after })
let roots = 0

const open: OpenRegistry<ExpiringRegistryUnderTest> = async (t, reconcileMs) => {
  const prefix = `/suite-${++roots}`
  const spec = etcdSource([server.endpoint], { prefix })
  const keys = await openEtcdKeyStore(spec)
  t.after(() => keys.close())
  const options = reconcileMs === undefined ? {} : { reconcileMs }
  return {
    provider: createEtcdProvider(spec, createLayout('sluice', spec), options),
    keys,
    put: async (suffix, value) => void (await server.put(prefix + suffix, value)),
    expiry: { ttlMs: 1000, lateMs: 600 },
  }
}

testRegistry('etcd', open)
testRegistryExpiry('etcd', open)

testSealedValues('etcd', async (t, layout) => {
  const spec = etcdSource([server.endpoint], { prefix: `/suite-${++roots}` })
  const keys = await openEtcdKeyStore(spec)
  t.after(() => keys.close())
  return { provider: createEtcdProvider(spec, layout), keys }
})

testRegistryLink('etcd', async (t) => {
  const own = await startEtcd(t)
  const proxy = await startTcpProxy(t, own.port)
  const prefix = '/suite'
  const spec = etcdSource([proxy.address], { prefix })
  const keys = await openEtcdKeyStore(etcdSource([own.endpoint], { prefix }))
  t.after(() => keys.close())
  return {
    provider: createEtcdProvider(spec, createLayout('sluice', spec)),
    keys,
    put: async (suffix, value) => void (await own.put(prefix + suffix, value)),
    proxy,
    server: own,
  }
})
