import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Providers } from '../../src/admin/providers.ts'
import { NO_ACME } from '../../src/observe/reports/acme-report.ts'
import { createAdmin } from '../../src/admin/server.ts'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'

const ETCD: SourceReport = {
  name: 'etcd',
  kind: 'etcd',
  state: 'live',
  since: 1000,
  revision: '12',
  error: null,
  required: true,
  objects: 3,
  setAside: 0,
  conflicts: 0,
  lastSyncAt: 1000,
  lastEventAt: null,
  events: 0,
  resyncs: { first: 1 },
  losses: 0,
  flaps: 0,
  held: { objects: 2, since: 1000, until: null, reason: 'it is empty' },
  lastGood: { savedAt: 900, serving: false, error: null },
}
const JSON_TYPE = { 'Content-Type': 'application/json' }

interface Site {
  /** What was asked of the sources, and what of it was logged. */
  readonly asked: readonly string[]
  readonly logged: readonly string[]
  readonly port: number
  fetch(path: string, options?: RequestInit): Promise<Response>
}

/** Only the source `etcd` is there; its shrink is held until it is confirmed. */
async function startAdmin(t: TestContext): Promise<Site> {
  const asked: string[] = []
  const logged: string[] = []
  const log = (_fields: object, message: string): number => logged.push(message)
  let isHeld = true
  const providers: Providers = {
    providers: () => [ETCD],
    confirm(name) {
      asked.push(`confirm ${name}`)
      if (name !== 'etcd') return 'unknown'
      const wasHeld = isHeld
      isHeld = false
      return wasHeld ? 'confirmed' : 'nothing-held'
    },
    reload(name) {
      asked.push(`reload ${name}`)
      return name === 'etcd'
    },
  }
  const admin = await createAdmin({
    address: { host: '127.0.0.1', port: 0 },
    table: () => ({ objects: [], setAside: [] }),
    certificates: { certificates: () => [], acme: () => NO_ACME },
    servers: { servers: () => [], breakers: () => [] },
    metrics: { contentType: 'text/plain', render: async () => '' },
    ready: () => ({
      ready: false,
      reason: 'the first table is not in force yet',
      notListening: [],
    }),
    log: { debug: log, info: log, warn: log, error: log },
    ...providers,
  })
  t.after(() => admin.close())
  const { port } = admin.address
  return {
    asked,
    logged,
    port,
    fetch: (path, options) => fetch(`http://127.0.0.1:${port}${path}`, options),
  }
}

test('shows how it stands with each source, also before the first table', async (t) => {
  const site = await startAdmin(t)

  const response = await site.fetch('/api/providers')

  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'application/json')
  assert.deepEqual(await response.json(), [ETCD])
})

test('an operator confirms a shrink once', async (t) => {
  const site = await startAdmin(t)
  const confirm = (): Promise<Response> =>
    site.fetch('/api/providers/etcd/confirm', { method: 'POST', headers: JSON_TYPE })

  const [first, second] = [await confirm(), await confirm()]

  assert.equal(first.status, 200)
  assert.deepEqual(await first.json(), { message: 'what etcd declares now is taken as it is' })
  assert.equal(second.status, 409)
  assert.deepEqual(await second.json(), { message: 'nothing of etcd is held' })
  assert.deepEqual(site.logged, ['what etcd declares now is taken as it is'])
})

test('an operator has a source read again', async (t) => {
  const site = await startAdmin(t)

  const response = await site.fetch('/api/providers/etcd/reload', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
    body: '{}',
  })

  assert.equal(response.status, 200)
  assert.deepEqual(site.asked, ['reload etcd'])
})

test('a source that is not there is a 404', async (t) => {
  const site = await startAdmin(t)

  for (const verb of ['confirm', 'reload']) {
    const path = `/api/providers/a%20b/${verb}`
    const response = await site.fetch(path, { method: 'POST', headers: JSON_TYPE })

    assert.equal(response.status, 404)
    assert.deepEqual(await response.json(), { message: 'no source has the name "a b"' })
  }
  assert.deepEqual(site.asked, ['confirm a b', 'reload a b'])
  assert.deepEqual(site.logged, [])
})

test('what a page of another site could send without being asked about is refused', async (t) => {
  const site = await startAdmin(t)
  const path = '/api/providers/etcd/confirm'
  const statusOf = async (method: string, headers: Record<string, string>): Promise<number> =>
    (await site.fetch(path, { method, headers })).status

  assert.equal(await statusOf('POST', {}), 415)
  for (const type of [
    ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'],
    ...['text/plain;application/json', 'application/jsonp'],
  ]) {
    assert.equal(await statusOf('POST', { 'Content-Type': type }), 415, type)
  }
  assert.equal(await statusOf('POST', { ...JSON_TYPE, Origin: 'http://evil.example' }), 403)
  assert.equal(await statusOf('OPTIONS', JSON_TYPE), 405)
  assert.equal(await statusOf('GET', JSON_TYPE), 405)
  assert.deepEqual(site.asked, [])
})

test('other paths below the sources are not there', async (t) => {
  const site = await startAdmin(t)

  for (const path of ['/etcd', '/etcd/drop', '/etcd/confirm/', '//confirm', '/%ff/confirm', '/']) {
    const response = await site.fetch(`/api/providers${path}`, {
      method: 'POST',
      headers: JSON_TYPE,
    })

    assert.equal(response.status, 404, path)
  }
  assert.deepEqual(site.asked, [])
})

test('a body that is large or ends early does nothing and harms nobody', async (t) => {
  const site = await startAdmin(t)
  const path = '/api/providers/etcd/confirm'

  const large = await site.fetch(path, {
    method: 'POST',
    headers: JSON_TYPE,
    body: ' '.repeat(2000),
  })
  const socket = connect(site.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.end(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhalf`,
  )
  socket.resume()
  await once(socket, 'close')

  assert.equal(large.status, 413)
  assert.equal((await site.fetch('/healthz')).status, 200)
  assert.deepEqual([site.asked, site.logged], [[], []])
})
