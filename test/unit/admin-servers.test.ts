import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { NO_ACME } from '../../src/observe/reports/acme-report.ts'
import { createAdmin } from '../../src/admin/server.ts'
import {
  NO_TALLY,
  type BreakerReport,
  type ServerReport,
} from '../../src/observe/reports/health-report.ts'

function reportOf(backend: string, url: string): ServerReport {
  return {
    backend,
    id: url,
    url,
    state: 'down',
    since: 1000,
    reason: 'GET / returned 503',
    admit: 0,
    inFlight: 0,
    ejections: 2,
    lastProbe: { ok: false, at: 900, reason: 'GET / returned 503' },
    tally: NO_TALLY,
  }
}

const BREAKER: BreakerReport = {
  frontend: null,
  backend: 'vote',
  server: 'http://a:1',
  condition: 'NetworkErrorRatio() > 0.5',
  state: 'tripped',
  since: 1000,
  trips: 1,
  share: 0,
}

async function startAdmin(
  t: TestContext,
  servers: Iterable<ServerReport>,
): Promise<(path: string, method?: string) => Promise<Response>> {
  const log = (): void => {}
  const admin = await createAdmin({
    address: { host: '127.0.0.1', port: 0 },
    table: () => ({ objects: [], setAside: [] }),
    certificates: { certificates: () => [], acme: () => NO_ACME },
    servers: { servers: () => servers, breakers: () => [BREAKER] },
    metrics: { contentType: 'text/plain', render: async () => '' },
    ready: () => ({ ready: true, reason: '', notListening: [] }),
    providers: () => [],
    confirm: () => 'unknown',
    reload: () => false,
    log: { debug: log, info: log, warn: log, error: log },
  })
  t.after(() => admin.close())
  return (path, method = 'GET') =>
    fetch(`http://127.0.0.1:${admin.address.port}${path}`, { method })
}

test('servers are listed with their state, all of them or those of a backend', async (t) => {
  const servers = [reportOf('vote', 'http://a:1'), reportOf('cats & dogs', 'http://b:2')]
  const ask = await startAdmin(t, servers)

  const all = await ask('/api/servers')
  const some = await ask('/api/servers?backend=cats%20%26%20dogs')
  const none = await ask('/api/servers?backend=none')

  assert.equal(all.headers.get('content-type'), 'application/json')
  assert.deepEqual(await all.json(), servers)
  assert.deepEqual(await some.json(), servers.slice(1))
  assert.deepEqual(await none.json(), [])
})

test('breakers are listed with their state', async (t) => {
  const ask = await startAdmin(t, [])

  assert.deepEqual(await (await ask('/api/breakers')).json(), [BREAKER])
  assert.deepEqual(await (await ask('/api/breakers?backend=other')).json(), [])
})

test('a filter that is misspelt is refused, and so is what would change something', async (t) => {
  const ask = await startAdmin(t, [])

  for (const [path, wrong] of [
    ['/api/servers', 'backends'],
    ['/api/breakers', 'id'],
  ]) {
    const response = await ask(`${path}?${wrong}=vote`)
    assert.equal(response.status, 400)
    assert.deepEqual(await response.json(), {
      message: `${path} has no parameter "${wrong}": it takes backend`,
    })
  }
  assert.equal((await ask('/api/servers', 'POST')).status, 405)
  assert.equal(await (await ask('/api/servers', 'HEAD')).text(), '')
})

test('30,000 servers are a whole list, and the index names the page', async (t) => {
  const servers = Array.from({ length: 30_000 }, (_, at) => reportOf(`b${at}`, `http://a:${at}`))
  const ask = await startAdmin(t, servers)

  const listed = (await (await ask('/api/servers')).json()) as readonly ServerReport[]

  assert.equal(listed.length, 30_000)
  assert.deepEqual(listed.at(-1), servers.at(-1))
  const index = await (await ask('/')).text()
  assert.match(index, /\/api\/servers/)
  assert.match(index, /\/api\/breakers/)
})
