/**
 * A thousand slow connections to the admin: heads that do not end, bodies that do not come, silence. Each that is closed is opened
 * again after a second, so that the admin, which keeps 256, has several hundred new ones a second. Traffic is timed beside it, and
 * an honest client of the admin that opens a connection for each request, as probes do.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Owner } from '../../test/support/daemon.ts'
import { percentile } from '../figures.ts'
import { type Lab, onArena, runPhases } from './arena.ts'
import { type Check, ms } from './check.ts'
import { clockMs } from './clock.ts'
import type { Phase, Span } from './figures.ts'

export interface AdminPhase {
  readonly requests: number
  /** Anything but a 200. */
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface SlowAdminResult {
  readonly before: Phase
  readonly during: Phase
  readonly after: Phase
  readonly admin: { readonly before: AdminPhase; readonly during: AdminPhase }
  readonly slow: { readonly opened: number; readonly closed: number }
  /** The longest time that the load itself did not get to run. */
  readonly ownStallMs: number
}

export const CONNECTIONS = 1_000
const AGAIN_MS = 1_000
const ASK_EVERY_MS = 10
const LATE_MS = 5_000
export const TRAFFIC_BAR = 1.5
export const ADMIN_BAR_MS = 100

/** Of each, a head that never ends, a body that never comes, or nothing. */
const BEGINNINGS = [
  'GET /api/table HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
  'PUT /api/objects/backend/b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
  'GET /api/events HTTP/1.1\r\nHost: localhost\r\n',
  '',
]

export function runSlowAdmin(lab: Lab): Promise<SlowAdminResult> {
  // Without limits of time and ejection, which a busy machine would meet by itself.
  return onArena(lab, { name: 'slow-admin', backend: {} }, async (arena) => {
    const { adminPort } = arena.sluice.site
    const honest = startHonest(arena, adminPort)
    let slow: SlowClients | null = null
    const run = await runPhases(
      arena,
      lab.plan,
      {},
      {
        faultMs: lab.plan.faultMs,
        begin: () => void (slow = openSlow(arena, adminPort)),
        end: () => slow?.end(),
      },
    )
    const asked = await honest.stop()
    return {
      before: run.phase(run.quiet),
      during: run.phase(run.fault),
      after: run.phase(run.after),
      admin: { before: phaseOf(asked, run.quiet), during: phaseOf(asked, run.fault) },
      slow: (slow as SlowClients | null)?.counts ?? { opened: 0, closed: 0 },
      ownStallMs: run.load.ownStallMs,
    }
  })
}

export function judgeSlowAdmin({ before, during, admin, slow }: SlowAdminResult): Check[] {
  const of = `${CONNECTIONS} slow connections to the admin`
  const failed = during.failedIdempotent + during.failedOther
  const times = during.p99Ms / before.p99Ms
  return [
    {
      ...{ of, bar: 'no request of traffic fails' },
      found: `${failed} of ${during.requests}`,
      isMet: failed === 0 && during.requests > 0,
    },
    {
      ...{ of, bar: `p99 of traffic <= ${TRAFFIC_BAR} x` },
      found: `${times.toFixed(2)} x (${ms(before.p99Ms)} / ${ms(during.p99Ms)})`,
      isMet: times <= TRAFFIC_BAR,
    },
    {
      ...{ of, bar: 'no request of an honest client of the admin fails' },
      found: `${admin.during.failed} of ${admin.during.requests}`,
      isMet: admin.during.failed === 0 && admin.during.requests > 0,
    },
    {
      ...{ of, bar: `its p99 <= ${ADMIN_BAR_MS} ms` },
      found: `${ms(admin.before.p99Ms)} / ${ms(admin.during.p99Ms)}`,
      isMet: admin.during.p99Ms <= ADMIN_BAR_MS,
    },
    {
      ...{ of, bar: 'slow ones that were opened, and that the admin closed' },
      found: `${slow.opened}, ${slow.closed}`,
      isMet: null,
    },
  ]
}

interface SlowClients {
  readonly counts: { readonly opened: number; readonly closed: number }
  end(): void
}

function openSlow(owner: Owner, port: number): SlowClients {
  const counts = { opened: 0, closed: 0 }
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  let isOver = false

  function open(at: number): void {
    const socket = connect(port, '127.0.0.1')
    sockets.add(socket)
    socket.once('connect', () => {
      counts.opened++
      socket.write(BEGINNINGS[at % BEGINNINGS.length] ?? '')
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      if (isOver) return
      counts.closed++
      const timer = setTimeout(() => {
        timers.delete(timer)
        open(at)
      }, AGAIN_MS)
      timers.add(timer)
    })
    socket.resume()
  }

  function end(): void {
    isOver = true
    for (const timer of timers) clearTimeout(timer)
    for (const socket of sockets) socket.destroy()
  }

  for (let at = 0; at < CONNECTIONS; at++) open(at)
  owner.after(end)
  return { counts, end }
}

interface Asked {
  readonly atMs: number
  readonly tookMs: number
  readonly isServed: boolean
}

/** `/healthz` and a list in turn, each on a connection of its own. */
function startHonest(owner: Owner, port: number): { stop: () => Promise<readonly Asked[]> } {
  const asked: Asked[] = []
  let isOver = false
  const all = (async () => {
    for (let turn = 0; !isOver; turn++) {
      const atMs = clockMs()
      const path = turn % 2 === 0 ? '/healthz' : '/api/servers'
      const isServed = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { Connection: 'close' },
        signal: AbortSignal.timeout(LATE_MS),
      })
        .then(async (response) => {
          await response.arrayBuffer()
          return response.status === 200
        })
        .catch(() => false)
      asked.push({ atMs, tookMs: clockMs() - atMs, isServed })
      await pause(ASK_EVERY_MS)
    }
  })()
  owner.after(() => (isOver = true))
  return {
    async stop() {
      isOver = true
      await all
      return asked
    },
  }
}

function phaseOf(asked: readonly Asked[], { fromMs, toMs }: Span): AdminPhase {
  const within = asked.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  const took = within.map(({ tookMs }) => tookMs)
  return {
    requests: within.length,
    failed: within.filter(({ isServed }) => !isServed).length,
    p50Ms: percentile(took, 0.5),
    p99Ms: percentile(took, 0.99),
  }
}
