/** What every bench has: a folder that goes with it, an end that stops all that it started, results that are kept. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseBenchWords, type BenchChoice, type BenchUsage } from './arguments.ts'
import { reasonOf } from './bench.ts'
import { endAll } from './processes.ts'

/** Runs what the command line chooses; its help, or what is wrong with it, is printed instead, and nothing is begun. */
export async function runBench(
  name: string,
  usage: BenchUsage,
  run: (folder: string, choice: BenchChoice) => Promise<void>,
): Promise<void> {
  const words = parseBenchWords(usage, process.argv.slice(2))
  if (words.kind === 'help') return console.log(words.text)
  if (words.kind === 'mistake') {
    console.error(`${name}: ${words.message}`)
    process.exitCode = 2
    return
  }
  await runInFolder(name, (folder) => run(folder, words.choice))
}

async function runInFolder(name: string, run: (folder: string) => Promise<void>): Promise<void> {
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

/** A look is no record: only a whole run replaces the one that is kept. */
export function keepResults(file: string, results: object, isWhole: boolean): void {
  const kept = join(import.meta.dirname, 'results', isWhole ? '' : 'tmp')
  mkdirSync(kept, { recursive: true })
  writeFileSync(join(kept, file), JSON.stringify(results, null, 2) + '\n')
}
