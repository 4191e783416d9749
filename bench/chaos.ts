/**
 * Faults under steady load, with real processes: what clients see before, during and after. `npm run chaos -- --help`.
 */
import type { BenchChoice, BenchUsage } from './arguments.ts'
import { reasonOf } from './bench.ts'
import type { Lab } from './chaos/arena.ts'
import type { Check } from './chaos/check.ts'
import { FULL, QUICK } from './chaos/plan.ts'
import { phaseTable, barTable } from './chaos/report.ts'
import { SCENARIOS, TITLES } from './chaos/scenarios.ts'
import { keepResults, runBench } from './frame.ts'
import { describeMachine } from './results.ts'

const USAGE: BenchUsage = {
  command: 'npm run chaos',
  about: 'Faults of real servers under steady load: what clients see before, during and after.',
  scenarios: TITLES,
}

await runBench('chaos', USAGE, main)

async function main(
  folder: string,
  { quick, bars, scenarios: only, isWhole }: BenchChoice,
): Promise<void> {
  const plan = quick ? QUICK : FULL
  const lab: Lab = { plan, folder, say: (line) => console.error(`  ${line}`) }
  const machine = describeMachine('bench/chaos/server.process.ts', 'bench/chaos/load.process.ts')
  const found: Record<string, object> = {}
  const checks: Check[] = []

  for (const [name, run] of Object.entries(SCENARIOS)) {
    if (!only.includes(name)) continue
    lab.say(name)
    try {
      const outcome = await run(lab)
      found[name] = outcome.found
      checks.push(...outcome.checks)
    } catch (error) {
      found[name] = { error: reasonOf(error) }
      checks.push({ of: name, bar: 'runs', found: reasonOf(error), isMet: false })
    }
  }

  const { cpu, cores, kernel, node, loadBefore } = machine
  console.log(`${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load before ${loadBefore}\n`)
  console.log(phaseTable(found))
  console.log(barTable(checks, bars))
  const failed = Object.values(found).filter((one) => 'error' in one).length
  if (failed > 0 || (bars && checks.some(({ isMet }) => isMet === false))) process.exitCode = 1
  if (failed === only.length) throw new Error('nothing was measured')

  const results = { date: new Date().toISOString(), plan, machine, checks, found }
  keepResults('chaos.json', results, isWhole && failed === 0)
}
