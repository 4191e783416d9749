/**
 * Live upgrades in a row under load: kept connections, new ones, HTTP/2 and POSTs at a constant rate, and open WebSockets.
 * A request that fails, a connection that is refused and a tunnel that ends before `drain` are counted.
 */
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import type { Owner } from '../../test/support/daemon.ts'
import { type Arena, CLIENTS, DELAY_MS, type Lab, onArena, POST_EVERY } from './arena.ts'
import { type Check, ms } from './check.ts'
import { clockMs } from './clock.ts'
import { startLoad, type LoadResult } from './load.ts'

export interface UpgradeResult {
  readonly upgrades: number
  readonly requests: number
  /** By outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly notes: readonly string[]
  /** New connections, one after another. */
  readonly fresh: { readonly opened: number; readonly refused: number }
  /** One was opened before each upgrade; the last five. */
  readonly tunnels: { readonly opened: number; readonly open: number }
  /** From each signal until the next process serves. */
  readonly tookMs: readonly number[]
  readonly p99Ms: number
  readonly p99QuietMs: number
}

/** CHAOS_UPGRADES: another number. */
const UPGRADES = Number(process.env['CHAOS_UPGRADES'] ?? 5)
const TUNNELS = 5
const SERVES_WITHIN_MS = 60_000

export function runUpgrade(lab: Lab): Promise<UpgradeResult> {
  const ends: (() => unknown)[] = []
  const owner: Owner = { after: (end) => void ends.unshift(end) }
  return withEnds(ends, async () => {
    const echo = await startEcho(owner)
    const extra = {
      backends: { echo: { servers: { only: echo } } },
      frontends: { echo: { route: 'Path("/echo")', backend: 'echo' } },
    }
    return onArena(lab, { name: 'upgrade', backend: {}, extra }, async (arena) => {
      const pids = [arena.sluice.pid]
      arena.after(() => endAll(pids.slice(1)))
      return upgradeUnderLoad(lab, arena, owner, pids)
    })
  })
}

async function upgradeUnderLoad(
  lab: Lab,
  arena: Arena,
  owner: Owner,
  pids: number[],
): Promise<UpgradeResult> {
  const { plan } = lab
  const load = startLoad(arena, {
    port: arena.port,
    requestsPerSecond: plan.requestsPerSecond,
    clients: CLIENTS,
    http2Sessions: 8,
    postEvery: POST_EVERY,
  })
  const fresh = startFresh(arena.port)
  const tunnels: WebSocket[] = []
  await pause(plan.warmUpMs + plan.quietMs)
  const quietUntil = clockMs()
  const tookMs: number[] = []
  for (let at = 0; at < UPGRADES; at++) {
    tunnels.push(await openTunnel(owner, arena.port))
    const began = performance.now()
    process.kill(pids.at(-1) ?? 0, 'SIGUSR2')
    pids.push(await nextPid(arena.sluice.site.adminPort, pids.at(-1) ?? 0))
    tookMs.push(performance.now() - began)
    await pause(plan.afterMs)
  }
  // The drain of programs further back may be over.
  const late = tunnels.slice(-TUNNELS)
  const open = await countOpen(late)
  const freshResult = await fresh.stop()
  const result: LoadResult = await load.finish()
  const outcomes: Record<string, number> = {}
  for (const { outcome } of result.samples) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  const upgraded = result.samples.filter(({ atMs }) => atMs >= quietUntil)
  const early = result.samples.filter(({ atMs }) => atMs < quietUntil)
  return {
    upgrades: pids.length - 1,
    requests: result.samples.length,
    outcomes,
    notes: result.notes,
    fresh: freshResult,
    tunnels: { opened: late.length, open },
    tookMs,
    p99Ms: p99(upgraded.map((one) => one.tookMs)),
    p99QuietMs: p99(early.map((one) => one.tookMs)),
  }
}

export function judgeUpgrade(found: UpgradeResult): Check[] {
  const { upgrades, requests, outcomes, fresh, tunnels, tookMs } = found
  const of = `${UPGRADES} live upgrades under load`
  const failed = requests - (outcomes['200'] ?? 0)
  return [
    {
      ...{ of, bar: 'no request fails' },
      found: `${failed} of ${requests} in ${upgrades} upgrades`,
      isMet: upgrades === UPGRADES && failed === 0,
    },
    {
      ...{ of, bar: 'no connection is refused' },
      found: `${fresh.refused} of ${fresh.opened + fresh.refused} new ones`,
      isMet: fresh.refused === 0 && fresh.opened > 0,
    },
    {
      ...{ of, bar: 'WebSockets stay until the drain ends' },
      found: `${tunnels.open} of ${tunnels.opened}`,
      isMet: tunnels.open === tunnels.opened && tunnels.opened === Math.min(UPGRADES, TUNNELS),
    },
    {
      ...{ of, bar: 'from the signal to the next process' },
      found: tookMs.map((one) => ms(one)).join(', '),
      isMet: null,
    },
    {
      ...{
        of,
        bar: `p99 (${ms(found.p99QuietMs)} before, of which ${DELAY_MS} ms are the server's)`,
      },
      found: ms(found.p99Ms),
      isMet: null,
    },
  ]
}

/** One connection after another, each with one request. */
function startFresh(port: number): { stop: () => Promise<UpgradeResult['fresh']> } {
  let isStopped = false
  let opened = 0
  let refused = 0
  const all = (async () => {
    while (!isStopped) {
      const isServed = await fetch(`http://127.0.0.1:${port}/ready`, {
        headers: { Connection: 'close' },
      })
        .then(async (response) => {
          await response.arrayBuffer()
          return response.status === 200
        })
        .catch(() => false)
      if (isServed) opened++
      else refused++
      await pause(2)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await all
      return { opened, refused }
    },
  }
}

/** The id of the process that responds, once it is another one. */
async function nextPid(adminPort: number, before: number): Promise<number> {
  const until = performance.now() + SERVES_WITHIN_MS
  while (performance.now() < until) {
    const report = await fetch(`http://127.0.0.1:${adminPort}/api/process`)
      .then((response) => response.json() as Promise<{ pid: number; upgrade: { reason: unknown } }>)
      .catch(() => null)
    if (report !== null && report.pid !== before) return report.pid
    if (typeof report?.upgrade.reason === 'string') throw new Error(report.upgrade.reason)
    await pause(20)
  }
  throw new Error('no next process serves')
}

async function startEcho(owner: Owner): Promise<string> {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  owner.after(() => {
    for (const client of sockets.clients) client.terminate()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function openTunnel(owner: Owner, port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`)
  socket.on('error', () => {})
  owner.after(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

/** Those over which a message comes back. */
async function countOpen(tunnels: readonly WebSocket[]): Promise<number> {
  const alive = await Promise.all(
    tunnels.map(async (socket) => {
      if (socket.readyState !== WebSocket.OPEN) return false
      const back = once(socket, 'message').then(() => true)
      socket.send('still there')
      return Promise.race([back, pause(2_000, false)])
    }),
  )
  return alive.filter(Boolean).length
}

async function withEnds<T>(ends: (() => unknown)[], act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } finally {
    for (const end of ends) await end()
  }
}

async function endAll(pids: readonly number[]): Promise<void> {
  const isAlive = (pid: number): boolean => signal(pid, 0)
  for (const pid of pids) signal(pid, 'SIGKILL')
  while (pids.some(isAlive)) await pause(10)
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0
}
