// needs: consul
/** The keys of a real Consul against what control relies on from every registry. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  createConsulKvProvider,
  openConsulKeyStore,
} from '../../src/providers/consul-kv/consul-kv-provider.ts'
import { createLayout } from '../support/layouts.ts'
import { consulKvSource } from '../support/consul-source.ts'
import { startConsul } from '../support/consul.ts'
import { startHttpFaultProxy } from '../support/http-fault-proxy.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { testRegistryExpiry, type ExpiringRegistryUnderTest } from './registry-expiry-suite.ts'
import { testRegistryLink } from './registry-link-suite.ts'
import { testRegistry, type OpenRegistry } from './registry-suite.ts'
import { watchRegistry } from './registry-watch.ts'
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

test('a list is read of a leader that has loaded all of its keys', async (t) => {
  const proxy = await startHttpFaultProxy(t, server.port)
  const prefix = `suite-${++roots}`
  await server.put(`${prefix}/backends/a/backend`, '{}')
  proxy.fail((path, query) => {
    const isWhole = !path.startsWith('/v1/kv/') || /(^|&)(consistent|index)(=|&|$)/.test(query)
    return isWhole ? null : { headers: { 'x-consul-index': '1' }, body: ['[]'] }
  })
  const spec = consulKvSource([proxy.address], { prefix })
  const watch = watchRegistry(t, createConsulKvProvider(spec, createLayout('sluice', spec)))
  await watch.next()

  assert.equal(watch.objects().size, 1)
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
