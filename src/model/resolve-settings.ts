/**
 * Default < file < environment < flag, value by value. A bad value is a problem that says where it came from, and the
 * next one below it holds.
 */
import * as z from 'zod'
import type { WrittenSettings } from './document.ts'
import { parseWith, quote, type Path } from './parsed.ts'
import { toPointer } from './pointer.ts'
import type { Problem } from './problem.ts'
import {
  SETTINGS_SHAPE,
  adminAddressSchema,
  drainSchema,
  logAccessSchema,
  logLevelSchema,
  logPathSchema,
  trustedSchema,
  workersSchema,
} from './settings-schema.ts'
import type { Settings } from './settings.ts'
import { didYouMean } from './suggest.ts'

/** As flags write them: `--log-level`; the environment has SLUICE_LOG_LEVEL. */
export type SettingName =
  'workers' | 'admin-address' | 'trusted' | 'log-level' | 'log-access' | 'log-path' | 'drain'

export const SETTING_NAMES: readonly SettingName[] = [
  'workers',
  'admin-address',
  'trusted',
  'log-level',
  'log-access',
  'log-path',
  'drain',
]

export interface SettingSources {
  /** Null: there is no file (or none that can be read). */
  readonly document: WrittenSettings | null
  readonly filename: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags: Readonly<Partial<Record<SettingName, string>>>
  /** What `workers: auto` stands for. */
  readonly cores: number
}

export interface ResolvedSettings {
  readonly settings: Settings
  readonly problems: readonly Problem[]
}

export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const problems = [...problemsOfFile(sources), ...unknownVariables(sources.env)]

  function pick<T>(schema: z.ZodType<T>, name: SettingName, path: Path): T {
    const variable = variableOf(name)
    // The highest good one holds, but each bad one is told, so that none waits to bite when the one above it goes.
    const written = [
      { source: 'command line', key: `--${name}`, value: sources.flags[name] },
      // Compose passes a variable that is not set as an empty one.
      { source: 'environment', key: variable, value: sources.env[variable] || undefined },
    ]
    const good: T[] = []
    for (const { source, key, value } of written) {
      if (value === undefined) continue
      const parsed = parseWith(schema, value)
      if (parsed.ok) good.push(parsed.value)
      else {
        const message = `${key}: ${parsed.problems.map((flaw) => flaw.message).join('; ')}`
        problems.push({ kind: 'settings', id: '', message, source, key })
      }
    }
    const inFile = parseWith(schema, memberOf(sources.document?.settings, path))
    if (inFile.ok) good.push(inFile.value)
    return good[0] ?? schema.parse(undefined)
  }

  const workers = pick(workersSchema, 'workers', ['workers'])
  const settings: Settings = {
    workers: workers === 'auto' ? sources.cores : workers,
    admin: { address: pick(adminAddressSchema, 'admin-address', ['admin', 'address']) },
    trusted: pick(trustedSchema, 'trusted', ['trusted']),
    log: {
      level: pick(logLevelSchema, 'log-level', ['log', 'level']),
      access: pick(logAccessSchema, 'log-access', ['log', 'access']),
      path: pick(logPathSchema, 'log-path', ['log', 'path']),
    },
    drainMs: pick(drainSchema, 'drain', ['drain']),
  }
  return { settings, problems }
}

/** Where the file is: flag, else SLUICE_CONFIG, else `normal`. */
export function resolveConfigPath(
  flag: string | undefined,
  env: SettingSources['env'],
  normal: string,
): string {
  return flag ?? (env[CONFIG_VARIABLE] || normal)
}

const CONFIG_VARIABLE = 'SLUICE_CONFIG'

function variableOf(name: SettingName): string {
  return `SLUICE_${name.toUpperCase().replaceAll('-', '_')}`
}

function problemsOfFile({ document, filename }: SettingSources): Problem[] {
  if (document === null) return []
  const parsed = parseWith(z.strictObject(SETTINGS_SHAPE), document.settings)
  if (parsed.ok) return []
  return parsed.problems.map(({ message, path }) => ({
    kind: 'settings',
    id: '',
    message,
    source: 'file',
    key: `${filename}#${toPointer(path)}`,
    ...document.locateSetting(path),
  }))
}

function unknownVariables(env: SettingSources['env']): Problem[] {
  const known = [CONFIG_VARIABLE, ...SETTING_NAMES.map(variableOf)]
  return Object.keys(env)
    .filter((key) => key.startsWith('SLUICE_') && !known.includes(key) && !KUBERNETES.test(key))
    .map((key) => ({
      kind: 'settings',
      id: '',
      message: `unknown variable ${quote(key)}${didYouMean(key, known)}`,
      source: 'environment',
      key,
    }))
}

/** Kubernetes tells every pod about a service named sluice (or sluice-admin) in variables of its own. */
const KUBERNETES = /^SLUICE_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)|PORT)(?:_|$)/

function memberOf(value: unknown, path: Path): unknown {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Readonly<Record<string, unknown>>)[step]
  }
  return found
}
