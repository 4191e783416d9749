// Issue: "Look-ups never run on libuv's four-thread pool where a dead name could hold up others."
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SOURCE_KINDS } from '../../src/providers/catalog/sources.ts'
import { connectClient } from '../support/client.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const HOOK = new URL('../support/note-lookups.ts', import.meta.url).href

/** Sources at names, by kind. Those on this machine's disk have none. */
const SOURCES: Readonly<Record<string, (port: number, folder: string) => object>> = {
  etcd: (port) => ({ endpoints: [`etcd.test:${port}`] }),
  redis: (port) => ({ url: `redis://redis.test:${port}` }),
  consul: (port) => ({ endpoints: [`consul.test:${port}`] }),
  'consul-kv': (port) => ({ endpoints: [`consul-kv.test:${port}`] }),
  docker: (port) => ({ endpoint: `tcp://docker.test:${port}` }),
  swarm: (port) => ({ endpoint: `tcp://swarm.test:${port}` }),
  marathon: (port) => ({ endpoints: [`marathon.test:${port}`] }),
  http: (port) => ({ url: `http://http.test:${port}/sluice.yaml` }),
  zookeeper: (port) => ({ endpoints: [`zookeeper.test:${port}`] }),
  'swarm-standalone': (port) => ({
    discovery: { kind: 'etcd', endpoints: [`swarm-standalone.test:${port}`] },
  }),
  dns: () => ({ backends: { d: 'http://dns.test:80' } }),
  synapse: (port, folder) => ({ file: synapseFile(folder, `synapse.test:${port}`) }),
}
const ON_DISK: readonly string[] = ['files', 'certificates', 'store']

/** Its path. */
function synapseFile(folder: string, host: string): string {
  const file = join(folder, 'synapse.json')
  const discovery = { method: 'zookeeper', path: '/services/s', hosts: [host] }
  writeFileSync(file, JSON.stringify({ services: { s: { discovery, haproxy: {} } } }))
  return file
}

test('every kind of source that may be at a name is in this test', () => {
  assert.deepEqual(
    SOURCE_KINDS.map(({ kind }) => kind).sort(),
    [...Object.keys(SOURCES), ...ON_DISK].sort(),
    'add the new kind to SOURCES, at a name, or to ON_DISK',
  )
})

test('whatever is at a name, it is resolved by the DNS server of the settings and not in the threads of libuv', async (t) => {
  const folder = makeFolder(t)
  const lookups = join(folder, 'lookups')
  const port = await choosePort()
  const dns = await startDnsServer(t)
  dns.setAll({ addresses: ['127.0.0.1'], ttl: 1 })
  writeFileSync(lookups, '')
  const sources = Object.entries(SOURCES).map(([kind, at]) => [
    kind,
    { ...at(port, folder), required: false },
  ])

  const program = await startProgram(
    t,
    {
      workers: 1,
      data: folder,
      resolver: { servers: [dns.address], search: [] },
      listeners: { web: { address: '127.0.0.1:0' } },
      backends: {
        b: {
          servers: {
            s: `http://server.test:${port}`,
            all: { url: `http://all.test:${port}`, resolve: 'all' },
          },
          health: { path: '/', interval: '100ms', timeout: '100ms' },
          breaker: {
            condition: 'NetworkErrorRatio() > 0.5',
            onTripped: { url: `http://hook.test:${port}/` },
          },
        },
      },
      frontends: {
        f: {
          route: 'PathPrefix("/")',
          backend: 'b',
          ratelimit: { requests: 9, period: '1s', redis: { url: `redis://rates.test:${port}` } },
        },
      },
      sources: Object.fromEntries(sources) as object,
    },
    { env: { NODE_OPTIONS: `--import=${HOOK}`, LOOKUPS: lookups } },
  )
  const client = await connectClient(program.port)
  t.after(() => client.socket.destroy())
  await client.ask('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  const names = [...Object.keys(SOURCES), 'server', 'all', 'rates'].map((name) => `a ${name}.test`)
  const missing = (): readonly string[] => names.filter((name) => !dns.questions.includes(name))
  await eventually(() => missing().length === 0, 'all are looked up').catch(() => {})

  assert.deepEqual(missing(), [])
  assert.equal(readFileSync(lookups, 'utf8'), '')
})
