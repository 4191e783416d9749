/** The state of a running program's sources, from its admin API. */
import { setTimeout as passed } from 'node:timers/promises'
import type { SourceReport } from '../../src/observe/reports/source-report.ts'
import { parseExposition } from './exposition.ts'
import type { Program } from './program.ts'
import { untilNextLook } from './until.ts'

export type { SourceReport } from '../../src/observe/reports/source-report.ts'

export async function reportOf(program: Program, name: string): Promise<SourceReport> {
  const reports = JSON.parse((await program.ask('/api/providers')).text) as SourceReport[]
  const report = reports.find((each) => each.name === name)
  if (report === undefined) throw new Error(`no source ${name}: ${JSON.stringify(reports)}`)
  return report
}

/** The first report of the source that is so. */
export async function untilSource(
  program: Program,
  name: string,
  isSo: (report: SourceReport) => boolean,
  what: string,
  patienceMs = 30_000,
): Promise<SourceReport> {
  const start = performance.now()
  for (;;) {
    const report = await reportOf(program, name)
    if (isSo(report)) return report
    const waitedMs = performance.now() - start
    if (waitedMs > patienceMs) {
      throw new Error(`${what}: did not happen within ${patienceMs} ms: ${JSON.stringify(report)}`)
    }
    // Between two attempts a lost source is `stale` for some 100 ms.
    await passed(10)
  }
}

/** What /metrics says of the source, by name without labels; a state by `state:live`. */
export async function metricsOf(
  program: Program,
  name: string,
): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {}
  for (const [sample, value] of parseExposition((await program.ask('/metrics')).text)) {
    if (!sample.startsWith('sluice_source_') || !sample.includes(`source="${name}"`)) continue
    const state = /state="(\w+)"/.exec(sample)?.[1]
    const metric = sample.slice('sluice_source_'.length, sample.indexOf('{'))
    if (state !== undefined) found[`state:${state}`] = value
    else found[metric] = (found[metric] ?? 0) + value
  }
  return found
}

/** What an operator asks of a source: the status of the response. */
export async function act(
  program: Program,
  name: string,
  verb: 'confirm' | 'reload',
): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${program.admin}/api/providers/${name}/${verb}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
  })
  await response.arrayBuffer()
  return response.status
}

interface TableEntry {
  readonly kind: string
  readonly id: string
}

export interface SetAside extends TableEntry {
  readonly message: string
  readonly source: string
  readonly key: string
  readonly serving: boolean
}

export interface Table {
  readonly objects: readonly TableEntry[]
  readonly setAside: readonly SetAside[]
}

export async function tableOf(program: Program, query = ''): Promise<Table> {
  return JSON.parse((await program.ask(`/api/table${query}`)).text) as Table
}

/** Ids of the frontends in force. */
export async function frontendsOf(program: Program): Promise<readonly string[]> {
  return (await tableOf(program, '?kind=frontend')).objects.map(({ id }) => id).toSorted()
}

/** The first table that is so. */
export async function untilTable(
  program: Program,
  query: string,
  isSo: (table: Table) => boolean,
  what: string,
  patienceMs = 30_000,
): Promise<Table> {
  const start = performance.now()
  for (;;) {
    const table = await tableOf(program, query)
    if (isSo(table)) return table
    const waitedMs = performance.now() - start
    if (waitedMs > patienceMs) {
      const text = JSON.stringify(table).slice(0, 2_000)
      throw new Error(`${what}: did not happen within ${patienceMs} ms: ${text}`)
    }
    await untilNextLook(waitedMs)
  }
}
