/** Many TCP connections through Sluice over three servers, one of which is killed: whose connections end, and where new ones go. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mostConnections, startTcpServers, type TcpServers } from '../scenarios/tcp.ts'
import { createTcpSite, startTcpContender } from '../tcp/contender.ts'
import { TCP_CONTENDERS } from '../tcp/contenders.ts'
import { holdConnections } from '../tcp/load.ts'
import type { Lab } from './arena.ts'
import { ms, type Check } from './check.ts'

export interface TcpKillResult {
  /** Open before the kill, over all servers, and at the one that is killed. */
  readonly connections: number
  readonly atKilled: number
  readonly atOthers: readonly number[]
  /** Of the connections before the kill, some time after it. */
  readonly endedAtKilled: number
  readonly endedAtOthers: number
  /** From the kill until the last connection to the killed server has ended. */
  readonly endedMs: number | null
  /** Opened after the kill. */
  readonly fresh: number
  readonly freshFailed: number
  /** Of all fresh connections together, as Sluice counts them: connects to the killed server. */
  readonly connectsToKilled: number
}

const SERVERS = 3
const END_WITHIN_MS = 20_000
/** In which a connection that ends for no reason is noticed. */
const WATCH_MS = 2_000

export async function runTcpKill(lab: Lab): Promise<TcpKillResult> {
  const [ours] = TCP_CONTENDERS
  if (ours === undefined) throw new Error('there is no Sluice')
  const servers: TcpServers[] = []
  for (let i = 0; i < SERVERS; i++) {
    servers.push(await startTcpServers(join(lab.folder, `tcp-server-${i}`), 1))
  }
  const ports = servers.flatMap((server) => server.ports)
  const site = await createTcpSite(join(lab.folder, 'tcp-kill'), ports)
  const sluice = await startTcpContender(ours, site, 'any')
  const held = holdConnections(site.port)
  try {
    const [victim] = servers
    const killed = String(ports[0])
    const wanted = Math.min(lab.plan.tcpConnections, mostConnections())
    const before = await held.open(wanted)
    const others = ports.slice(1).map((port) => before.open[port] ?? 0)
    const endedBefore = sumOf(before.ended) + before.failed

    const killedAt = performance.now()
    if (victim !== undefined) process.kill(victim.started.pid, 'SIGKILL')
    let endedMs: number | null = null
    while (endedMs === null && performance.now() - killedAt < END_WITHIN_MS) {
      const { open } = await held.look()
      if (open[killed] === 0) endedMs = performance.now() - killedAt
      else await pause(20)
    }
    const fresh = Math.ceil(wanted / 10)
    const after = await held.open(fresh)
    await pause(WATCH_MS)
    const last = await held.look()
    if (endedBefore > 0) throw new Error(`${endedBefore} connections ended before the kill`)
    return {
      connections: wanted,
      atKilled: before.open[killed] ?? 0,
      atOthers: others,
      endedAtKilled: last.ended[killed] ?? 0,
      endedAtOthers: sumOf(last.ended) - (last.ended[killed] ?? 0),
      endedMs,
      fresh,
      freshFailed: after.failed,
      connectsToKilled: await failuresOf(site.adminPort, `127.0.0.1:${killed}`),
    }
  } finally {
    await held.end()
    await sluice.stop()
    for (const { started } of servers) await started.stop()
  }
}

export function judgeTcpKill(found: TcpKillResult): Check[] {
  const { connections, atKilled, endedAtKilled, endedAtOthers, fresh, freshFailed } = found
  const of = 'one of three TCP servers is killed'
  return [
    {
      ...{ of, bar: 'all connections of the killed server end, and no others' },
      found: `${endedAtKilled} of ${atKilled} in ${ms(found.endedMs)}, ${endedAtOthers} of ${connections - atKilled} others`,
      isMet: atKilled > 0 && endedAtKilled === atKilled && endedAtOthers === 0,
    },
    {
      ...{ of, bar: 'every new connection reaches another server' },
      found: `${freshFailed} of ${fresh} failed`,
      isMet: freshFailed === 0,
    },
    {
      ...{ of, bar: 'no new connection meets it twice' },
      found: `${found.connectsToKilled} connects to it, for ${fresh} new connections`,
      isMet: found.connectsToKilled <= fresh,
    },
  ]
}

/** Failed connects, as Sluice's metrics count them. */
async function failuresOf(adminPort: number, server: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
  let sum = 0
  for (const line of (await response.text()).split('\n')) {
    if (line.startsWith('sluice_server_failures_total{') && line.includes(server)) {
      sum += Number(line.slice(line.lastIndexOf(' ') + 1))
    }
  }
  return sum
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
