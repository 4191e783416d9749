/**
 * Proxies of TCP side by side: CPU time for a new connection, for an exchange on one that is open and for each GiB, and the
 * memory of idle connections. All contenders run at once, and each round gives every one of them a window of each kind in turn.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { reasonOf } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { agree } from '../figures.ts'
import { openFileLimit, residentBytes } from '../proc.ts'
import { LOAD_CORE, start } from '../processes.ts'
import type { Started } from '../processes.ts'
import { freePorts } from '../site.ts'
import { createTcpSite, echoes, startTcpContender } from '../tcp/contender.ts'
import type { RunningTcp, TcpContender } from '../tcp/contender.ts'
import { holdConnections, measureTcp } from '../tcp/load.ts'
import type { TcpKind, TcpSample } from '../tcp/load.ts'

export interface TcpEntry {
  readonly contender: string
  readonly title: string
  readonly version: string
  readonly samples: Readonly<Record<TcpKind, readonly TcpSample[]>>
  /** Null: it could not hold them. */
  readonly idle: TcpIdle | null
}

export interface TcpIdle {
  readonly connections: number
  /** What resident memory grows by; sockets in the kernel are not in it. */
  readonly bytesPerConnection: number
  readonly residentBytes: number
}

export interface TcpResult {
  readonly entries: readonly TcpEntry[]
  /** Who could not take part, and why. */
  readonly absent: readonly string[]
}

export const TCP_KINDS: readonly TcpKind[] = ['connect', 'exchange', 'download', 'upload']
const CONNECTIONS = 32
const TRANSFERS = 4
const SERVERS = 3
const SETTLE_MS = 1000
const GIB = 1024 ** 3

export async function measureTcpProxies(bench: Bench): Promise<TcpResult> {
  const servers = await startTcpServers(join(bench.folder, 'tcp-servers'), SERVERS)
  const fleet: { running: RunningTcp; samples: Record<TcpKind, TcpSample[]> }[] = []
  const absent: string[] = []
  try {
    for (const contender of bench.tcpContenders) {
      try {
        const samples = { connect: [], exchange: [], download: [], upload: [] }
        fleet.push({ running: await openTcp(bench, contender, servers.ports), samples })
      } catch (error) {
        absent.push(reasonOf(error))
      }
    }
    for (const { running } of fleet) bench.say(await warmUp(bench, running))
    for (let round = 1; round <= bench.plan.rounds; round++) {
      bench.say(`round ${round} of ${bench.plan.rounds}`)
      for (const kind of TCP_KINDS) {
        for (const { running, samples } of fleet) {
          samples[kind].push(await measureTcp(running, planOf(bench, kind)))
        }
      }
    }
    for (const { running } of fleet) await running.stop()
    const entries: TcpEntry[] = []
    for (const { running, samples } of fleet) {
      const { name, title, version } = running.contender
      bench.say(`${title}: idle connections`)
      entries.push({
        ...{ contender: name, title, version: version() ?? 'unknown', samples },
        idle: await measureIdle(bench, running.contender, servers.ports),
      })
    }
    return { entries, absent }
  } finally {
    for (const { running } of fleet) await running.stop()
    await servers.started.stop()
  }
}

function planOf({ plan }: Bench, kind: TcpKind): Parameters<typeof measureTcp>[1] {
  const connections = kind === 'download' || kind === 'upload' ? TRANSFERS : CONNECTIONS
  const bytes = (plan.quick ? 0.25 : 1) * GIB
  return { kind, connections, seconds: plan.windowSeconds, bytes }
}

async function openTcp(
  bench: Bench,
  contender: TcpContender,
  ports: readonly number[],
): Promise<RunningTcp> {
  const folder = join(bench.folder, `tcp-${contender.name}-${performance.now().toFixed(0)}`)
  return startTcpContender(contender, await createTcpSite(folder, ports))
}

/** New connections until two seconds in a row cost the same, so many seconds at most, and some bytes. */
async function warmUp(bench: Bench, running: RunningTcp): Promise<string> {
  const { title } = running.contender
  for (const kind of ['download', 'upload', 'exchange'] as const) {
    await measureTcp(running, { ...planOf(bench, kind), seconds: 1, bytes: GIB / 4 })
  }
  let last = NaN
  for (let second = 1; second <= bench.plan.warmUpSeconds; second++) {
    const plan = { ...planOf(bench, 'connect'), seconds: 1 }
    const { cpuMicrosEach: cost } = await measureTcp(running, plan)
    if (agree(last, cost))
      return `${title} is warm after ${second} s: ${last.toFixed(0)} and ${cost.toFixed(0)} us a connection`
    last = cost
  }
  return `${title} has NOT become steady: ${last.toFixed(0)} us a connection`
}

/** A program of its own without load before: a heap that has grown would take in thousands of connections and hide them. */
async function measureIdle(
  bench: Bench,
  contender: TcpContender,
  ports: readonly number[],
): Promise<TcpIdle | null> {
  const [few, many] = bench.plan.idleTcpConnections
  const to = Math.min(many, mostConnections())
  const running = await openTcp(bench, contender, ports)
  const held = holdConnections(running.site.port)
  try {
    await held.open(few)
    await pause(SETTLE_MS)
    const before = residentBytes(running.pids())
    const { failed, ended } = await held.open(to - few)
    await pause(SETTLE_MS)
    const after = residentBytes(running.pids())
    const lost = failed + Object.values(ended).reduce((sum, count) => sum + count, 0)
    if (lost > 0) throw new Error(`${lost} of ${to} idle connections ended`)
    return {
      connections: to,
      bytesPerConnection: (after - before) / (to - few),
      residentBytes: after,
    }
  } catch (error) {
    bench.say(`${contender.title} holds no idle connections: ${reasonOf(error)}`)
    return null
  } finally {
    await held.end()
    await running.stop()
  }
}

/** Each takes two descriptors of a proxy; some are kept for its own use. */
export function mostConnections(): number {
  return Math.floor((openFileLimit() - 300) / 2)
}

export interface TcpServers {
  readonly ports: readonly number[]
  readonly started: Started
}

export async function startTcpServers(folder: string, count: number): Promise<TcpServers> {
  mkdirSync(folder, { recursive: true })
  const ports = await freePorts(count)
  const program = fileURLToPath(new URL('../tcp/server.process.ts', import.meta.url))
  const argv = [process.execPath, program, ...ports.map(String)]
  const started = start({ argv }, LOAD_CORE, join(folder, 'output.log'))
  for (const port of ports) {
    while (!(await echoes(port))) {
      if (started.ended()) throw new Error(`the servers did not start: ${started.lastWords()}`)
      await pause(20)
    }
  }
  return { ports, started }
}
