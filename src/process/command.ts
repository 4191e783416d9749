/** Runs the command of a command line. Commands other than `serve` load what they need, so that `serve` does without it. */
import { availableParallelism } from 'node:os'
import { parseCommandLine } from '../cli/command-line.ts'
import { versionNumber, versionText } from '../cli/runtime.ts'
import {
  resolveConfigPath,
  resolveSettings,
  resolveSynapsePath,
} from '../schema/resolve-settings.ts'
import { createReferenceReader } from '../providers/file/references.ts'
import { readSettings, serve } from './serve.ts'

const DEFAULT_CONFIG = '/etc/sluice/sluice.yaml'

/** `argv` without Node and the program. Resolves with the exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv)
  switch (command.kind) {
    case 'serve': {
      const synapse = resolveSynapsePath(command.synapse, process.env)
      // The usual file is not read beside another program's: it may be there by chance.
      const normal = synapse === null ? DEFAULT_CONFIG : ''
      const config = resolveConfigPath(command.config ?? undefined, process.env, normal)
      return serve({
        config: config || null,
        synapse,
        flags: command.flags,
        env: process.env,
        version: versionNumber(),
        complain: (line) => console.error(line),
      })
    }
    case 'check-from': {
      const { checkFrom } = await import('../cli/from/check-from.ts')
      const { openFrom } = await import('./check-from.ts')
      const columns = process.stdout.isTTY ? process.stdout.columns : null
      return checkFrom(command.from, openFrom(command.config, print, columns))
    }
    case 'check': {
      const { checkFile } = await import('../cli/check.ts')
      const { checkDocument } = await import('../control/review/check-document.ts')
      return checkFile(
        command.file,
        (document) => checkDocument(command.file, document),
        { env: process.env, readFile: createReferenceReader(command.file).readFile },
        print,
      )
    }
    case 'check-synapse': {
      const { checkSynapse } = await import('../cli/check-synapse.ts')
      return checkSynapse(command.file, print)
    }
    case 'healthcheck': {
      const { waitForReady } = await import('../cli/healthcheck.ts')
      const filename = resolveConfigPath(command.config ?? undefined, process.env, DEFAULT_CONFIG)
      const document = readSettings(filename)
      const cores = availableParallelism()
      const references = { env: process.env, readFile: createReferenceReader(filename).readFile }
      const sources = {
        document,
        filename,
        env: process.env,
        flags: command.flags,
        cores,
        references,
      }
      const { address, tls } = resolveSettings(sources).settings.admin
      return waitForReady(address, command.waitMs, print, tls !== null)
    }
    case 'put':
    case 'delete':
    case 'get': {
      const { runObjects } = await import('../cli/objects.ts')
      const { openObjects } = await import('./objects.ts')
      const config = resolveConfigPath(command.config ?? undefined, process.env, '')
      const world = { input: process.stdin, print, complain: (line: string) => console.error(line) }
      return runObjects(command, openObjects(config || null, DEFAULT_CONFIG, command, world))
    }
    case 'bench': {
      const { runBench } = await import('../cli/bench/bench.ts')
      const { openBench } = await import('./bench.ts')
      const { config, flags, options } = command
      const world = { print, complain: (line: string) => console.error(line) }
      return runBench(options, openBench(config, DEFAULT_CONFIG, flags, world))
    }
    case 'version':
      print(versionText())
      return 0
    case 'help':
      print(command.text)
      return 0
    case 'usage-error':
      console.error(command.message)
      return 2
    default:
      return command satisfies never
  }
}

function print(line: string): void {
  console.log(line)
}
