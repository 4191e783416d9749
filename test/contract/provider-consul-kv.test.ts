// needs: consul
/** The keys of a real Consul against what control relies on from every registry. */
import { after } from 'node:test'
import {
  createConsulKvProvider,
  openConsulKeyStore,
} from '../../src/providers/consul-kv/consul-kv-provider.ts'
import { createLayout } from '../support/layouts.ts'
import { consulKvSource } from '../support/consul-source.ts'
import { startConsul } from '../support/consul.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { testRegistryExpiry, type ExpiringRegistryUnderTest } from './registry-expiry-suite.ts'
import { testRegistryLink } from './registry-link-suite.ts'
import { testRegistry, type OpenRegistry } from './registry-suite.ts'
import { testSealedValues } from './sealed-suite.ts'

const server = await startConsul({ after })
let roots = 0

/** Consul ends a session between once and twice its time to live. */
const expiry = { ttlMs: 1000, lateMs: 1600 }

const open: OpenRegistry<ExpiringRegistryUnderTest> = async (t, reconcileMs) => {
  const prefix = `suite-${++roots}`
  const spec = consulKvSource([server.endpoint], { prefix })
  const keys = await openConsulKeyStore(spec)
  t.after(() => keys.close())
  const options = reconcileMs === undefined ? {} : { reconcileMs }
  return {
    provider: createConsulKvProvider(spec, createLayout('sluice', spec), options),
    keys,
    put: (suffix, value) => server.put(prefix + suffix, value),
    expiry,
  }
}

testRegistry('Consul', open)
testRegistryExpiry('Consul', open)

testSealedValues('Consul', async (t, sealed) => {
  const spec = consulKvSource([server.endpoint], { prefix: `suite-${++roots}` })
  const keys = await openConsulKeyStore(spec)
  t.after(() => keys.close())
  return { provider: createConsulKvProvider(spec, sealed), keys }
})

testRegistryLink('Consul', async (t) => {
  const own = await startConsul(t)
  const proxy = await startTcpProxy(t, own.port)
  const prefix = 'suite'
  const spec = consulKvSource([proxy.address], { prefix })
  const keys = await openConsulKeyStore(consulKvSource([own.endpoint], { prefix }))
  t.after(() => keys.close())
  return {
    provider: createConsulKvProvider(spec, createLayout('sluice', spec)),
    keys,
    put: (suffix, value) => own.put(prefix + suffix, value),
    proxy,
    // One for the blocking query, one for the heartbeat.
    settle: () => eventually(() => proxy.open() === 2, 'a blocking query'),
    server: own,
  }
})
