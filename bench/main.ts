/**
 * Proves that each contender proxies, then measures them side by side: see README.md.
 *   node bench/main.ts [--quick] [--only scenario,...] [--contenders name,...]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reasonOf } from './bench.ts'
import type { Bench } from './bench.ts'
import { draw } from './chart.ts'
import type { Contender } from './contender.ts'
import { CONTENDERS } from './contenders/index.ts'
import { runInFolder } from './frame.ts'
import { availableGenerator } from './load.ts'
import { startOrigins } from './origins.ts'
import { FULL, QUICK } from './plan.ts'
import { pinBench } from './processes.ts'
import { report } from './report.ts'
import { describeMachine, versionsOf } from './results.ts'
import type { Results } from './results.ts'
import { SCENARIOS } from './scenarios/index.ts'
import { makeCertificate } from './site.ts'
import { verify } from './verify.ts'

await runInFolder('bench', main)

async function main(folder: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      contenders: { type: 'string' },
    },
  })
  const scenarios = choose('scenario', SCENARIOS, values.only)
  const chosen = choose('contender', CONTENDERS, values.contenders)
  const plan = values.quick ? QUICK : FULL
  if (process.platform !== 'linux') throw new Error('CPU time is read from /proc: Linux only')

  const origins = await startOrigins(join(folder, 'origins'))
  const generator = availableGenerator()
  const machine = describeMachine(origins.kind, generator)
  pinBench()
  const certificate = makeCertificate(folder)
  const { fit, leftOut } = await proveAll(folder, chosen, certificate)
  if (certificate === null) leftOut.push('TLS: no openssl to make a certificate')

  let results: Results = {
    date: new Date().toISOString(),
    plan,
    machine,
    versions: versionsOf(fit),
    leftOut,
  }
  for (const scenario of scenarios) {
    if (scenario.oursOnly && !fit.some((contender) => contender.name === 'ours')) continue
    if (scenario.needs === 'certificate' && certificate === null) continue
    if (scenario.needs === 'autocannon' && plan.autocannonSeconds === 0) continue
    const say = (line: string): void => console.error(`  ${scenario.name}: ${line}`)
    const bench: Bench = {
      folder,
      plan,
      contenders: fit,
      originPorts: origins.ports,
      certificate,
      generator,
      say,
    }
    console.error(scenario.title)
    try {
      results = { ...results, ...(await scenario.run(bench)) }
    } catch (error) {
      // The others still tell something; the bars of this one stay "not measured".
      leftOut.push(`${scenario.name}: ${reasonOf(error)}`)
      process.exitCode = 1
    }
  }
  await origins.stop()
  const whole =
    !plan.quick && scenarios.length === SCENARIOS.length && chosen.length === CONTENDERS.length
  finish(results, whole)
}

async function proveAll(
  folder: string,
  chosen: readonly Contender[],
  certificate: Bench['certificate'],
): Promise<{ fit: Contender[]; leftOut: string[] }> {
  const fit: Contender[] = []
  const leftOut: string[] = []
  for (const contender of chosen) {
    const failure =
      contender.version() === null
        ? 'not installed'
        : await verify(contender, join(folder, `verify-${contender.name}`), certificate)
    if (failure === null) fit.push(contender)
    else if (!contender.optional) leftOut.push(`${contender.title}: ${failure}`)
    console.error(`${contender.title}: ${failure ?? 'proxies correctly'}`)
  }
  return { fit, leftOut }
}

/** Only a whole run may replace the results that the README shows. */
function finish(results: Results, whole: boolean): void {
  const target = join(import.meta.dirname, 'results', whole ? '.' : 'tmp')
  mkdirSync(target, { recursive: true })
  writeFileSync(join(target, 'latest.json'), JSON.stringify(results, null, 1) + '\n')
  writeFileSync(join(target, 'latest.svg'), draw(results))
  console.log(report(results))
  console.log(`written: latest.json and latest.svg in bench/results${whole ? '' : '/tmp'}`)
}

function choose<T extends { readonly name: string }>(
  what: string,
  all: readonly T[],
  names: string | undefined,
): readonly T[] {
  if (names === undefined) return all
  return names.split(',').map((name) => {
    const found = all.find((candidate) => candidate.name === name)
    const known = all.map((candidate) => candidate.name).join(', ')
    if (found === undefined) throw new Error(`there is no ${what} "${name}"; there are ${known}`)
    return found
  })
}
