/** Where the admin of the running program is, for the commands that ask it. */
import { availableParallelism } from 'node:os'
import type { SettingFlags } from '../cli/serve-words.ts'
import type { AdminSettings } from '../model/settings.ts'
import { createReferenceReader } from '../providers/file/references.ts'
import { resolveConfigPath, resolveSettings } from '../schema/resolve-settings.ts'
import { readSettings } from './serve.ts'

export interface FoundAdmin {
  readonly admin: AdminSettings
  readonly filename: string
  /** The file, a flag or a variable may name it. False: there is only the default. */
  readonly isGiven: boolean
}

/** By the flags, the variables and the file, as `serve` finds it. `config`: null without the flag. */
export function findAdmin(config: string | null, normal: string, flags: SettingFlags): FoundAdmin {
  const filename = resolveConfigPath(config ?? undefined, process.env, normal)
  const document = readSettings(filename)
  const references = { env: process.env, readFile: createReferenceReader(filename).readFile }
  const sources = { document, filename, env: process.env, flags, references }
  const { admin } = resolveSettings({ ...sources, cores: availableParallelism() }).settings
  const isGiven =
    filename !== normal ||
    document !== null ||
    'admin-address' in flags ||
    Boolean(process.env['SLUICE_ADMIN_ADDRESS'])
  return { admin, filename, isGiven }
}
