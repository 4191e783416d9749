/** What every bench is held by: a folder that goes with it, an end that takes along whatever it started, results that are kept. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reasonOf } from './bench.ts'
import { endAll } from './processes.ts'

export async function runInFolder(
  name: string,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`))
  // However it ends, what it started ends with it.
  process.on('exit', () => {
    endAll()
    rmSync(folder, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(1))
  }
  try {
    await run(folder)
  } catch (error) {
    console.error(`${name}: ${reasonOf(error)}`)
    process.exitCode = 1
  }
}

/** All, without a text. */
export function chooseNames(text: string | undefined, names: readonly string[]): readonly string[] {
  const chosen = text?.split(',') ?? names
  const unknown = chosen.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join()}; ${names.join()} exist`)
  return chosen
}

/** A look is no record: only a whole run replaces the one that is kept. */
export function keepResults(file: string, results: object, isWhole: boolean): void {
  const kept = join(import.meta.dirname, 'results', isWhole ? '' : 'tmp')
  mkdirSync(kept, { recursive: true })
  writeFileSync(join(kept, file), JSON.stringify(results, null, 2) + '\n')
}
