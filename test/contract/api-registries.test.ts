// needs: etcd, redis-server, zookeeper
import { after } from 'node:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEtcd } from '../support/etcd.ts'
import { openKeys, openStoreKeys } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { startZookeeper } from '../support/zookeeper.ts'
import { testApi } from './api-suite.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-api-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const [etcd, redis, zookeeper] = await Promise.all([
  startEtcd({ after }),
  startRedis({ after }),
  startZookeeper({ after }),
])
let roots = 0

testApi('the embedded store', async () => ({
  keys: await openStoreKeys(join(folder, `store-${++roots}.db`)),
  ttlMs: 3000,
}))
testApi('etcd', async () => ({
  keys: await openKeys('etcd', etcd.endpoint, `/api-${++roots}`),
  ttlMs: 3000,
}))
testApi('Redis', async () => ({
  keys: await openKeys('redis', redis.endpoint, `/api-${++roots}`),
  ttlMs: 3000,
}))
testApi('ZooKeeper', async () => ({
  keys: await openKeys('zookeeper', zookeeper.endpoint, `/api-${++roots}`),
  ttlMs: null,
}))
