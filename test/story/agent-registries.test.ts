// needs: etcd, redis-server, zookeeper, consul
// Issue 15: what an agent registers is in the rotation of a Sluice that reads the registry, in each layout; and out of it within the
// time to live and 600 ms when the agent is killed.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { after, test, type TestContext } from 'node:test'
import { createClient, type ServerState } from '../../src/client/client.ts'
import { startConsul } from '../support/consul.ts'
import type { Daemon } from '../support/daemon.ts'
import { startEtcd } from '../support/etcd.ts'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import {
  openTestRegistrar,
  registration,
  startRegistrarProcess,
  type RegistrarProcess,
  type WrittenRegistry,
} from '../support/registrars.ts'
import { startNamed } from '../support/servers.ts'
import { openClient } from '../support/client.ts'
import { eventually } from '../support/until.ts'
import { startZookeeper } from '../support/zookeeper.ts'

const TTL_MS = 2_000
const LATE_MS = 600
const WORD = 'a-token-of-the-agent'
const TOKEN = { role: 'write', sha256: hash('sha256', WORD, 'hex') }

interface Case {
  /** For all layouts: each has keys of its own. */
  readonly start: () => Promise<Daemon & { readonly endpoint: string }>
  readonly layouts: readonly string[]
  /** ZooKeeper ends sessions at its ticks, etcd looks every 500 ms. */
  readonly tickMs: number
}

const CASES: Readonly<Record<string, Case>> = {
  etcd: {
    start: () => startEtcd({ after }),
    layouts: ['sluice', 'nerve', 'vulcand', 'registrator'],
    tickMs: 0,
  },
  redis: {
    start: () => startRedis({ after }),
    layouts: ['sluice', 'nerve', 'vulcand', 'registrator'],
    tickMs: 0,
  },
  zookeeper: {
    start: () => startZookeeper({ after }),
    layouts: ['sluice', 'nerve', 'vulcand', 'registrator'],
    tickMs: 400,
  },
  consul: { start: () => startConsul({ after }), layouts: ['sluice'], tickMs: 0 },
}

for (const [kind, { start, layouts, tickMs }] of Object.entries(CASES)) {
  const server = await start()
  for (const layout of layouts) {
    test(`a server in ${kind} with layout ${layout} is in rotation until its agent is killed`, async (t) => {
      const own = kind === 'consul' ? {} : { layout, prefix: `/${layout}` }
      const place = { kind, endpoints: server.endpoint, ...own }
      await follow(t, { ...place, ttl: `${TTL_MS}ms` }, place, tickMs)
    })
  }
}

test('a server at the admin of Sluice is in rotation until its agent is killed', async (t) => {
  const admin = await choosePort()
  const url = `http://127.0.0.1:${admin}`
  const registry = { kind: 'sluice', url, token: WORD, ttl: `${TTL_MS}ms` }
  const source = { kind: 'store', shrink: { allowEmpty: true } }
  await follow(t, registry, source, 0, {
    admin: {
      address: `127.0.0.1:${admin}`,
      anonymous: 'read',
      tokens: { agent: TOKEN },
    },
  })
})

test('a server at the admin of Sluice is written when a third of its time to live is over, and looked at in between', async (t) => {
  const admin = await choosePort()
  await startProgram(t, {
    ...{ workers: 1, data: makeFolder(t), sources: { store: { kind: 'store' } } },
    listeners: { web: { address: '127.0.0.1:0' } },
    admin: { address: `127.0.0.1:${admin}`, anonymous: 'read', tokens: { agent: TOKEN } },
  })
  const url = `http://127.0.0.1:${admin}`
  const client = createClient({ baseUrl: url, token: WORD })
  t.after(() => client.close())
  const { registrar, is } = await openTestRegistrar(t, {
    ...{ kind: 'sluice', url, token: WORD, ttl: '30s' },
  })
  registrar.put(registration())
  await is('registered')
  const first = await client.objects.find('server', 'web/one')
  const since = performance.now()
  await eventually(() => performance.now() - since > 4_500, 'it is looked at twice')
  const later = await client.objects.find('server', 'web/one')
  await client.objects.delete('server', 'web/one')
  await is('missing')
  await is('registered')

  assert.equal(typeof first?.revision, 'string')
  assert.equal(later?.revision, first?.revision)
})

async function follow(
  t: TestContext,
  registry: WrittenRegistry,
  source: Readonly<Record<string, unknown>> & { readonly kind: string },
  tickMs: number,
  more: object = {},
): Promise<void> {
  const [one, two] = [await startNamed(t, 'one'), await startNamed(t, 'two')]
  const web = `127.0.0.1:${await choosePort()}`
  const backend = source.kind === 'consul' ? 'web@consul' : `web@${source.kind}`
  const program = await startProgram(t, {
    ...{ workers: 1, data: makeFolder(t), ...more },
    listeners: { web: { address: web } },
    frontends: { web: { route: 'PathPrefix("/")', backend } },
    sources: { [source.kind]: source },
  })
  const agents = await Promise.all(
    [one, two].map(({ url }, i) => {
      const port = Number(new URL(url).port)
      return startRegistrarProcess(t, registry, registration({ id: `s${i}`, port }))
    }),
  )
  const [first, second] = agents as [RegistrarProcess, RegistrarProcess]
  await untilServers(program, 2)
  const both = new Set([await answer(t, program), await answer(t, program)])

  await first.end('SIGKILL')
  const at = performance.now()
  await untilServers(program, 1)
  const ms = performance.now() - at
  t.diagnostic(`out of rotation ${Math.round(ms)} ms after a SIGKILL`)
  const left = [await answer(t, program), await answer(t, program)]
  await second.end('SIGTERM')
  await untilServers(program, 0)

  assert.deepEqual(both, new Set(['one', 'two']))
  assert.deepEqual(left, ['two', 'two'])
  assert.ok(ms < TTL_MS + tickMs + LATE_MS, `after ${ms} ms`)
}

async function untilServers(program: Program, count: number): Promise<void> {
  await eventually(async () => {
    const { text } = await program.ask('/api/servers?backend=web')
    const servers = JSON.parse(text) as readonly ServerState[]
    return servers.filter(({ state }) => state !== 'draining').length === count
  }, `${count} servers are in the table`)
}

async function answer(t: TestContext, program: Program): Promise<string> {
  const client = await openClient(t, program.port)
  const { body } = await client.ask('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n')
  return body.toString()
}
