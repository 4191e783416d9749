/** Least-connections under `autocannon -c 100`: what share of the requests a server gets that is ten times as slow. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench } from '../bench.ts'
import { startContender } from '../contender.ts'
import type { Running } from '../contender.ts'
import { configuration, ours, serve } from '../contenders/ours.ts'
import { autocannon } from '../load.ts'
import { converse } from '../processes.ts'
import { createSite, freePorts } from '../site.ts'

export interface ShareResult {
  readonly requests: number
  readonly errors: number
  /** Of all requests, 0 to 1. */
  readonly slowShare: number
}

export async function measureShare(bench: Bench): Promise<ShareResult> {
  const [fast = 0, slow = 0] = await freePorts(2)
  const program = fileURLToPath(new URL('../unequal-origins.process.ts', import.meta.url))
  const origins = converse([process.execPath, program, String(fast), String(slow)])
  let printed = ''
  origins.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const closed = new Promise((done) => origins.on('close', done))

  const site = await createSite(join(bench.folder, 'share'), {
    certificate: null,
    origins: [fast, slow],
    routes: 1,
  })
  // Two threads, free to use both cores: the count of connections has to be right across them.
  const prepare = (): ReturnType<typeof serve> => {
    const declared = configuration(site, { workers: 2, balance: 'least-connections' })
    const file = join(site.folder, 'sluice.json')
    writeFileSync(file, JSON.stringify(declared))
    return serve(file)
  }
  let running: Running | null = null
  try {
    running = await startContender({ ...ours, prepare }, site, { path: '/', core: 'any' })
    const load = await autocannon({
      url: `http://127.0.0.1:${site.port}/`,
      routes: 1,
      connections: 100,
      seconds: bench.plan.quick ? 2 : 10,
    })
    origins.stdin?.end()
    await closed
    const [quick = 0, late = 0] = JSON.parse(printed) as number[]
    return { requests: load.requests, errors: load.errors, slowShare: late / (quick + late) }
  } finally {
    await running?.stop()
    origins.kill()
  }
}
