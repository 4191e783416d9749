/**
 * The agent under load, with a real registry and a Sluice that follows it: an agent that is killed, one that is stopped with its
 * service, and a registry that is away for a minute and comes back with nothing.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { AgentReport } from '../../src/agent/agent.ts'
import type { Owner } from '../../test/support/daemon.ts'
import { startConsul } from '../../test/support/consul.ts'
import { startEtcd } from '../../test/support/etcd.ts'
import { askAdmin } from '../../test/support/program.ts'
import { startRedis } from '../../test/support/redis.ts'
import { startZookeeper } from '../../test/support/zookeeper.ts'
import { serve } from '../contenders/ours.ts'
import { start, type Started, untilReady } from '../processes.ts'
import { freePorts } from '../site.ts'
import type { Lab } from './arena.ts'
import { type Check, ms } from './check.ts'
import { startLoad } from './load.ts'

export type AgentRegistry = 'etcd' | 'redis' | 'zookeeper' | 'consul'

export interface AgentResult {
  readonly kind: AgentRegistry
  readonly ttlMs: number
  /** From the SIGKILL of an agent until its service is out of rotation. */
  readonly killedMs: number
  /** Over all that was done. */
  readonly requests: number
  readonly failed: number
  readonly notes: readonly string[]
  /** Agents that were stopped with their service, which ends at once. */
  readonly stops: number
  readonly awayMs: number
  /** From the moment that the registry responds again. */
  readonly backMs: number
  /** Of the agent, over the outage. */
  readonly transitions: number
}

const TTL_MS = 2_000
const STOPS = 3
const LIMIT_MS = 30_000
const STARTS = {
  etcd: startEtcd,
  redis: startRedis,
  zookeeper: startZookeeper,
  consul: startConsul,
}

/** Ends at once at SIGTERM: what comes to it then is lost. */
const SERVICE = `
  require('node:http').createServer((_request, response) => {
    setTimeout(() => response.end('here'), 5)
  }).listen(Number(process.argv[1]), '127.0.0.1')
`

export async function runAgent(lab: Lab, kind: AgentRegistry): Promise<AgentResult> {
  const ends: (() => unknown)[] = []
  const owner: Owner = { after: (end) => void ends.unshift(end) }
  try {
    return await underLoad(lab, owner, kind)
  } finally {
    for (const end of ends) await end()
  }
}

async function underLoad(lab: Lab, owner: Owner, kind: AgentRegistry): Promise<AgentResult> {
  const { plan } = lab
  const folder = join(lab.folder, `agent-${kind}`)
  mkdirSync(folder)
  const registry = await STARTS[kind](owner)
  const { endpoint } = registry
  const [port = 0, adminPort = 0, first = 0, second = 0, statusPort = 0] = await freePorts(5)

  const agentOf = async (name: string, servicePort: number, status?: string): Promise<Started> => {
    const file = join(folder, `${name}.json`)
    const log = join(folder, `${name}.log`)
    const checks = [{ path: '/', interval: '200ms', timeout: '1s' }]
    const config = {
      id: name,
      drain: '500ms',
      ...(status === undefined ? {} : { status }),
      registries: { place: { kind, endpoints: endpoint, ttl: `${TTL_MS}ms` } },
      services: { web: { host: '127.0.0.1', port: servicePort, id: name, checks } },
    }
    writeFileSync(file, JSON.stringify(config))
    writeFileSync(log, '')
    const command = [process.execPath, '-e', SERVICE, String(servicePort)]
    const argv = [process.execPath, 'src/main.ts', 'agent', '--config', file, '--', ...command]
    const agent = start({ argv }, 'any', log)
    owner.after(agent.stop)
    const isRegistered = async (): Promise<boolean> =>
      readFileSync(log, 'utf8').includes('"msg":"registered"')
    await untilReady(agent, name, {
      test: isRegistered,
      lack: 'it did not register',
      limitMs: LIMIT_MS,
    })
    return agent
  }

  await agentOf('stays', first, `127.0.0.1:${statusPort}`)
  const file = join(folder, 'sluice.json')
  writeFileSync(
    file,
    JSON.stringify({
      workers: 2,
      admin: { address: `127.0.0.1:${adminPort}` },
      log: { level: 'warn', access: 'off' },
      data: join(folder, 'data'),
      listeners: { web: { address: `127.0.0.1:${port}` } },
      sources: { place: { kind, endpoints: endpoint } },
      backends: kind === 'consul' ? {} : { web: {} },
      frontends: { all: { route: 'PathPrefix("/")', backend: 'web' } },
    }),
  )
  const sluice = start(serve(file), 'any', join(folder, 'sluice.log'))
  owner.after(sluice.stop)
  const served = async (): Promise<readonly string[]> => {
    const answer = await askAdmin(adminPort, '/api/servers').catch(() => null)
    if (answer === null) return []
    const servers = JSON.parse(answer.text) as readonly { url: string; state: string }[]
    return servers.filter(({ state }) => state !== 'draining').map(({ url }) => url)
  }
  const untilServed = (count: number): Promise<number> =>
    until(async () => (await served()).length === count, `${count} are served`)
  await untilServed(1)

  const load = startLoad(owner, {
    ...{ port, requestsPerSecond: plan.requestsPerSecond, clients: 50, postEvery: 7 },
    expect: 'any',
  })
  await pause(plan.warmUpMs)

  // Killed with its service alive: nothing fails, but nobody renews the registration.
  const killed = await agentOf('killed', second)
  await untilServed(2)
  const orphan = serviceOf(join(folder, 'killed.log'))
  owner.after(() => process.kill(orphan, 'SIGKILL'))
  process.kill(killed.pid, 'SIGKILL')
  const killedMs = await until(
    async () => !(await served()).includes(`http://127.0.0.1:${second}`),
    'the service of the killed agent is out',
  )
  await killed.stop()

  for (let at = 0; at < STOPS; at++) {
    const [again = 0] = await freePorts(1)
    const stopped = await agentOf(`stopped${at}`, again)
    await untilServed(2)
    await pause(plan.quietMs)
    await stopped.stop()
    await untilServed(1)
  }

  const report = async (): Promise<AgentReport> =>
    JSON.parse((await askAdmin(statusPort, '/')).text) as AgentReport
  await registry.wipe()
  lab.say(`${kind} is away for ${plan.registryAwayMs / 1000} s`)
  await pause(plan.registryAwayMs)
  await registry.start()
  const backMs = await until(
    async () => (await report()).services[0]?.registration?.status === 'registered',
    'it is registered again',
  )
  await pause(plan.afterMs)
  const [web] = (await report()).services
  const { samples, notes } = await load.finish()
  return {
    kind,
    ttlMs: TTL_MS,
    killedMs,
    requests: samples.length,
    failed: samples.filter(({ outcome }) => outcome !== 200).length,
    notes,
    stops: STOPS,
    awayMs: plan.registryAwayMs,
    backMs,
    transitions: web?.transitions ?? Number.NaN,
  }
}

/** The process that an agent has started, by its log. */
function serviceOf(log: string): number {
  const [, pid] =
    /"pid":(\d+).*"msg":"the service is started"/.exec(readFileSync(log, 'utf8')) ?? []
  if (pid === undefined) throw new Error(`${log} names no service`)
  return Number(pid)
}

/** In ms. */
async function until(look: () => Promise<boolean>, what: string): Promise<number> {
  const began = performance.now()
  while (!(await look().catch(() => false))) {
    if (performance.now() - began > LIMIT_MS) throw new Error(`${what}: not within ${LIMIT_MS} ms`)
    await pause(10)
  }
  return performance.now() - began
}

export function judgeAgent(found: AgentResult): Check[] {
  const of = `the agent, in ${found.kind}`
  const bar = found.ttlMs + 600
  return [
    {
      ...{ of, bar: `killed: out of rotation within ${bar} ms` },
      found: ms(found.killedMs),
      isMet: found.killedMs <= bar,
    },
    {
      ...{ of, bar: `no request fails, over a kill, ${found.stops} stops and an outage` },
      found: `${found.failed} of ${found.requests}`,
      isMet: found.failed === 0,
    },
    {
      ...{ of, bar: 'registered again within 3 s of the return of a wiped registry' },
      found: `${ms(found.backMs)} after ${found.awayMs / 1000} s`,
      isMet: found.backMs <= 3_000,
    },
    {
      ...{ of, bar: 'no flapping' },
      found: `${found.transitions} transitions`,
      isMet: found.transitions === 1,
    },
  ]
}
