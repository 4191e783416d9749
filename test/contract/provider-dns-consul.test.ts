// needs: consul
// The DNS of a real Consul, as the source `dns` reads it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDnsProvider } from '../../src/providers/dns/dns-provider.ts'
import type { Declaration, Unreadable } from '../../src/providers/provider.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { startConsul } from '../support/consul.ts'
import { choosePort } from '../support/ports.ts'
import { watchProvider } from './provider-suite.ts'

const INSTANCES = 60

test('all instances of a service of Consul are read, by SRV and by address, and come and go with it', async (t) => {
  const dnsPort = await choosePort()
  const consul = await startConsul(t, { dnsPort })
  for (let at = 1; at <= INSTANCES; at++) {
    const place = { Address: `10.0.0.${at}`, Port: 8000 + at }
    const Weights = { Passing: at === 1 ? 7 : 1, Warning: 1 }
    await consul.register({ Name: 'vote', ID: `vote-${at}`, ...place, Weights })
  }
  const resolver = resolverSchema.parse({ servers: [`127.0.0.1:${dnsPort}`], search: [] })
  const provider = createDnsProvider({
    name: 'dns',
    readsHosts: false,
    resolver: { ...resolver, minTtlMs: 20, maxTtlMs: 20 },
    backends: [
      { id: 'srv', name: '_vote._tcp.service.consul', type: 'SRV', scheme: 'http', port: null },
      { id: 'a', name: 'vote.service.consul', type: 'A', scheme: 'http', port: 80 },
    ],
  })
  const watcher = watchProvider(t, provider)
  const untilSizes = async (srv: number, a: number): Promise<Readonly<Record<string, unknown>>> => {
    for (;;) {
      const servers = serversOf(await watcher.next())
      const sizeOf = (backend: string): number =>
        Object.keys(servers).filter((id) => id.startsWith(`${backend}/`)).length
      if (sizeOf('srv') === srv && sizeOf('a') === a) return servers
    }
  }

  const servers = await untilSizes(INSTANCES, INSTANCES)
  assert.deepEqual((servers['srv/10.0.0.1:8001'] as { weight: number }).weight, 7)
  await consul.deregister('vote-2')
  await untilSizes(INSTANCES - 1, INSTANCES - 1)
  for (let at = 1; at <= INSTANCES; at++) if (at !== 2) await consul.deregister(`vote-${at}`)
  await untilSizes(0, 0)
})

function serversOf(reading: Declaration | Unreadable): Readonly<Record<string, unknown>> {
  assert.ok(reading.readable)
  return Object.fromEntries(Array.from(reading.objects, ({ id, value }) => [id, value]))
}
