/**
 * A registry is killed under load and comes back after a minute, with its data; the same again, and it comes back with
 * nothing; and Sluice is started anew while it is away.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'
import type { Registry, RemoteRegistry } from '../../test/support/registries.ts'
import { statusOf } from '../contender.ts'
import { openWatch } from '../live-file.ts'
import { hostOf } from '../request.ts'
import { onStage, putAnswer, until } from './stage.ts'
import type { Kind, Lab } from './stage.ts'

export interface OutageResult {
  readonly kind: Kind
  readonly awaySeconds: number
  readonly requests: number
  /** Over the outage, the return with data, the return with nothing, and what follows until it is held. */
  readonly failed: number
  readonly failures: readonly string[]
  readonly frontends: number
  /** Of the frontends requested at the end, those that did not return 200. */
  readonly routesLost: number
  readonly noticedMs: number
  /** From the moment that the registry responds again. */
  readonly liveAgainMs: number
  readonly held: SourceReport['held']
  /** A new process while the registry is away. */
  readonly restartReadyMs: number
  readonly restartRoutesLost: number
}

const FRONTENDS = 1_000
const LIMIT_MS = 30_000

export function measureOutage(lab: Lab, kind: RemoteRegistry['kind']): Promise<OutageResult> {
  return onStage(lab, kind, FRONTENDS, async (stage, opened) => {
    const registry = asRemote(opened)
    const sluice = await stage.startSluice()
    const watch = openWatch(stage.port, '/')
    stage.after(watch.close)
    const prober = stage.probe(500)
    const state = async (): Promise<string> => (await stage.report()).state
    await pause(1_000)

    await registry.server.kill()
    const noticedMs = await until(async () => (await state()) === 'stale', 'stale', LIMIT_MS)
    lab.say(`${kind} is away for ${lab.plan.awaySeconds} s`)
    await pause(lab.plan.awaySeconds * 1_000)
    await registry.server.start()
    const liveAgainMs = await until(async () => (await state()) === 'live', 'live', LIMIT_MS)
    await putAnswer(await registry.keys(), 'later', 410)
    await watch.untilAll('later.bench.test', 410, LIMIT_MS)

    await registry.server.wipe()
    await registry.server.start()
    await until(async () => (await stage.report()).held !== null, 'held', LIMIT_MS)
    const { held } = await stage.report()
    const seen = (await prober.finish()).streams['proxied']
    const routesLost = await countLost(stage.port)

    await sluice.stop()
    await registry.server.kill()
    const { readyMs } = await stage.startSluice()
    const restartRoutesLost = await countLost(stage.port)

    return {
      kind,
      awaySeconds: lab.plan.awaySeconds,
      requests: seen?.sent ?? NaN,
      failed: seen?.failed ?? NaN,
      failures: seen?.failures ?? [],
      frontends: FRONTENDS,
      routesLost,
      noticedMs,
      liveAgainMs,
      held,
      restartReadyMs: readyMs,
      restartRoutesLost,
    }
  })
}

function asRemote(registry: Registry | RemoteRegistry): RemoteRegistry {
  if ('server' in registry) return registry
  throw new Error(`${registry.kind} cannot be killed`)
}

async function countLost(port: number): Promise<number> {
  let lost = 0
  for (let route = 0; route < FRONTENDS; route++) {
    if ((await statusOf(port, hostOf(route), '/1k')) !== 200) lost++
  }
  return lost
}
