/** Probes of a real server while the event loop of this process is blocked: no time limit that runs out meanwhile counts. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createProbe, type ProbeTarget } from '../../src/health/probe.ts'
import { createProber } from '../../src/health/prober.ts'
import { systemLookup } from '../support/names.ts'
import { DEFAULT_TLS_TO_SERVERS } from '../support/objects.ts'
import { eventually } from '../support/until.ts'

test('a blocked event loop makes no server down', async (t) => {
  const seen: string[] = []
  const results: string[] = []
  let isBlocking = false
  let impatient = 0
  const server = createServer((request, response) => {
    // While the probe is on its way: the response is written, and is not read.
    if (isBlocking) block(600)
    if (request.url !== '/impatient') response.end()
    else {
      impatient++
      request.socket.destroy()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const prober = createProber({
    probe: createProbe('test', systemLookup),
    now: () => performance.now(),
    random: Math.random,
    onState: (key, state) => seen.push(`${key} ${state}`),
    onResult: (key, ok) => results.push(`${key} ${ok ? 'well' : 'broken'}`),
  })
  const timer = setInterval(() => prober.tick(performance.now()), 100)
  t.after(async () => {
    clearInterval(timer)
    await prober.stop()
    server.closeAllConnections()
    server.close()
  })
  const follow = (key: string, path: string): void => {
    prober.follow(key, targetOf(key, port, path))
  }
  follow('patient', '/healthz')
  await eventually(() => seen.length === 1, 'the server is up')

  isBlocking = true
  const before = results.length
  await eventually(() => results.length >= before + 2, 'it is probed twice, blocked each time')
  isBlocking = false

  assert.deepEqual(seen, ['patient up'])
  assert.deepEqual([...new Set(results)], ['patient well'])

  isBlocking = true
  follow('impatient', '/impatient')
  await eventually(() => impatient >= 2, 'it fails twice, blocked each time')
  assert.ok(!results.includes('impatient broken'))

  isBlocking = false
  await eventually(() => seen.length === 2, 'it is down when nothing blocks any more')
  assert.deepEqual(seen, ['patient up', 'impatient down'])
})

function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

function targetOf(id: string, port: number, path: string): ProbeTarget {
  const http = { method: 'GET', path, host: null, headers: {}, body: null } as const
  const place = { scheme: 'http', host: '127.0.0.1', port } as const
  const options = { weight: 1, backup: false, drain: false, labels: null }
  return {
    server: { id, url: `http://127.0.0.1:${port}`, ...place, ...options },
    check: {
      http: { ...http, isDeclared: true, statuses: [[200, 399]] },
      grpc: null,
      port: null,
      intervalMs: 50,
      downIntervalMs: 1_000,
      timeoutMs: 300,
      rise: 1,
      fall: 1,
      jitter: 0,
      waitHealthy: true,
    },
    tls: DEFAULT_TLS_TO_SERVERS,
    proxyProtocol: null,
    wire: 'http/1.1',
  }
}
