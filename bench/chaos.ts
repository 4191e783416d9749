/**
 * Faults under steady load, with real processes: what clients see before, during and after, and each bar of it.
 *   node bench/chaos.ts [--quick] [--only kill,hang,...]
 */
import { parseArgs } from 'node:util'
import { reasonOf } from './bench.ts'
import type { Lab } from './chaos/arena.ts'
import type { Check } from './chaos/check.ts'
import { FULL, QUICK } from './chaos/plan.ts'
import { phaseTable, verdicts } from './chaos/report.ts'
import { SCENARIOS } from './chaos/scenarios.ts'
import { chooseNames, keepResults, runInFolder } from './frame.ts'
import { describeMachine } from './results.ts'

await runInFolder('chaos', main)

async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
  })
  const names = Object.keys(SCENARIOS)
  const only = chooseNames(values.only, names)
  const plan = values.quick ? QUICK : FULL
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
  console.log(verdicts(checks))
  if (checks.some(({ isMet }) => isMet === false)) process.exitCode = 1

  const results = { date: new Date().toISOString(), plan, machine, checks, found }
  keepResults('chaos.json', results, !values.quick && only.length === names.length)
}
