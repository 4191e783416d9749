/**
 * Faults under steady load, with real processes: what clients see before, during and after, and each bar of it.
 *   node bench/chaos.ts [--quick] [--only kill,hang,...]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reasonOf } from './bench.ts'
import type { Lab } from './chaos/arena.ts'
import type { Check } from './chaos/check.ts'
import { FULL, QUICK } from './chaos/plan.ts'
import { phaseTable, verdicts } from './chaos/report.ts'
import { SCENARIOS } from './chaos/scenarios.ts'
import { endAll } from './processes.ts'
import { describeMachine } from './results.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-chaos-'))

process.on('exit', () => {
  endAll()
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1))
}

try {
  await main()
} catch (error) {
  console.error(`chaos: ${reasonOf(error)}`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
  })
  const names = Object.keys(SCENARIOS)
  const only = values.only?.split(',') ?? names
  const unknown = only.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join()}; ${names.join()} exist`)
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

  // A look is no record: only a whole run replaces the one that is kept.
  const isWhole = !values.quick && only.length === names.length
  const kept = join(import.meta.dirname, 'results', isWhole ? '' : 'tmp')
  mkdirSync(kept, { recursive: true })
  const results = { date: new Date().toISOString(), plan, machine, checks, found }
  writeFileSync(join(kept, 'chaos.json'), JSON.stringify(results, null, 1) + '\n')
}
