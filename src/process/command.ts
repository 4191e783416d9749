/** Runs the command of a command line. Each command loads what it needs, so that the others start without it. */
import { parseCommandLine } from '../cli/line/command-line.ts'
import { type PlaceWords, readPlace } from '../cli/place-words.ts'
import { versionNumber, versionText } from '../cli/runtime.ts'
import type { Client } from '../client/client.ts'
import { messageOf } from '../model/error-message.ts'

const DEFAULT_CONFIG = '/etc/sluice/sluice.yaml'

/** `argv` without Node and the program. Resolves with the exit code. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv)
  switch (command.kind) {
    case 'serve': {
      const { serve } = await import('./serve.ts')
      const { resolveConfigPath, resolveSynapsePath } =
        await import('../schema/resolve-settings.ts')
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
        complain,
      })
    }
    case 'agent': {
      const { runAgent } = await import('./agent.ts')
      return runAgent(command, { env: process.env, version: versionNumber(), print, complain })
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
      const { createReferenceReader } = await import('../providers/file/references.ts')
      const { checkTemplates } = await import('../rendering/check-templates.ts')
      return checkFile(
        command.file,
        (document, settings) => [
          ...checkDocument(command.file, document),
          ...checkTemplates(settings, document, command.file),
        ],
        { env: process.env, readFile: createReferenceReader(command.file).readFile },
        print,
      )
    }
    case 'check-synapse': {
      const { checkSynapse } = await import('../cli/check-synapse.ts')
      return checkSynapse(command.file, print)
    }
    case 'import': {
      const { importVulcand } = await import('../cli/import/import.ts')
      const { openImport } = await import('./import.ts')
      const columns = process.stdout.isTTY ? process.stdout.columns : null
      return importVulcand(command, openImport(print, complain, columns))
    }
    case 'healthcheck': {
      const { waitForReady } = await import('../cli/healthcheck.ts')
      const { findAdmin } = await import('./find-admin.ts')
      const { address, tls } = findAdmin(command.config, DEFAULT_CONFIG, command.flags).admin
      return waitForReady(address, command.waitMs, print, tls !== null)
    }
    case 'put':
    case 'delete':
    case 'get': {
      const { runObjects } = await import('../cli/objects.ts')
      const { resolveConfigPath } = await import('../schema/resolve-settings.ts')
      const { openObjects } = await import('./objects.ts')
      const config = resolveConfigPath(command.config ?? undefined, process.env, '')
      const world = { input: process.stdin, print, complain }
      return runObjects(command, openObjects(config || null, DEFAULT_CONFIG, command, world))
    }
    case 'bench': {
      const { runBench } = await import('../cli/bench/bench.ts')
      const { openBench } = await import('./bench.ts')
      const { config, flags, options } = command
      return runBench(options, openBench(config, DEFAULT_CONFIG, flags, { print, complain }))
    }
    case 'drain': {
      const { runDrain } = await import('../cli/drain/run.ts')
      const { setTimeout: pause } = await import('node:timers/promises')
      const now = (): number => performance.now()
      return withClient(command.place, (client) =>
        runDrain(command, { client, now, pause, print, complain }),
      )
    }
    case 'top': {
      const { runTop } = await import('../cli/top/run.ts')
      const { openTop } = await import('./open-top.ts')
      return withClient(command.place, (client) =>
        runTop(command, openTop(client, hasColors(process.stdout), complain)),
      )
    }
    case 'render':
    case 'render-template': {
      const { printTemplate, runRender } = await import('../cli/render/run.ts')
      const { openRender } = await import('./render.ts')
      const world = openRender(complain)
      try {
        if (command.kind === 'render') return await runRender(command.flags, world)
        const { file, place } = command
        return await withClient(place, (client) => printTemplate(file, client, world, write))
      } finally {
        world.close()
      }
    }
    case 'upgrade': {
      const { runUpgrade } = await import('../cli/upgrade.ts')
      const { openUpgrade } = await import('./upgrade/ask-upgrade.ts')
      return withClient(command.place, (client) =>
        runUpgrade(command, openUpgrade(client, { print, complain })),
      )
    }
    case 'vctl': {
      const { runVctl } = await import('../cli/vctl/run.ts')
      const { readText } = await import('./text-files.ts')
      const colors = {
        isColored: hasColors(process.stdout),
        isErrorColored: hasColors(process.stderr),
      }
      const world = { readFile: readText, write, complain, ...colors }
      return withClient(command.place, (client) => runVctl(command, { client, ...world }))
    }
    case 'new-key':
    case 'seal-keypair': {
      const { runSecret } = await import('../cli/vctl/secret.ts')
      const { readText, writeSecret } = await import('./text-files.ts')
      return runSecret(command, { readFile: readText, writeFile: writeSecret, write, complain })
    }
    case 'version':
      print(versionText())
      return 0
    case 'man': {
      const { manualText } = await import('../cli/line/manual.ts')
      write(manualText(versionNumber()))
      return 0
    }
    case 'completion': {
      const { completionScript } = await import('../cli/line/shells.ts')
      print(completionScript(command.shell))
      return 0
    }
    case 'complete': {
      const { candidateLines, findCandidates } = await import('../cli/line/candidates.ts')
      const found = await findCandidates(command.words, async ({ flags, ...wanted }) => {
        const { findIds } = await import('../cli/line/ids.ts')
        const place = readPlace({ flags })
        if (typeof place === 'string') return []
        const ids = await withClient(place, (client) => findIds(wanted, flags, client))
        return ids === 1 ? [] : ids
      })
      print(candidateLines(found).join('\n'))
      return 0
    }
    case 'help':
      print(command.text)
      return 0
    case 'usage-error':
      complain(command.message)
      return 2
    default:
      return command satisfies never
  }
}

/** Returns the exit code that `use` returns; 1 if there is no client for it. */
async function withClient<T>(
  place: PlaceWords,
  use: (client: Client) => Promise<T>,
): Promise<T | 1> {
  const { openClient } = await import('./open-client.ts')
  let client: Client
  try {
    client = openClient(place, DEFAULT_CONFIG)
  } catch (error) {
    complain(`sluice: ${messageOf(error)}`)
    return 1
  }
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** Node looks at NO_COLOR and TERM. */
function hasColors(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.hasColors()
}

function write(text: string): void {
  process.stdout.write(text)
}

function print(line: string): void {
  console.log(line)
}

function complain(line: string): void {
  console.error(line)
}
