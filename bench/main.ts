/**
 * Proves that each contender proxies, then measures them side by side: see README.md, and `npm run bench -- --help`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchChoice, BenchUsage } from './arguments.ts'
import { reasonOf } from './bench.ts'
import type { Bench } from './bench.ts'
import { judge } from './bars.ts'
import { draw } from './chart.ts'
import type { Contender } from './contender.ts'
import { CONTENDERS } from './contenders/index.ts'
import { runBench } from './frame.ts'
import { availableGenerator } from './load.ts'
import { startOrigins } from './origins.ts'
import { FULL, QUICK } from './plan.ts'
import { find, pinBench } from './processes.ts'
import { report } from './report.ts'
import { describeMachine, versionsOf } from './results.ts'
import type { Results } from './results.ts'
import { SCENARIOS, whyNothing, type Scenario } from './scenarios/index.ts'
import { makeCertificate } from './site.ts'
import type { TcpContender } from './tcp/contender.ts'
import { TCP_CONTENDERS } from './tcp/contenders.ts'
import { verify } from './verify.ts'

const USAGE: BenchUsage = {
  command: 'npm run bench',
  about:
    'Proves that each contender proxies, then measures them side by side, one after the other on one core.',
  scenarios: Object.fromEntries(SCENARIOS.map(({ name, title }) => [name, title])),
  contenders: Object.fromEntries(
    [...CONTENDERS, ...TCP_CONTENDERS].map(({ name, title, optional }) => [
      name,
      optional ? `${title}, where it is named by a variable` : title,
    ]),
  ),
}

await runBench('bench', USAGE, main)

async function main(folder: string, choice: BenchChoice): Promise<void> {
  const isLook = choice.quick && !choice.isNamed
  const scenarios = SCENARIOS.filter(({ name, isQuick = false }) =>
    isLook ? isQuick : choice.scenarios.includes(name),
  )
  const isChosen = ({ name }: { readonly name: string }): boolean =>
    choice.contenders.includes(name)
  const chosen = scenarios.every(({ needs }) => needs === 'tcp') ? [] : CONTENDERS.filter(isChosen)
  const tcpContenders = TCP_CONTENDERS.filter(isChosen)
  const plan = choice.quick ? QUICK : FULL
  const hasH2load = find('h2load') !== null
  // What is known before anything is begun.
  const wish = {
    plan,
    contenders: chosen,
    tcpContenders,
    hasCertificate: true,
    hasHttp2Origins: true,
    hasH2load,
  }
  if (choice.isNamed) refuseNothing(scenarios, wish)
  if (process.platform !== 'linux') throw new Error('CPU time is read from /proc: Linux only')

  const origins = await startOrigins(join(folder, 'origins'))
  const generator = availableGenerator()
  const machine = describeMachine(origins.kind, generator)
  pinBench()
  const certificate = makeCertificate(folder)
  const { fit, leftOut } = await proveAll(folder, chosen, certificate)
  if (certificate === null) leftOut.push('TLS: no openssl to make a certificate')
  const fitTcp = tcpContenders.filter((contender) => isInstalled(contender, leftOut))
  if (fit.length === 0 && fitTcp.length === 0) {
    throw new Error(`there is no contender to measure: ${leftOut.join('; ')}`)
  }
  const hasCertificate = certificate !== null
  const world = {
    plan,
    contenders: fit,
    tcpContenders: fitTcp,
    hasCertificate,
    hasHttp2Origins: origins.http2Ports !== null,
    hasH2load,
  }
  if (choice.isNamed) refuseNothing(scenarios, world)

  let results: Results = {
    date: new Date().toISOString(),
    plan,
    machine,
    versions: versionsOf(fit),
    leftOut,
  }
  let measured = 0
  for (const scenario of scenarios) {
    if (whyNothing(scenario, world) !== null) continue
    const say = (line: string): void => console.error(`  ${scenario.name}: ${line}`)
    const bench: Bench = {
      folder,
      plan,
      contenders: fit,
      tcpContenders: fitTcp,
      originPorts: origins.ports,
      http2OriginPorts: origins.http2Ports,
      certificate,
      generator,
      say,
    }
    console.error(scenario.title)
    try {
      const found = await scenario.run(bench)
      if (isEmpty(found)) throw new Error('none of those who take part can be measured by it')
      results = { ...results, ...found }
      measured++
    } catch (error) {
      // The other figures are still useful; the bars of this one stay "not measured".
      leftOut.push(`${scenario.name}: ${reasonOf(error)}`)
      process.exitCode = 1
    }
  }
  await origins.stop()
  if (measured === 0) throw new Error(`nothing was measured: ${leftOut.join('; ')}`)
  // What lacks a scenario or a contender is no successor of results that have it.
  finish(results, choice.isWhole && leftOut.length === 0, choice.bars)
}

/** A scenario that is requested by name and can measure nothing is a mistake. */
function refuseNothing(
  scenarios: readonly Scenario[],
  world: Parameters<typeof whyNothing>[1],
): void {
  for (const scenario of scenarios) {
    const why = whyNothing(scenario, world)
    if (why !== null) throw new Error(`${scenario.name} measures nothing: ${why}`)
  }
}

function isEmpty(found: Partial<Results>): boolean {
  return Object.values(found).every((part: unknown) => {
    if (Array.isArray(part)) return part.length === 0
    const { entries } = part as { readonly entries?: readonly unknown[] }
    return entries?.length === 0
  })
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

/** A relay of TCP has no proof of its own: the scenario begins with an echo through each. */
function isInstalled({ title, version, optional }: TcpContender, leftOut: string[]): boolean {
  if (version() !== null) return true
  const line = `${title}: not installed`
  if (!optional && !leftOut.includes(line)) leftOut.push(line)
  return false
}

/** Only a whole run may replace the results that the README shows. */
function finish(results: Results, whole: boolean, withBars: boolean): void {
  const target = join(import.meta.dirname, 'results', whole ? '.' : 'tmp')
  mkdirSync(target, { recursive: true })
  writeFileSync(join(target, 'latest.json'), JSON.stringify(results, null, 1) + '\n')
  writeFileSync(join(target, 'latest.svg'), draw(results))
  console.log(report(results, withBars))
  if (withBars && judge(results).some(({ met }) => met === false)) process.exitCode = 1
  console.log(`written: latest.json and latest.svg in bench/results${whole ? '' : '/tmp'}`)
}
