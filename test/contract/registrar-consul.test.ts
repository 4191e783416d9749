// needs: consul
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import { startConsul, type Consul } from '../support/consul.ts'
import { openTestRegistrar, registration, startRegistrarProcess } from '../support/registrars.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { eventually } from '../support/until.ts'
import { testRegistrar, TTL_MS, type RegistryOfRegistrar } from './registrar-suite.ts'

const shared = await startConsul({ after })

testRegistrar('consul', open)

async function open(t: TestContext, which: 'own' | 'shared'): Promise<RegistryOfRegistrar> {
  const server = which === 'own' ? await startConsul(t) : await emptied()
  const proxy = await startTcpProxy(t, server.port)
  const written = { kind: 'consul', ttl: `${TTL_MS}ms` }
  return {
    written: { ...written, endpoints: server.endpoint },
    proxied: { ...written, endpoints: proxy.address },
    ...{ proxy, server },
    async ports(service) {
      const instances = await instancesOf(server, service)
      return instances.map(({ Service }) => Service.Port).sort((a, b) => a - b)
    },
    remove: (service, id) => server.deregister(`${service}:${id}`),
  }
}

/** Without what tests before have left to expire. */
async function emptied(): Promise<Consul> {
  const { text } = await shared.call('GET', '/v1/agent/services')
  for (const id of Object.keys(JSON.parse(text) as object)) await shared.deregister(id)
  // Its catalogue follows its agent.
  await eventually(async () => {
    const { text: left } = await shared.call('GET', '/v1/catalog/services')
    return Object.keys(JSON.parse(left) as object).join() === 'consul'
  }, 'the catalogue is empty')
  return shared
}

interface Instance {
  readonly Service: {
    readonly ID: string
    readonly Port: number
    readonly Tags: readonly string[]
    readonly Weights: { readonly Passing: number }
  }
}

async function instancesOf(server: Consul, service: string): Promise<readonly Instance[]> {
  const { status, text } = await server.call('GET', `/v1/health/service/${service}?passing`)
  assert.equal(status, 200, text)
  return JSON.parse(text) as readonly Instance[]
}

test('consul has labels as tags, and the weight', async (t) => {
  const server = await emptied()
  const written = { kind: 'consul', endpoints: server.endpoint }
  const { registrar, is } = await openTestRegistrar(t, written)
  const labels = { 'sluice.host': 'shop.test', zone: 'a' }

  registrar.put(registration({ weight: 3, backup: true, labels, tags: ['blue'] }))
  await is('registered')
  const [instance] = await instancesOf(server, 'web')

  const { ID, Tags, Weights } = instance?.Service ?? {}
  assert.equal(ID, 'web:one')
  assert.equal(Weights?.Passing, 3)
  const tags = ['sluice.enable=true', 'sluice.backup=true', 'sluice.host=shop.test', 'zone=a']
  assert.deepEqual(Tags, [...tags, 'blue'])
})

test('consul has no service of a killed process any more soon after another agent has begun', async (t) => {
  const server = await emptied()
  const written = { kind: 'consul', endpoints: server.endpoint, ttl: '1s' }
  const killed = await startRegistrarProcess(t, written, registration({ id: 'old' }))
  await killed.registered()
  await killed.end('SIGKILL')
  await eventually(async () => (await instancesOf(server, 'web')).length === 0, 'it is critical')

  const { registrar, is } = await openTestRegistrar(t, written)
  registrar.put(registration({ id: 'new' }))
  await is('registered')
  const { text } = await server.call('GET', '/v1/agent/services')

  assert.deepEqual(Object.keys(JSON.parse(text) as object), ['web:new'])
})

test('a token that may not write a service is reported, and needs no restart once it may', async (t) => {
  const hcl = `acl { enabled = true, default_policy = "deny", down_policy = "deny", enable_token_replication = true
    tokens { master = "root-token" } }`
  const server = await startConsul(t, { hcl, token: 'root-token' })
  await server.call('PUT', '/v1/acl/policy', {
    Name: 'web',
    Rules: 'service "web" { policy = "write" } agent_prefix "" { policy = "read" }',
  })
  const { text } = await server.call('PUT', '/v1/acl/token', { Policies: [{ Name: 'web' }] })
  const { SecretID: token } = JSON.parse(text) as { SecretID: string }
  const { registrar, states, is } = await openTestRegistrar(t, {
    ...{ kind: 'consul', endpoints: server.endpoint, token },
  })

  registrar.put(registration())
  await is('registered')
  registrar.put(registration({ service: 'other' }))
  await is('missing')

  assert.match(JSON.stringify(states.at(-1)), /403: Permission denied/)
  assert.doesNotMatch(JSON.stringify(states), new RegExp(token))
})
