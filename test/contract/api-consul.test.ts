// needs: consul
import { after } from 'node:test'
import { startConsul } from '../support/consul.ts'
import { openKeys } from '../support/keys.ts'
import { testApi } from './api-suite.ts'

const consul = await startConsul({ after })
let roots = 0

testApi('Consul', async () => ({
  keys: await openKeys('consul-kv', consul.endpoint, `api-${++roots}`),
  ttlMs: 1000,
}))
