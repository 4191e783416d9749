/** From the start of the process to ready, with a large table in a JSON file, and what that table takes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openSite } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { statusOf } from '../contender.ts'
import { configuration, serve } from '../contenders/ours.ts'
import { median } from '../figures.ts'
import { peakResidentBytes, residentBytes } from '../proc.ts'
import { PROXY_CORE, start } from '../processes.ts'
import { hostOf } from '../request.ts'

export interface ReadyResult {
  readonly routes: number
  readonly fileBytes: number
  readonly readySeconds: number
  /** A moment after ready; and the most it ever was. */
  readonly residentBytes: number
  readonly peakResidentBytes: number
  readonly samples: readonly ReadySample[]
}

interface ReadySample {
  readonly readySeconds: number
  readonly residentBytes: number
  readonly peakResidentBytes: number
}

const SETTLE_MS = 2000
const LIMIT_MS = 60_000

export async function measureReady(bench: Bench): Promise<ReadyResult> {
  const routes = bench.plan.readyRoutes
  const samples: ReadySample[] = []
  let fileBytes = 0
  for (let turn = 0; turn < (bench.plan.quick ? 1 : 3); turn++) {
    const site = await openSite(bench, 'ready', routes)
    const file = join(site.folder, 'sluice.json')
    const text = JSON.stringify(configuration(site, { workers: 1 }))
    fileBytes = text.length
    writeFileSync(file, text)
    const began = performance.now()
    const started = start(serve(file), PROXY_CORE, join(site.folder, 'output.log'))
    try {
      while ((await statusOf(site.adminPort, 'localhost', '/readyz')) !== 200) {
        const late = performance.now() - began > LIMIT_MS
        if (started.ended() || late) throw new Error(`never ready: ${started.lastWords()}`)
        await pause(10)
      }
      const readySeconds = (performance.now() - began) / 1000
      // Ready is a promise: the last of the routes must respond now.
      const status = await statusOf(site.port, hostOf(routes - 1), '/1k')
      if (status !== 200) throw new Error(`ready, but the last route returns ${status}`)
      await pause(SETTLE_MS)
      const pids = started.pids()
      samples.push({
        readySeconds,
        residentBytes: residentBytes(pids),
        peakResidentBytes: peakResidentBytes(pids),
      })
    } finally {
      await started.stop()
    }
  }
  return {
    routes,
    fileBytes,
    readySeconds: median(samples.map((sample) => sample.readySeconds)),
    residentBytes: median(samples.map((sample) => sample.residentBytes)),
    peakResidentBytes: median(samples.map((sample) => sample.peakResidentBytes)),
    samples,
  }
}
