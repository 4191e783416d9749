/** Swarm, on overlay networks. The kernel of this machine may lack IPVS: then services have no virtual address and no ingress. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startUsersEngine } from './users-engine.ts'

test('the tasks of a service have addresses in its network', async (t) => {
  const { docker } = await startUsersEngine(t)
  await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
  await docker('network', 'create', '--driver', 'overlay', 'shop')

  const options = ['--name', 'web', '--replicas', '2', '--network', 'shop', '--no-resolve-image']
  await docker('service', 'create', '--quiet', ...options, 'node:26-slim', 'sleep', '1000')

  const ids = (await docker('service', 'ps', '-q', 'web')).split('\n')
  const format = '{{range .NetworksAttachments}}{{.Addresses}}{{end}}'
  const addresses = (await docker('inspect', '-f', format, ...ids)).split('\n')
  assert.equal(new Set(addresses).size, 2)
})
