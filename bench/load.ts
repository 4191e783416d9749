/** Load on a contender, from the other core: by wrk where it is installed, else by autocannon. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Running } from './contender.ts'
import { cpuMicros } from './proc.ts'
import { find, run } from './processes.ts'
import { browserHead } from './request.ts'
import type { Answer } from './request.ts'

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
  readonly requestsPerSecond: number
}

export interface Shape {
  readonly answer: Answer
  readonly tls: boolean
}

export type Generator = 'wrk' | 'autocannon'

export function availableGenerator(): Generator {
  return find('wrk') === null ? 'autocannon' : 'wrk'
}

/**
 * One window of load. The CPU time is taken before the first request is sent and after the last connection is closed:
 * whatever the contender did for these requests is in it, and nothing else runs in it.
 */
export async function measure(
  running: Running,
  shape: Shape,
  seconds: number,
  generator: Generator,
): Promise<Sample> {
  const { site } = running
  const origin = shape.tls ? `https://127.0.0.1:${site.tlsPort}` : `http://127.0.0.1:${site.port}`
  const url = `${origin}/${shape.answer}`
  const plan: LoadPlan = { url, routes: site.routes, connections: CONNECTIONS, seconds }
  const pids = running.pids()
  const before = cpuMicros(pids)
  const load = generator === 'wrk' ? await wrk(plan, shape, site.folder) : await autocannon(plan)
  const used = cpuMicros(pids) - before
  return {
    ...load,
    cpuMicrosPerRequest: used / load.requests,
    requestsPerSecond: load.requests / load.seconds,
  }
}

async function wrk(plan: LoadPlan, shape: Shape, folder: string): Promise<LoadResult> {
  const head = join(folder, `${shape.answer}.request`)
  writeFileSync(head, browserHead(shape.answer))
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
