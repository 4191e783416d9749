/** What all of it costs a request that nothing is wrong with: CPU time with everything on against everything off, in turns. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { configuration, ours, serve } from '../contenders/ours.ts'
import type { Contender } from '../contender.ts'
import { median } from '../figures.ts'
import { availableGenerator } from '../load.ts'
import { startOrigins } from '../origins.ts'
import { QUICK } from '../plan.ts'
import { pinBench } from '../processes.ts'
import { timeResponses } from '../scenarios/timed.ts'
import type { TimedResult } from '../scenarios/timed.ts'
import { GUARDED, HEALTH, TIMEOUTS } from './arena.ts'
import type { Lab } from './arena.ts'
import type { Check } from './check.ts'

export interface CostResult {
  /** CPU microseconds per request. */
  readonly without: number
  readonly with: number
  /** Of each round, in which the two take turns. */
  readonly differences: readonly number[]
  readonly errors: number
}

const MOST_MICROS = 1.5

// The origins of the bench know no /healthz.
const BACKEND = {
  ...GUARDED,
  health: { ...HEALTH, path: '/1k' },
  timeouts: { ...TIMEOUTS, request: '30s' },
}
const BREAKER = {
  condition: 'ResponseCodeRatio(500, 600, 0, 600) > 0.3 || NetworkErrorRatio() > 0.3',
  fallback: { respond: { status: 503 } },
}

/** Keeps this process on one core from here on: it goes last. */
export async function runCost(lab: Lab): Promise<CostResult> {
  pinBench()
  const origins = await startOrigins(join(lab.folder, 'cost-origins'))
  try {
    const bench: Bench = {
      folder: lab.folder,
      plan: {
        ...QUICK,
        rounds: lab.plan.costRounds,
        windowSeconds: lab.plan.costWindowSeconds,
      },
      contenders: [
        variant('without', { ejection: { failures: 0 }, retry: { attempts: 1 } }, {}),
        variant('with', BACKEND, { breaker: BREAKER }),
      ],
      tcpContenders: [],
      originPorts: origins.ports,
      http2OriginPorts: origins.http2Ports,
      certificate: null,
      generator: availableGenerator(),
      say: lab.say,
    }
    return resultOf(await timeResponses(bench, { response: '1k', tls: false }))
  } finally {
    await origins.stop()
  }
}

function variant(name: string, backend: object, frontend: object): Contender {
  return {
    ...ours,
    name,
    title: `Sluice ${name} it all`,
    prepare(site) {
      const { backends, frontends, ...rest } = configuration(site, { workers: 1 })
      const { origins } = backends as { origins: object }
      const file = join(site.folder, 'sluice.json')
      const declared = {
        ...rest,
        backends: { origins: { ...origins, ...backend } },
        frontends: { r0: { ...frontends['r0'], ...frontend } },
      }
      writeFileSync(file, JSON.stringify(declared))
      return serve(file)
    },
  }
}

function resultOf({ entries, absent }: TimedResult): CostResult {
  if (absent.length > 0) throw new Error(absent.join('; '))
  const [off = [], on = []] = entries.map(({ samples }) =>
    samples.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest),
  )
  return {
    without: median(off),
    with: median(on),
    differences: off.map((micros, round) => (on[round] ?? NaN) - micros),
    errors: entries.flatMap(({ samples }) => samples).reduce((sum, { errors }) => sum + errors, 0),
  }
}

export function judgeCost({ without, with: on, differences, errors }: CostResult): Check[] {
  const more = median(differences)
  const spread = `${Math.min(...differences).toFixed(2)} to ${Math.max(...differences).toFixed(2)}`
  return [
    {
      of: 'breaker, health, ejection, retries, time limits on',
      bar: `<= ${MOST_MICROS} us more CPU per request`,
      found: `${more.toFixed(2)} us more (${spread}; medians ${without.toFixed(1)} and ${on.toFixed(1)}, ${errors} errors)`,
      isMet: more <= MOST_MICROS && errors === 0,
    },
  ]
}
