// needs: redis-server
/** Redis against what control relies on from every registry. A real server, one for all tests here, each below a root of its own. */
import { after } from 'node:test'
import { createLayout } from '../support/layouts.ts'
import { createRedisProvider, openRedisKeyStore } from '../../src/providers/redis/redis-provider.ts'
import { startRedis } from '../support/redis.ts'
import { redisSource } from '../support/redis-source.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { testRegistryExpiry, type ExpiringRegistryUnderTest } from './registry-expiry-suite.ts'
import { testRegistryLink } from './registry-link-suite.ts'
import type { RemoteRegistryUnderTest } from './registry-link-suite.ts'
import { testRegistry } from './registry-suite.ts'
import type { OpenRegistry } from './registry-suite.ts'
import { testSealedValues } from './sealed-suite.ts'

const server = await startRedis({ after })
const layout = createLayout('sluice', { sealKey: null })
let roots = 0

const open: OpenRegistry<RemoteRegistryUnderTest & ExpiringRegistryUnderTest> = async (
  t,
  reconcileMs,
) => {
  const proxy = await startTcpProxy(t, server.port)
  const spec = redisSource([server.endpoint], { prefix: `sluice${++roots}-` })
  const keys = await openRedisKeyStore(spec)
  t.after(() => keys.close())
  return {
    provider: createRedisProvider(
      { ...spec, endpoints: [proxy.address] },
      layout,
      reconcileMs === undefined ? {} : { reconcileMs },
    ),
    keys,
    async put(suffix, value) {
      await server.command('SET', spec.prefix + suffix, value)
    },
    expiry: { ttlMs: 300, lateMs: 600 },
    proxy,
    server,
  }
}

testRegistry('Redis', open)
testRegistryExpiry('Redis', open)
testRegistryLink('Redis', open)

testSealedValues('Redis', async (t, layout) => {
  const spec = redisSource([server.endpoint], { prefix: `sluice${++roots}-` })
  const keys = await openRedisKeyStore(spec)
  t.after(() => keys.close())
  return { provider: createRedisProvider(spec, layout), keys }
})
