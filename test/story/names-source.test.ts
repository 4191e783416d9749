// Issue: DNS "as a source (SRV and A/AAAA, the TTL honoured, the old set kept on SERVFAIL, NXDOMAIN held by shrink protection)".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'
import { startDnsServer, type DnsBehavior } from '../support/dns-server.ts'
import { FOURTH, openExpandedWorld, THREE } from '../support/expanded-world.ts'
import { startNamedLoad, type NamedResponse } from '../support/named-load.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const SRV = '_http._tcp.web.test'

function services(port: number, addresses: readonly string[]): DnsBehavior {
  const targets = addresses.map((address, at) => [`s${at}.test`, [address]] as const)
  return {
    services: targets.map(([target]) => ({ port, target })),
    additional: Object.fromEntries(targets),
    ttl: 1,
  }
}

async function urlsOf(program: Program, port: number): Promise<string> {
  const reports = JSON.parse((await program.ask('/api/servers')).text) as readonly ServerReport[]
  const servers = reports.filter(({ backend, state }) => backend === 'web' && state !== 'draining')
  return servers
    .map(({ url }) => url.replace('http://', '').replace(`:${port}`, ''))
    .sort()
    .join()
}

async function sourceOf(program: Program): Promise<SourceReport | undefined> {
  const reports = JSON.parse((await program.ask('/api/providers')).text) as readonly SourceReport[]
  return reports.find(({ name }) => name === 'dns')
}

test('servers come and go with SRV records under load; a dead server, a restart and NXDOMAIN take none away at once', async (t) => {
  const world = await openExpandedWorld(t)
  const dns = await startDnsServer(t, { [SRV]: services(world.port, THREE) })
  const config = {
    workers: 1,
    data: makeFolder(t),
    resolver: { timeout: '300ms', attempts: 1, hosts: '/dev/null' },
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { web: { balance: 'least-connections' } },
    frontends: { web: { route: 'Host("web.test")', backend: 'web' } },
    sources: { dns: { servers: [dns.address], backends: { web: SRV }, shrink: { hold: '2s' } } },
  }
  let program = await startProgram(t, config)
  const failed: NamedResponse[] = []
  const startLoad = (): ReturnType<typeof startNamedLoad> =>
    startNamedLoad(program.port, ['web.test'], { clients: 4, pauseMs: 1 }, (response) => {
      if (response.status !== 200) failed.push(response)
    })
  const are = (addresses: readonly string[], what: string): Promise<unknown> =>
    eventually(
      async () => (await urlsOf(program, world.port)) === addresses.join(),
      `${what}: ${addresses.join()}`,
      15_000,
    )
  await are(THREE, 'the first records')
  let load = startLoad()

  const changed = [THREE[0], THREE[1], FOURTH]
  dns.set(SRV, services(world.port, changed))
  await are(changed, 'changed records')
  await dns.die()
  await program.until(
    () => program.log().find(({ source, msg }) => source === 'dns' && /is lost/.test(msg)),
    'the source is lost',
    15_000,
  )
  await are(changed, 'without a DNS server')
  await load.stop()
  program.signal('SIGTERM')
  await program.ended()
  program = await startProgram(t, config)
  await are(changed, 'after a restart without a DNS server')
  load = startLoad()
  await dns.comeBack()
  dns.set(SRV, 'nxdomain')
  const held = await eventually(
    async () => (await sourceOf(program))?.held,
    'they are held',
    15_000,
  )
  await are(changed, 'held')
  await load.stop()

  await are([], 'after the hold')
  assert.match(held.reason, /the source is empty \(3 objects before\)/)
  assert.deepEqual(failed.slice(0, 5), [])
})
