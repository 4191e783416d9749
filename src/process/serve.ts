/** `sluice serve`: from the settings to the exit code. The program itself, in run.ts, is loaded while the workers load theirs. */
import './fast-strings.ts'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve as resolvePath } from 'node:path'
import { toLine } from '../cli/check.ts'
import { parseSettings, type WrittenSettings } from '../document/document.ts'
import { messageOf } from '../model/error-message.ts'
import type { Problem } from '../model/problem.ts'
import type { Settings } from '../model/settings.ts'
import { createReferenceReader } from '../providers/file/references.ts'
import {
  resolveSettings,
  type ResolvedSettings,
  type SettingSources,
} from '../schema/resolve-settings.ts'
import { type DataFolder, inheritData, lockData, ownData, type DataLock } from './data-lock.ts'
import type { LogForm } from '../observe/log-forms.ts'
import { overlaySettings, type BaseConfiguration } from './base.ts'
import { openPidFile } from './pid-file.ts'
import { takeActivation } from './systemd/activation.ts'
import { meetPredecessor, type Predecessor } from './upgrade/predecessor.ts'
import { withSynapse } from './with-synapse.ts'
import { spawnWorkers } from './workers.ts'

export interface ServeOptions {
  /** Null: there is none; then there is `synapse`. */
  readonly config: string | null
  /** A configuration of synapse, as a source of this name; null: there is none. */
  readonly synapse: string | null
  /** Its settings are below those of the file, its objects beside them. */
  readonly base?: BaseConfiguration
  /** As vulcand starts: see RunOptions. */
  readonly isStrict?: boolean
  readonly logForm?: LogForm
  readonly flags: SettingSources['flags']
  readonly env: SettingSources['env']
  readonly version: string
  /** Where the process id is written once the program serves; absent: nowhere. */
  readonly pidFile?: string | null
  /** Takes what the log cannot say: standard error. */
  readonly complain: (line: string) => void
  /** Takes each reason of a failed start; missing: `complain` does. */
  readonly fail?: (reason: string) => void
}

/** Resolves with the exit code: 0 after a drain, 1 when it could not start. */
export async function serve(options: ServeOptions): Promise<number> {
  const fail = options.fail ?? ((reason: string) => options.complain(`sluice: ${reason}`))
  try {
    const predecessor = await meetPredecessor(process.env)
    if (predecessor === null) return await serveAs({ ...options, fail }, null)
    const refuse = (reason: string): void => {
      fail(reason)
      predecessor.refuse(reason)
    }
    try {
      return await serveAs({ ...options, fail: refuse }, predecessor)
    } finally {
      predecessor.leave()
    }
  } catch (error) {
    fail(messageOf(error))
    return 1
  }
}

async function serveAs(
  options: ServeOptions & Required<Pick<ServeOptions, 'fail'>>,
  predecessor: Predecessor | null,
): Promise<number> {
  const { synapse, flags, env, version, complain, fail, base = null } = options
  const { isStrict = false, logForm } = options
  // Relative paths start there.
  const config = options.config ?? synapse ?? ''
  const hasFile = options.config !== null
  const resolve = (document: SettingSources['document']): ResolvedSettings => {
    const resolved = resolveSettings({
      document: base === null ? document : onBase(base, document),
      filename: config,
      env,
      flags,
      cores: availableParallelism(),
      // A new reader each time: the file of a secret may have changed.
      references: { env, readFile: createReferenceReader(config).readFile },
    })
    return synapse === null ? resolved : withSynapse(resolved, resolvePath(synapse))
  }
  const started = resolve(hasFile ? readSettings(config) : null)
  const { fatal } = started
  if (fatal.length > 0) {
    for (const problem of fatal) fail(placed(problem, config))
    return 1
  }
  const activation = takeActivation(process.env, process.pid)
  const workers = spawnWorkers(started.settings.workers)
  try {
    const warn = (line: string): void => complain(`sluice: ${line}`)
    const data = await openData(started.settings, predecessor, warn)
    const pidFile = openPidFile(options.pidFile ?? null)
    try {
      const { run } = await import('./run.ts')
      return await run({
        ...{ config, hasFile, version, started, resolve, workers, base, isStrict },
        ...{ data, predecessor, activation, pidFile },
        ...(logForm === undefined ? {} : { logForm }),
      })
    } finally {
      data.release()
    }
  } catch (error) {
    fail(messageOf(error))
    return 1
  } finally {
    await workers.discard()
  }
}

function onBase(
  { document: below }: BaseConfiguration,
  document: SettingSources['document'],
): WrittenSettings {
  const settings = overlaySettings(below, document?.settings ?? {})
  return { settings, locateSetting: document?.locateSetting ?? (() => null) }
}

/** The message, with its place in the file if it has one. */
export function placed(problem: Problem, config: string): string {
  return problem.line === undefined ? problem.message : toLine(config, problem)
}

async function openData(
  settings: Settings,
  predecessor: Predecessor | null,
  complain: (line: string) => void,
): Promise<DataFolder> {
  const lock = (): Promise<DataLock | null> => lockDataFolder(settings, complain)
  if (predecessor === null) return ownData(await lock())
  return inheritData(predecessor.released, lock, complain)
}

/**
 * If the file names no source, the embedded store is the only one. Programs that share it save the same, and none of them may
 * have a folder of its own: they take no lock.
 */
function lockDataFolder(
  { sources, data }: Settings,
  complain: (line: string) => void,
): Promise<DataLock | null> {
  const isNamed = sources.some(({ kind, required }) => kind !== 'store' || required)
  return isNamed ? lockData(data, complain) : Promise.resolve(null)
}

/** The settings of the file; null if it cannot be read, which the provider reports with its reason. */
export function readSettings(config: string): SettingSources['document'] {
  try {
    return parseSettings(readFileSync(config, 'utf8'), config)
  } catch {
    return null
  }
}
