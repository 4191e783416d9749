/** The words of the command line -> a command -> an exit code. */
import { availableParallelism } from 'node:os'
import { checkFile } from '../cli/check.ts'
import { parseCommandLine } from '../cli/command-line.ts'
import { waitForReady } from '../cli/healthcheck.ts'
import { runObjects } from '../cli/objects.ts'
import { versionNumber, versionText } from '../cli/version.ts'
import { admitDocument } from '../control/admit-document.ts'
import { resolveConfigPath, resolveSettings } from '../model/resolve-settings.ts'
import { createReferenceReader } from '../providers/file-references.ts'
import { openObjects } from './objects.ts'
import { readSettings, serve } from './serve.ts'

const NORMAL_CONFIG = '/etc/sluice/sluice.yaml'

/** `argv` without Node and the program. Resolves with the exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv)
  switch (command.kind) {
    case 'serve': {
      const config = resolveConfigPath(command.config ?? undefined, process.env, NORMAL_CONFIG)
      return serve({
        config,
        flags: command.flags,
        env: process.env,
        version: versionNumber(),
        complain: (line) => console.error(line),
      })
    }
    case 'check':
      return checkFile(
        command.file,
        (document) => admitDocument(command.file, document),
        { env: process.env, readFile: createReferenceReader(command.file).readFile },
        print,
      )
    case 'healthcheck': {
      const filename = resolveConfigPath(command.config ?? undefined, process.env, NORMAL_CONFIG)
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
      const { address } = resolveSettings(sources).settings.admin
      return waitForReady(address, command.waitMs, print)
    }
    case 'put':
    case 'delete':
    case 'get': {
      const config = resolveConfigPath(command.config ?? undefined, process.env, '')
      const world = { input: process.stdin, print, complain: (line: string) => console.error(line) }
      return runObjects(command, openObjects(config || null, NORMAL_CONFIG, command, world))
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
