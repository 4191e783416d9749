/** Load on a contender, from the other core: by wrk where it is installed, else by autocannon. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Running } from './contender.ts'
import { agree } from './figures.ts'
import { h2load, type Http2Load } from './http2/h2load.ts'
import type { Plan } from './plan.ts'
import { cpuMicros, cpuTicks } from './proc.ts'
import { find, run } from './processes.ts'
import { browserHead } from './request.ts'
import type { ResponseSize } from './request.ts'
import type { Site } from './site.ts'

export const CONNECTIONS = 32

export interface LoadPlan {
  readonly url: string
  readonly routes: number
  readonly connections: number
  readonly seconds: number
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly errors: number
}

export interface Sample extends LoadResult {
  readonly cpuMicrosPerRequest: number
  /** The part of it that was spent in the kernel. */
  readonly kernelMicrosPerRequest: number
  readonly requestsPerSecond: number
}

export interface Shape {
  readonly response: ResponseSize
  readonly tls: boolean
  /** By h2load. */
  readonly http2?: Http2Load
}

export type Generator = 'wrk' | 'autocannon'

export function availableGenerator(): Generator {
  return find('wrk') === null ? 'autocannon' : 'wrk'
}

/**
 * One window of load. The CPU time is taken before the first request is sent and after the last connection is closed:
 * all that the contender did for these requests is in it, and nothing else.
 */
export async function measure(
  running: Running,
  shape: Shape,
  seconds: number,
  generator: Generator,
): Promise<Sample> {
  const { site } = running
  const origin = shape.tls ? `https://127.0.0.1:${site.tlsPort}` : `http://127.0.0.1:${site.port}`
  const url = `${origin}/${shape.response}`
  const plan: LoadPlan = { url, routes: site.routes, connections: CONNECTIONS, seconds }
  const pids = running.pids()
  const before = cpuMicros(pids)
  const ticksBefore = cpuTicks(pids)
  const load = await generate(plan, shape, site, generator)
  const used = cpuMicros(pids) - before
  const ticks = cpuTicks(pids)
  const kernel = ticks.kernel - ticksBefore.kernel
  const all = kernel + ticks.user - ticksBefore.user
  return {
    ...load,
    cpuMicrosPerRequest: used / load.requests,
    kernelMicrosPerRequest: (used * (kernel / all)) / load.requests,
    requestsPerSecond: load.requests / load.seconds,
  }
}

function generate(
  plan: LoadPlan,
  shape: Shape,
  site: Site,
  generator: Generator,
): Promise<LoadResult> {
  if (shape.http2 !== undefined) return h2load(site, shape.http2, plan.seconds)
  return generator === 'wrk' ? wrk(plan, shape, site.folder) : autocannon(plan)
}

/**
 * Load until a compiler has seen enough requests and two seconds in a row cost the same, for `plan.warmUpSeconds` at
 * most. Returns what came of it, in words.
 */
export async function warmUp(
  running: Running,
  shape: Shape,
  plan: Pick<Plan, 'warmUpSeconds' | 'warmUpRequests'>,
  generator: Generator,
): Promise<string> {
  const { title } = running.contender
  let last = NaN
  let served = 0
  for (let second = 1; second <= plan.warmUpSeconds; second++) {
    const { cpuMicrosPerRequest: cost, requests } = await measure(running, shape, 1, generator)
    served += requests
    if (served >= plan.warmUpRequests && agree(last, cost))
      return `${title} is warm after ${served} requests: ${last.toFixed(1)} and ${cost.toFixed(1)} us a request`
    last = cost
  }
  return `${title} has NOT become steady within ${plan.warmUpSeconds} s and ${served} requests: ${last.toFixed(1)} us a request`
}

async function wrk(plan: LoadPlan, shape: Shape, folder: string): Promise<LoadResult> {
  const head = join(folder, `${shape.response}.request`)
  writeFileSync(head, browserHead(shape.response))
  const script = fileURLToPath(new URL('./wrk.lua', import.meta.url))
  const options = [
    '-t',
    '1',
    '-c',
    String(plan.connections),
    '-d',
    `${plan.seconds}s`,
    '-s',
    script,
  ]
  const printed = await run(['wrk', ...options, plan.url, '--', head, String(plan.routes)])
  const line = printed.split('\n').find((text) => text.startsWith('{'))
  return JSON.parse(line ?? '') as LoadResult
}

export async function autocannon(plan: LoadPlan): Promise<LoadResult> {
  const program = fileURLToPath(new URL('./autocannon.process.ts', import.meta.url))
  return JSON.parse(await run([process.execPath, program, JSON.stringify(plan)])) as LoadResult
}
