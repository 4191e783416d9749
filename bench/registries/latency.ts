/** From the call that puts an object into the registry until every serving thread uses it, over a steady light load. */
import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from '../figures.ts'
import { openWatch } from '../live-file.ts'
import { onStage, putAnswer } from './stage.ts'
import type { Kind, Lab } from './stage.ts'

export interface LatencyResult {
  readonly kind: Kind
  readonly puts: number
  /** The call itself, until the registry has acknowledged it. */
  readonly putMs: Quantiles
  readonly inForceMs: Quantiles
  readonly failed: number
  readonly samplesMs: readonly number[]
}

interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const FRONTENDS = 1_000
const WARM_UP = 20

export function measureLatency(lab: Lab, kind: Kind): Promise<LatencyResult> {
  return onStage(lab, kind, FRONTENDS, async (stage, registry) => {
    await stage.startSluice()
    const watch = openWatch(stage.port, '/')
    stage.after(watch.close)
    const prober = stage.probe(100)
    const keys = await registry.keys()
    const putsMs: number[] = []
    const samplesMs: number[] = []
    for (let turn = 0; turn < WARM_UP + lab.plan.latencyPuts; turn++) {
      const status = 400 + (turn % 50)
      const began = performance.now()
      const acknowledged = putAnswer(keys, 'watched', status).then(() => performance.now())
      const inForce = await watch.untilAll('watched.bench.test', status, 10_000)
      if (turn >= WARM_UP) {
        putsMs.push((await acknowledged) - began)
        samplesMs.push(inForce - began)
      }
      await acknowledged
      await pause(20)
    }
    const seen = await prober.finish()
    return {
      kind,
      puts: samplesMs.length,
      putMs: quantilesOf(putsMs),
      inForceMs: quantilesOf(samplesMs),
      failed: seen.streams['proxied']?.failed ?? NaN,
      samplesMs,
    }
  })
}

function quantilesOf(samples: readonly number[]): Quantiles {
  return {
    p50: percentile(samples, 0.5),
    p99: percentile(samples, 0.99),
    max: percentile(samples, 1),
  }
}
