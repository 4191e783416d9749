/** From the start of the process to ready with a large table in the registry and nothing on disk. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '../figures.ts'
import { statusOf } from '../contender.ts'
import { residentBytes } from '../proc.ts'
import { hostOf } from '../request.ts'
import { onStage } from './stage.ts'
import type { Kind, Lab } from './stage.ts'

export interface ReadyResult {
  readonly kind: Kind
  readonly frontends: number
  readonly medianMs: number
  readonly samplesMs: readonly number[]
  readonly residentBytes: number
}

export function measureReady(lab: Lab, kind: Kind): Promise<ReadyResult> {
  const { frontends } = lab.plan
  return onStage(lab, kind, frontends, async (stage) => {
    const samplesMs: number[] = []
    const resident: number[] = []
    for (let turn = 0; turn < lab.plan.readyTurns; turn++) {
      rmSync(join(stage.folder, 'data'), { recursive: true, force: true })
      const sluice = await stage.startSluice()
      samplesMs.push(sluice.readyMs)
      // Ready is a promise: the last of the routes must respond now.
      const status = await statusOf(stage.port, hostOf(frontends - 1), '/1k')
      if (status !== 200) throw new Error(`ready, but the last route returns ${status}`)
      resident.push(residentBytes(sluice.pids()))
      await sluice.stop()
    }
    return {
      kind,
      frontends,
      medianMs: median(samplesMs),
      samplesMs,
      residentBytes: median(resident),
    }
  })
}
