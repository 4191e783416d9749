/** A limiter by a header gets more distinct keys than it holds: what that does to the memory of Sluice. */
import { fileURLToPath } from 'node:url'
import { run } from '../processes.ts'
import { residentBytes } from '../proc.ts'
import { onArena } from './arena.ts'
import type { Lab } from './arena.ts'
import type { Check } from './check.ts'

export interface FloodPlan {
  readonly port: number
  readonly requests: number
  readonly isDistinct: boolean
  readonly firstKey: number
}

export interface FloodResult {
  readonly statuses: Readonly<Record<string, number>>
  readonly seconds: number
}

export interface KeysResult {
  readonly keys: number
  readonly requestsPerSecond: number
  readonly statuses: Readonly<Record<string, number>>
  /** Resident, at most: over as long a flood with one key, so that what requests alone take is in it; over that of keys. */
  readonly oneKeyBytes: number
  readonly mostBytes: number
}

const MOST_GROWTH = 32 * 1024 * 1024
const SAMPLE_MS = 100

export function runKeys(lab: Lab): Promise<KeysResult> {
  const keys = lab.plan.distinctKeys
  const frontend = {
    ratelimit: { requests: 1_000_000, period: '1s', burst: 1_000_000, key: 'request.header.X-Key' },
    respond: { status: 200 },
  }
  return onArena(
    lab,
    { name: 'keys', backend: null, frontend },
    async ({ sluice, port, after }) => {
      const pids = sluice.pids()
      let mostBytes = 0
      const sample = (): void => void (mostBytes = Math.max(mostBytes, residentBytes(pids)))
      const sampling = setInterval(sample, SAMPLE_MS)
      after(() => clearInterval(sampling))
      await flood({ port, requests: keys, isDistinct: false, firstKey: 0 })
      sample()
      const oneKeyBytes = mostBytes
      mostBytes = 0
      const found = await flood({ port, requests: keys, isDistinct: true, firstKey: 1 })
      sample()
      return {
        keys,
        requestsPerSecond: keys / found.seconds,
        statuses: found.statuses,
        oneKeyBytes,
        mostBytes,
      }
    },
  )
}

async function flood(plan: FloodPlan): Promise<FloodResult> {
  const program = fileURLToPath(new URL('./flood.process.ts', import.meta.url))
  return JSON.parse(await run([process.execPath, program, JSON.stringify(plan)])) as FloodResult
}

export function judgeKeys(result: KeysResult): Check[] {
  const { keys, oneKeyBytes, mostBytes, statuses, requestsPerSecond } = result
  const grown = mostBytes - oneKeyBytes
  return [
    {
      of: `limiter fed ${keys.toLocaleString('en')} distinct keys`,
      bar: `memory grows by < ${mib(MOST_GROWTH)}`,
      found:
        `${mib(grown)} (at most ${mib(oneKeyBytes)} by as many requests with one key, ${mib(mostBytes)} by these; ` +
        `${requestsPerSecond.toFixed(0)}/s, ${JSON.stringify(statuses)})`,
      isMet: grown < MOST_GROWTH,
    },
  ]
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
