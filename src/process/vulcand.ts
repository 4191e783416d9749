/** The program `vulcand`: Sluice with vulcand's flags, exit codes, pid file and order of start. */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  flagOfPlace,
  FlagError,
  toConfiguration,
  toFileText,
  type VulcandConfiguration,
} from '../cli/vulcand/configuration.ts'
import { VULCAND_FLAGS } from '../cli/vulcand/flags.ts'
import { parseGoFlags, usageText } from '../cli/vulcand/go-flags.ts'
import { versionNumber } from '../cli/runtime.ts'
import type { JsonMap } from '../model/parsed.ts'
import { resolveSettings } from '../schema/resolve-settings.ts'
import { overlaySettings } from './base.ts'
import { serve } from './serve.ts'

/** The exit codes of vulcand: of Go's package flag, and of a start that failed. */
const USAGE = 2
const FAILED = 255

/** `argv` without Node and the program. Resolves with the exit code. */
export async function runVulcand(argv: readonly string[]): Promise<number> {
  const parsed = parseGoFlags(argv, VULCAND_FLAGS)
  if (!parsed.ok) {
    if (!parsed.isHelp) console.error(parsed.message)
    console.error(usageText('vulcand', VULCAND_FLAGS))
    return parsed.isHelp ? 0 : USAGE
  }
  let configuration: VulcandConfiguration
  try {
    configuration = toConfiguration(parsed.given, { resolve, temporary: makeTemporary })
    if (parsed.given.has('printConfig')) {
      console.log(toFileText(configuration))
      return 0
    }
    refuseFlaws(configuration.document)
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    fail(error.message)
    return FAILED
  }
  const { document, file, logForm, pidPath, remarks } = configuration
  process.title = 'vulcand'
  for (const remark of remarks) console.error(`vulcand: ${remark}`)
  const [extra] = parsed.rest
  if (extra !== undefined) {
    console.error(`vulcand: ${JSON.stringify(extra)} and what follows is not read: it is no flag`)
  }
  const code = await serve({
    ...{ config: file, synapse: null, flags: {}, env: withoutSettings(process.env) },
    ...{ base: { name: 'flags', document }, isStrict: true, logForm },
    pidFile: pidPath,
    version: versionNumber(),
    complain: (line) => console.error(line.replace(/^sluice: /, 'vulcand: ')),
    fail,
  })
  return code === 0 ? 0 : FAILED
}

function fail(reason: string): void {
  console.error(`Service exited with error: service start failure: ${reason}`)
}

/** vulcand is configured by nothing but its flags. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SLUICE_')))
}

/** Throws FlagError: unlike a file, flags are right or the program does not start. */
function refuseFlaws(document: JsonMap): void {
  const settings = { settings: overlaySettings(document, {}), locateSetting: () => null }
  const world = { filename: '', env: {}, flags: {}, cores: availableParallelism() }
  const [flaw] = resolveSettings({ document: settings, ...world }).problems
  if (flaw === undefined) return
  const flag = flagOfPlace(flaw.key.replace(/^#/, ''))
  throw new FlagError(flag === null ? flaw.message : `-${flag}: ${flaw.message}`)
}

function makeTemporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vulcand-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
