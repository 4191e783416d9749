/**
 * The table changes while requests flow. Sluice runs here as it would on a two-core machine, with two serving threads that
 * are free to use both cores; a prober sends 1,000 requests/s through to the origins, and 500/s to a route that a serving
 * thread serves alone, whose slowest response is its longest stall as a client sees it. The same is watched for a while with
 * nothing changing: what that shows is the machine's, not the change's.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openSite } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { statusOf } from '../contender.ts'
import { configuration, frontend, serve } from '../contenders/ours.ts'
import { percentile } from '../figures.ts'
import { createLiveFile, openWatch } from '../live-file.ts'
import type { LiveFile, Watch } from '../live-file.ts'
import { watchLoopDelays } from '../loop-delay.ts'
import type { LoopDelays, LoopWatch } from '../loop-delay.ts'
import { CHANGING_ROUTES } from '../plan.ts'
import { startProber } from '../prober.ts'
import type { Prober, ProberResult } from '../prober.ts'
import { start } from '../processes.ts'
import { hostOf } from '../request.ts'
import type { Site } from '../site.ts'

export interface ChangeResult {
  readonly routes: number
  readonly changes: number
  /** From the write of the file until every watched connection got the new response. */
  readonly inForceMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly samplesMs: readonly number[]
  readonly stallMs: number
  readonly quietStallMs: number
  /** By Sluice's own account, over the changes and before them. */
  readonly loopDelaysMs: LoopDelays
  readonly quietLoopDelaysMs: LoopDelays
  readonly changing: ProberResult
  readonly quiet: ProberResult
}

export interface GrowResult {
  readonly additions: number
  readonly seconds: number
  /** From the last write until the last route responded. */
  readonly lastInForceMs: number
  readonly failed: number
  readonly stallMs: number
  readonly prober: ProberResult
}

interface Stage {
  readonly site: Site
  readonly file: LiveFile
  readonly watch: Watch
  /** Both end with the stage at the latest. */
  readonly probe: () => Prober
  readonly watchLoops: () => LoopWatch
}

const STALL_HOST = 'stall.bench.test'
const ADDITION_EVERY_MS = 20
const IN_FORCE_LIMIT_MS = 10_000

export async function measureChanges(bench: Bench): Promise<ChangeResult> {
  return onStage(bench, CHANGING_ROUTES, async ({ file, watch, probe, watchLoops }) => {
    const before = probe()
    const loopsBefore = watchLoops()
    await pause(bench.plan.quietSeconds * 1000)
    const quiet = await before.finish()
    const quietLoopDelaysMs = loopsBefore.finish()
    const during = probe()
    const loopsDuring = watchLoops()
    const samplesMs: number[] = []
    for (let change = 0; change < bench.plan.changes; change++) {
      // Spread over the table, and never one of the routes that the prober uses.
      const route = 100 + ((change * 7919) % (CHANGING_ROUTES - 100))
      const host = hostOf(route)
      const answered = { route: `Host("${host}")`, respond: { status: 410 } }
      const written = file.put(`r${route}`, answered)
      samplesMs.push((await watch.untilAll(host, 410, IN_FORCE_LIMIT_MS)) - written)
      await pause(30)
    }
    const changing = await during.finish()
    const loopDelaysMs = loopsDuring.finish()
    return {
      routes: CHANGING_ROUTES,
      changes: samplesMs.length,
      inForceMs: {
        p50: percentile(samplesMs, 0.5),
        p99: percentile(samplesMs, 0.99),
        max: percentile(samplesMs, 1),
      },
      samplesMs,
      stallMs: changing.streams['answered']?.maxMs ?? NaN,
      quietStallMs: quiet.streams['answered']?.maxMs ?? NaN,
      loopDelaysMs,
      quietLoopDelaysMs,
      changing,
      quiet,
    }
  })
}

export async function measureGrowth(bench: Bench): Promise<GrowResult> {
  return onStage(bench, 100, async ({ file, watch, probe }) => {
    const prober = probe()
    const began = performance.now()
    const { additions } = bench.plan
    let written = began
    for (let added = 1; added <= additions; added++) {
      written = file.put(`added${added}`, frontend(`added${added}.bench.test`))
      await pause(Math.max(0, began + added * ADDITION_EVERY_MS - performance.now()))
    }
    const seconds = (performance.now() - began) / 1000
    const inForce = await watch.untilAll(`added${additions}.bench.test`, 200, IN_FORCE_LIMIT_MS)
    const seen = await prober.finish()
    return {
      additions,
      seconds,
      lastInForceMs: inForce - written,
      failed: Object.values(seen.streams).reduce((sum, stream) => sum + stream.failed, 0),
      stallMs: seen.streams['answered']?.maxMs ?? NaN,
      prober: seen,
    }
  })
}

async function onStage<T>(
  bench: Bench,
  routes: number,
  act: (stage: Stage) => Promise<T>,
): Promise<T> {
  const site = await openSite(bench, 'changing', routes)
  // The folder is watched: it holds the file alone.
  const folder = join(site.folder, 'watched')
  mkdirSync(folder)
  const declared = configuration(site, { workers: 2 })
  const stall = { route: `Host("${STALL_HOST}")`, respond: { status: 200 } }
  const frontends = { ...declared.frontends, stall }
  const file = createLiveFile(join(folder, 'sluice.json'), { ...declared, frontends })
  const started = start(serve(file.path), 'any', join(site.folder, 'output.log'))
  const watch = openWatch(site.port, '/1k')
  const endings: (() => unknown)[] = []
  try {
    while ((await statusOf(site.adminPort, 'localhost', '/readyz')) !== 200) {
      if (started.ended()) throw new Error(`Sluice did not start: ${started.lastWords()}`)
      await pause(20)
    }
    const hosts = Array.from({ length: Math.min(100, routes) }, (_, route) => hostOf(route))
    const probe = (): Prober => {
      const prober = startProber({
        port: site.port,
        path: '/1k',
        streams: [
          { name: 'proxied', hosts, requestsPerSecond: 1000 },
          { name: 'answered', hosts: [STALL_HOST], requestsPerSecond: 500 },
        ],
      })
      endings.push(prober.end)
      return prober
    }
    const watchLoops = (): LoopWatch => {
      const loops = watchLoopDelays(site.adminPort)
      endings.push(loops.finish)
      return loops
    }
    // Compiled code first: a thread that has served nothing yet stalls for reasons of its own.
    const warmUp = probe()
    await pause(bench.plan.settleSeconds * 1000)
    await warmUp.finish()
    return await act({ site, file, watch, probe, watchLoops })
  } finally {
    for (const end of endings) end()
    watch.close()
    await started.stop()
  }
}
