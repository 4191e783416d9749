/**
 * Ten times the load for a minute, then none, with processes that Sluice starts and stops by itself: how soon there are more, how
 * soon fewer, how often the direction changes, and whether a request fails. At the end there is no replica, and one request.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startContender } from '../contender.ts'
import { ours, serve } from '../contenders/ours.ts'
import { adjacentPorts } from '../../test/support/ports.ts'
import { createSite } from '../site.ts'
import type { Lab } from './arena.ts'
import { type Check, ms } from './check.ts'
import { clockMs } from './clock.ts'
import { startLoad, type LoadResult } from './load.ts'

export interface ScaleResult {
  readonly requests: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly notes: readonly string[]
  /** From ten times the load to the first decision up, and to all replicas that it needs. */
  readonly upMs: number | null
  readonly enoughMs: number | null
  readonly most: number
  /** From the end of the load to the first decision down. */
  readonly downMs: number | null
  /** From there to none. */
  readonly zeroMs: number | null
  readonly directionChanges: number
  readonly decisions: readonly string[]
  readonly first: { readonly status: number; readonly tookMs: number }
}

interface Seen {
  readonly atMs: number
  readonly observed: number | null
  readonly ready: number
}

interface Report {
  readonly observed: number | null
  readonly ready: number
  readonly decisions: readonly {
    readonly at: string
    readonly from: number
    readonly to: number
    readonly direction: 'up' | 'down'
    readonly reason: string
    readonly outcome: string
  }[]
}

/** Of one replica: 20 at a time of 100 ms each, and 7 as it is meant to. */
const DELAY_MS = 100
const START_MS = 500
const TARGET = { target: 10, utilisation: 0.7 }
const PER_SECOND = 40
const TIMES = 10
/** What ten times the load needs: 40 in flight / 7. */
const ENOUGH = 6
const MAX = 10
const UP_WITHIN_MS = 6_000
const POLL_MS = 100
const PATIENCE_MS = 120_000

export async function runScale(lab: Lab): Promise<ScaleResult> {
  const ends: (() => unknown)[] = []
  const owner = { after: (end: () => unknown) => void ends.unshift(end) }
  const { stableMs, baseMs, loadMs, idleMs } = lab.plan.scale
  const ports = await adjacentPorts(MAX)
  const folder = join(lab.folder, 'scale')
  const site = await createSite(folder, { certificate: null, origins: [0, 0], routes: 1 })
  const program = fileURLToPath(new URL('./replica.process.ts', import.meta.url))
  const file = join(folder, 'sluice.json')
  const declared = {
    workers: 2,
    admin: { address: `127.0.0.1:${site.adminPort}` },
    log: { level: 'info', access: 'off' },
    data: join(folder, 'data'),
    listeners: { web: { address: `127.0.0.1:${site.port}` } },
    backends: {
      pool: {
        health: { path: '/healthz', interval: '250ms', timeout: '200ms', rise: 1, fall: 1 },
        panic: 0,
        scale: {
          actuator: {
            process: {
              command: [process.execPath, program, '{port}', String(DELAY_MS), String(START_MS)],
              port: ports[0],
            },
          },
          ...{ min: 0, max: MAX, concurrency: TARGET, stableWindow: seconds(stableMs) },
          panicWindow: seconds(Math.min(6_000, stableMs)),
          zero: { idle: seconds(idleMs), grace: '2s', timeout: '30s' },
        },
        servers: Object.fromEntries(ports.map((port) => [`s${port}`, `http://127.0.0.1:${port}`])),
      },
    },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'pool' } },
  }
  try {
    const prepare = (): ReturnType<typeof serve> => {
      writeFileSync(file, JSON.stringify(declared, null, 2))
      return serve(file)
    }
    const options = { path: '/', core: 'any', limitMs: 30_000 } as const
    const contender = { ...ours, title: 'Sluice for scale', prepare }
    const sluice = await startContender(contender, site, options)
    owner.after(sluice.stop)
    const report = (): Promise<Report> => readReport(site.adminPort)
    const load = (requestsPerSecond: number): ReturnType<typeof startLoad> =>
      startLoad(owner, {
        ...{ port: site.port, requestsPerSecond, clients: 50, postEvery: 0, expect: 'any' },
      })

    const base = load(PER_SECOND)
    await until(report, ({ ready, observed }) => ready === 1 && observed === 1)
    await pause(baseMs)
    const burst = load(PER_SECOND * (TIMES - 1))
    const seen = watch(report)
    await pause(loadMs)
    const results = await Promise.all([base.finish(), burst.finish()])
    // Its process takes a moment to start.
    const burstAt = Math.min(...(results[1]?.samples ?? []).map(({ atMs }) => atMs))
    const endedAt = clockMs()
    await until(report, ({ observed }) => observed === 0)
    const zeroAt = clockMs()
    const history = await seen.stop()
    const { decisions } = await report()
    const first = await firstRequest(site.port)

    return {
      ...countOutcomes(results),
      ...{ first, directionChanges: changesOf(decisions) },
      upMs: since(burstAt, history, ({ observed }) => (observed ?? 0) > 1),
      enoughMs: since(burstAt, history, ({ ready }) => ready >= ENOUGH),
      most: Math.max(...history.map(({ observed }) => observed ?? 0)),
      downMs: downAfter(endedAt, history),
      zeroMs: zeroAt - endedAt,
      decisions: decisions
        .toReversed()
        .map(({ from, to, reason, outcome }) => `${from} to ${to} by ${reason}: ${outcome}`),
    }
  } finally {
    for (const end of ends) await end()
  }
}

export function judgeScale(found: ScaleResult): Check[] {
  const { requests, outcomes, upMs, enoughMs, downMs, zeroMs, directionChanges, first } = found
  const of = 'ten times the load for a minute, then none'
  const failed = requests - (outcomes['200'] ?? 0)
  return [
    {
      ...{ of, bar: `more replicas within ${UP_WITHIN_MS / 1000} s` },
      ...{ found: ms(upMs), isMet: upMs !== null && upMs <= UP_WITHIN_MS },
    },
    { of, bar: `${ENOUGH} replicas serve`, found: ms(enoughMs), isMet: enoughMs !== null },
    {
      ...{ of, bar: 'back down after the load' },
      found: `begun ${ms(downMs)} after it, none ${ms(zeroMs)} after it`,
      isMet: downMs !== null && zeroMs !== null,
    },
    {
      ...{ of, bar: 'at most one change of direction' },
      ...{ found: String(directionChanges), isMet: directionChanges <= 1 },
    },
    {
      ...{ of, bar: 'no request fails' },
      ...{ found: `${failed} of ${requests}`, isMet: failed === 0 },
    },
    {
      ...{ of, bar: 'the first request after zero gets 200' },
      ...{ found: `${first.status} in ${ms(first.tookMs)}`, isMet: first.status === 200 },
    },
  ]
}

async function readReport(adminPort: number): Promise<Report> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/api/scale`)
  const { backends } = (await response.json()) as { readonly backends: readonly Report[] }
  const [report] = backends
  if (report === undefined) throw new Error('no backend is scaled')
  return report
}

async function until(
  report: () => Promise<Report>,
  isSo: (report: Report) => boolean,
): Promise<void> {
  const limit = performance.now() + PATIENCE_MS
  for (;;) {
    const now = await report()
    if (isSo(now)) return
    if (performance.now() > limit) throw new Error(`waited in vain; now ${JSON.stringify(now)}`)
    await pause(POLL_MS)
  }
}

function watch(report: () => Promise<Report>): { stop: () => Promise<readonly Seen[]> } {
  const seen: Seen[] = []
  let isStopped = false
  const all = (async () => {
    while (!isStopped) {
      const { observed, ready } = await report()
      seen.push({ atMs: clockMs(), observed, ready })
      await pause(POLL_MS)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await all
      return seen
    },
  }
}

function since(
  fromMs: number,
  history: readonly Seen[],
  isSo: (seen: Seen) => boolean,
): number | null {
  const found = history.find((one) => one.atMs >= fromMs && isSo(one))
  return found === undefined ? null : found.atMs - fromMs
}

/** Until there are fewer than there were at the end of the load. */
function downAfter(endedAt: number, history: readonly Seen[]): number | null {
  const at = history.findLast(({ atMs }) => atMs <= endedAt)?.observed ?? null
  return at === null
    ? null
    : since(endedAt, history, ({ observed }) => observed !== null && observed < at)
}

function changesOf(decisions: Report['decisions']): number {
  const done = decisions.filter(({ outcome }) => outcome === 'done')
  return done.filter(({ direction }, at) => at > 0 && direction !== done[at - 1]?.direction).length
}

function countOutcomes(
  results: readonly LoadResult[],
): Pick<ScaleResult, 'requests' | 'outcomes' | 'notes'> {
  const samples = results.flatMap((result) => result.samples)
  const outcomes: Record<string, number> = {}
  for (const { outcome } of samples) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  return { requests: samples.length, outcomes, notes: results.flatMap(({ notes }) => notes) }
}

async function firstRequest(port: number): Promise<ScaleResult['first']> {
  const began = performance.now()
  const response = await fetch(`http://127.0.0.1:${port}/`)
  await response.arrayBuffer()
  return { status: response.status, tookMs: performance.now() - began }
}

function seconds(durationMs: number): string {
  return `${durationMs}ms`
}
