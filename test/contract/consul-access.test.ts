// needs: consul
/** What a real Consul demands of its clients: ACL tokens with the policies that the pages name, and TLS. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createConsulProvider } from '../../src/providers/consul/consul-provider.ts'
import {
  createConsulKvProvider,
  openConsulKeyStore,
} from '../../src/providers/consul-kv/consul-kv-provider.ts'
import { SourceRefused, type Provider } from '../../src/providers/provider.ts'
import { createAuthority } from '../support/certificates.ts'
import { consulKvSource, consulSource } from '../support/consul-source.ts'
import { startConsul, type Consul } from '../support/consul.ts'
import { blocksOf, readPage } from '../support/docs.ts'
import { createLayout } from '../support/layouts.ts'
import { choosePort } from '../support/ports.ts'
import { watchRegistry } from './registry-watch.ts'

const ROOT = 'b1gs33cr3t'
const WITH_ACLS = `acl { enabled = true, default_policy = "deny", tokens { master = "${ROOT}", agent = "${ROOT}" } }`

test('the services are read with the policy that docs/sources/consul.md names', async (t) => {
  const server = await startGuarded(t)
  const token = await createToken(server, policyOf('docs/sources/consul.md'))

  const watch = watchRegistry(
    t,
    createConsulProvider(consulSource([server.endpoint], { token, exposedByDefault: true })),
  )
  await watch.next()

  assert.ok(watch.objects().has('server web/n1:web'))
})

test('the keys are read with the policy that docs/sources/consul-kv.md names, and cannot be written', async (t) => {
  const server = await startGuarded(t)
  await server.put('sluice/listeners/web', '{"address":"127.0.0.1:0"}')
  const spec = consulKvSource([server.endpoint], {
    token: await createToken(server, policyOf('docs/sources/consul-kv.md')),
  })
  const watch = watchRegistry(t, createConsulKvProvider(spec, createLayout('sluice', spec)))
  const keys = await openConsulKeyStore(spec)
  t.after(() => keys.close())

  await watch.next()
  const put = keys.put('listeners/web', '{}', {})

  assert.deepEqual([...watch.objects().keys()], ['listener web'])
  await assert.rejects(put, (error) => error instanceof SourceRefused && isDiscreet(error, spec))
})

test('a token that Consul does not have is refused, and no message shows it', async (t) => {
  const server = await startGuarded(t)
  const token = '11111111-2222-3333-4444-555555555555'
  const kv = consulKvSource([server.endpoint], { token })
  const providers: readonly Provider[] = [
    createConsulProvider(consulSource([server.endpoint], { token })),
    createConsulKvProvider(kv, createLayout('sluice', kv)),
  ]

  for (const provider of providers) {
    await assert.rejects(
      watchRegistry(t, provider).next(),
      (error) => error instanceof SourceRefused && isDiscreet(error, { token }),
    )
  }
})

test('both sources speak TLS, with a client certificate where Consul demands one', async (t) => {
  const authority = createAuthority(t)
  const { certPath, keyPath } = authority.issue('localhost')
  const client = authority.issue('sluice')
  const https = await choosePort()
  const server = await startConsul(t, {
    hcl: `ports { https = ${https} }, verify_incoming_https = true
          cert_file = "${certPath}", key_file = "${keyPath}", ca_file = "${authority.certPath}"`,
  })
  await server.put('sluice/listeners/web', '{"address":"127.0.0.1:0"}')
  await server.register({ Name: 'web', Port: 80 })
  const { cert, key } = client
  const tls = { ca: authority.cert, cert, key, serverName: 'localhost', verify: true }
  const endpoint = `127.0.0.1:${https}`
  const kv = consulKvSource([endpoint], { tls })
  const keys = watchRegistry(t, createConsulKvProvider(kv, createLayout('sluice', kv)))
  const services = watchRegistry(
    t,
    createConsulProvider(consulSource([endpoint], { tls, exposedByDefault: true })),
  )
  const without = { ...kv, tls: { ...tls, cert: null, key: null } }

  await Promise.all([keys.next(), services.next()])
  const refused = watchRegistry(t, createConsulKvProvider(without, createLayout('sluice', kv)))

  assert.deepEqual([...keys.objects().keys()], ['listener web'])
  assert.ok(services.objects().has('server web/n1:web'))
  await assert.rejects(refused.next())
})

async function startGuarded(t: TestContext): Promise<Consul> {
  const server = await startConsul(t, { hcl: WITH_ACLS, token: ROOT })
  await server.register({ Name: 'web', Port: 80 })
  return server
}

/** The rules that a page shows. */
function policyOf(page: string): string {
  const [rules] = blocksOf(readPage(page), 'hcl')
  assert.ok(rules !== undefined, `${page} names a policy`)
  return rules
}

async function createToken(server: Consul, Rules: string): Promise<string> {
  await server.call('PUT', '/v1/acl/policy', { Name: 'sluice', Rules })
  const { text } = await server.call('PUT', '/v1/acl/token', { Policies: [{ Name: 'sluice' }] })
  return (JSON.parse(text) as { readonly SecretID: string }).SecretID
}

function isDiscreet(error: Error, { token }: { readonly token: string | null }): boolean {
  return token !== null && !`${error.message}${error.stack}`.includes(token)
}
