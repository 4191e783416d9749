/**
 * Twenty names of which five are dead, and a resolver that hangs, lies, changes its mind and dies: what requests to the other
 * fifteen see of it, beside windows in which the resolver is well. And a name of which each address is a server.
 * `npm run bench:names -- --help`.
 */
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { startNamedLoad } from '../test/support/named-load.ts'
import { DEAD, LIVE, TTL_S, openNamedWorld } from '../test/support/named-world.ts'
import type { BenchChoice, BenchUsage } from './arguments.ts'
import { type Check, ms } from './chaos/check.ts'
import { barTable } from './chaos/report.ts'
import { statusOf } from './contender.ts'
import { serve } from './contenders/ours.ts'
import { percentile, spreadOf } from './figures.ts'
import { keepResults, runBench } from './frame.ts'
import { start } from './processes.ts'
import { describeMachine } from './results.ts'
import { measureExpanded } from './names-all.ts'
import { freePorts } from './site.ts'

const WINDOW_MS = 5_000
const LOAD = { clients: 8, pauseMs: 4 }
const TO_DEAD = { clients: 10, pauseMs: 50 }

interface Window {
  readonly kind: 'quiet' | 'trouble'
  readonly lastedMs: number
  readonly requests: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const USAGE: BenchUsage = {
  command: 'npm run bench:names',
  about: 'What requests see of twenty names of which five are dead, and of a resolver that fails.',
  scenarios: {
    trouble: 'a resolver that hangs, lies, changes its mind and dies, beside quiet windows',
    all: 'resolve: all: an address is replaced, then the resolver is dead for 30 s',
  },
}

await runBench('bench:names', USAGE, main)

async function main(folder: string, choice: BenchChoice): Promise<void> {
  const { quick, bars, scenarios, isWhole } = choice
  const machine = describeMachine('in this process', 'in this process')
  const expanded = scenarios.includes('all') ? await measureExpanded(folder, quick) : null
  const trouble = scenarios.includes('trouble') ? await measureTrouble(folder, quick) : null
  const checks = [...(trouble?.checks ?? []), ...(expanded?.checks ?? [])]
  console.log(barTable(checks, bars))
  if (bars && checks.some(({ isMet }) => isMet === false)) process.exitCode = 1
  keepResults('names.json', { machine, ...trouble, expanded, checks }, isWhole)
}

interface TroubleFigures {
  readonly windows: readonly Window[]
  readonly followedMs: readonly number[]
  readonly checks: readonly Check[]
}

async function measureTrouble(folder: string, quick: boolean): Promise<TroubleFigures> {
  const rounds = quick ? 1 : 14
  const ends: (() => unknown)[] = []
  const world = await openNamedWorld({ after: (end) => void ends.push(end) })
  const [port = 0, admin = 0] = await freePorts(2)
  const config = join(folder, 'names.json')
  const listeners = { web: { address: `127.0.0.1:${port}` } }
  const settings = { workers: 1, admin: { address: `127.0.0.1:${admin}` }, log: { access: 'off' } }
  writeFileSync(config, JSON.stringify({ ...world.config, ...settings, listeners }))
  const sluice = start(serve(config), 'any', join(folder, 'output.log'))
  while ((await statusOf(port, LIVE[0] ?? '', '/')) !== 200) {
    if (sluice.ended()) throw new Error(`Sluice did not start: ${sluice.lastWords()}`)
    await pause(50)
  }

  let took: number[] = []
  /** Of all windows of a kind. */
  const all: Record<Window['kind'], number[]> = { quiet: [], trouble: [] }
  let failed = 0
  const load = startNamedLoad(port, LIVE, LOAD, ({ name, status, body, tookMs }) => {
    took.push(tookMs)
    if (status === 200) world.saw(name, body)
    else failed++
  })
  const toDead = startNamedLoad(port, DEAD, TO_DEAD, () => {})

  async function measure(kind: Window['kind'], run: () => Promise<unknown>): Promise<Window> {
    took = []
    failed = 0
    const began = performance.now()
    await run()
    for (const one of took) all[kind].push(one)
    const of = (share: number): number => percentile(took, share)
    const window = {
      kind,
      lastedMs: performance.now() - began,
      requests: took.length,
      failed,
      p50Ms: of(0.5),
      p99Ms: of(0.99),
      maxMs: of(1),
    }
    const { requests, p50Ms, p99Ms, maxMs } = window
    const line = `${requests} requests, ${failed} failed, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`
    console.error(`  ${kind}: ${line}, longest ${ms(maxMs)}`)
    return window
  }

  await pause(2_000)
  const windows: Window[] = []
  for (let round = 0; round < rounds; round++) {
    windows.push(await measure('quiet', () => pause(WINDOW_MS)))
    windows.push(await measure('trouble', () => world.trouble()))
  }
  await Promise.all([load.stop(), toDead.stop()])
  await sluice.stop()
  for (const end of ends) await end()

  const { followedMs } = world
  return { windows, followedMs, checks: judge(windows, followedMs, all) }
}

function judge(
  windows: readonly Window[],
  followedMs: readonly number[],
  all: Readonly<Record<Window['kind'], readonly number[]>>,
): readonly Check[] {
  const of = (kind: Window['kind']): readonly Window[] => windows.filter((one) => one.kind === kind)
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
  const trouble = of('trouble')
  const requests = sum(trouble.map((one) => one.requests))
  const failed = sum(windows.map((one) => one.failed))
  const seconds = Math.round(sum(trouble.map((one) => one.lastedMs)) / 1000)
  const quietP99 = spreadOf(of('quiet').map(({ p99Ms }) => p99Ms))
  const p99 = spreadOf(trouble.map(({ p99Ms }) => p99Ms))
  const [ofQuiet, ofTrouble] = [percentile(all.quiet, 0.99), percentile(all.trouble, 0.99)]
  const slowest = Math.max(...followedMs)
  const limitMs = TTL_S * 1000 + 1_000
  return [
    {
      of: 'names',
      bar: '0 failed requests to live names',
      found: `${failed} of ${requests} in ${seconds} s of trouble`,
      isMet: failed === 0,
    },
    {
      of: 'names',
      bar: 'p99 within 1.2 times that of quiet windows',
      found: `${ms(ofTrouble)} over all (windows ${ms(p99.min)} to ${ms(p99.max)}), quiet ${ms(ofQuiet)} (${ms(quietP99.min)} to ${ms(quietP99.max)})`,
      isMet: ofTrouble <= 1.2 * ofQuiet,
    },
    {
      of: 'names',
      bar: `a changed address in use within ${limitMs} ms`,
      found: `${followedMs.length} changes, the slowest after ${ms(slowest)}`,
      isMet: slowest <= limitMs,
    },
  ]
}
