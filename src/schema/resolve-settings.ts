/**
 * Default < file < environment < flag, for each value. A bad value is a problem that names its origin, and the next lower
 * value applies.
 */
import * as z from 'zod'
import type { WrittenSettings } from '../document/document.ts'
import { quote, refuse, type Flaw, type Parsed, type Path } from '../model/parsed.ts'
import { parseWith } from '../options/parse.ts'
import { toPointer } from '../document/tree.ts'
import type { Problem } from '../model/problem.ts'
import { NOT_SET, resolveReferences, type ReferenceWorld } from '../document/references.ts'
import { hideReferred, parseReferred } from '../document/referred.ts'
import { acmeSchema } from './acme.ts'
import {
  adminAddressSchema,
  adminAnonymousSchema,
  adminHostsSchema,
  adminSocketSchema,
  adminTlsSchema,
  adminTokensSchema,
  adminWriteSchema,
} from './admin.ts'
import { resolverSchema } from './resolver.ts'
import {
  SETTINGS_SHAPE,
  dataSchema,
  drainSchema,
  errorFormSchema,
  logAccessSchema,
  logLevelSchema,
  logPathSchema,
  routeOrderSchema,
  scalingSchema,
  startSchema,
  statsdSchema,
  ticketSecretSchema,
  trustedSchema,
  workersSchema,
} from './settings.ts'
import type { AcmeSettings } from '../model/acme-settings.ts'
import type { Settings, SourceSpec } from '../model/settings.ts'
import { sourceKindOf } from '../providers/catalog/sources.ts'
import { beside } from '../providers/source-kind.ts'
import { parseSources } from './sources.ts'
import { parseTemplates } from './templates.ts'
import { didYouMean } from '../model/suggest.ts'

/** As flags write them: `--log-level`; the environment has SLUICE_LOG_LEVEL. */
export const SETTING_NAMES = [
  'workers',
  'admin-address',
  'admin-hosts',
  'admin-anonymous',
  'trusted',
  'log-level',
  'log-access',
  'log-path',
  'drain',
  'data',
] as const

export type SettingName = (typeof SETTING_NAMES)[number]

export interface SettingSources {
  /** Null: there is no file, or it cannot be read. */
  readonly document: WrittenSettings | null
  readonly filename: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags: Readonly<Partial<Record<SettingName, string>>>
  /** The number for `workers: auto`. */
  readonly cores: number
  /** Resolves references in the file; without it they stay as written. */
  readonly references?: ReferenceWorld
}

export interface ResolvedSettings {
  readonly settings: Settings
  readonly problems: readonly Problem[]
  /** The problems that stop a start, because the program would serve something else. */
  readonly fatal: readonly Problem[]
}

export function resolveSettings(sources: SettingSources): ResolvedSettings {
  const { filename } = sources
  const file = readFileSettings(sources)
  const problems = [...file.problems, ...unknownVariables(sources.env)]

  function pick<T>(schema: z.ZodType<T>, name: SettingName, path: Path): T {
    // Null is a value: standard output.
    const [first = schema.parse(undefined)] = [
      pickAbove(schema, name),
      pickFromFile(schema, path),
    ].filter((value) => value !== undefined)
    return first
  }

  function pickFromFile<T>(schema: z.ZodType<T>, path: Path): T | undefined {
    const inFile = parseWith(schema, memberOf(file.settings, path))
    return inFile.ok ? inFile.value : undefined
  }

  function pickAbove<T>(schema: z.ZodType<T>, name: SettingName): T | undefined {
    const variable = variableOf(name)
    // The highest good one applies. Each bad one is reported, also below a good one.
    const written = [
      { source: 'command line', key: `--${name}`, value: sources.flags[name] },
      // Compose passes an unset variable as an empty one.
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
    return good[0]
  }

  function pickData(): string {
    const above = pickAbove(dataSchema, 'data')
    const path = pickFromFile(dataSchema, ['data']) ?? dataSchema.parse(undefined)
    return above ?? beside(filename, path)
  }

  const workers = pick(workersSchema, 'workers', ['workers'])
  const data = pickData()
  const resolver = pickFromFile(resolverSchema, ['resolver']) ?? resolverSchema.parse(undefined)
  const place = { filename, data, resolver }
  const declared = parseSources(file.settings['sources'], place)
  const { templates, sources: written } = file.settings
  const settings: Settings = {
    workers: workers === 'auto' ? sources.cores : workers,
    admin: {
      address: pick(adminAddressSchema, 'admin-address', ['admin', 'address']),
      hosts: pick(adminHostsSchema, 'admin-hosts', ['admin', 'hosts']),
      socket: pickFromFile(adminSocketSchema, ['admin', 'socket']) ?? null,
      tokens: pickFromFile(adminTokensSchema, ['admin', 'tokens']) ?? [],
      tls: pickFromFile(adminTlsSchema.optional(), ['admin', 'tls']) ?? null,
      anonymous: pick(adminAnonymousSchema, 'admin-anonymous', ['admin', 'anonymous']),
      write: pickFromFile(adminWriteSchema, ['admin', 'write']) ?? null,
    },
    trusted: pick(trustedSchema, 'trusted', ['trusted']),
    routing: {
      order:
        pickFromFile(routeOrderSchema, ['routing', 'order']) ?? routeOrderSchema.parse(undefined),
    },
    errors: {
      form: pickFromFile(errorFormSchema, ['errors', 'form']) ?? errorFormSchema.parse(undefined),
    },
    log: {
      level: pick(logLevelSchema, 'log-level', ['log', 'level']),
      access: pick(logAccessSchema, 'log-access', ['log', 'access']),
      path: pick(logPathSchema, 'log-path', ['log', 'path']),
    },
    drainMs: pick(drainSchema, 'drain', ['drain']),
    data,
    startMs: pickFromFile(startSchema, ['start']) ?? startSchema.parse(undefined),
    resolver,
    ticketSecret: pickFromFile(ticketSecretSchema, ['tls', 'ticketSecret']) ?? null,
    sources: declared.sources,
    acme: pickFromFile<AcmeSettings | undefined>(acmeSchema.optional(), ['acme']) ?? null,
    statsd: pickFromFile(statsdSchema.optional(), ['statsd']) ?? null,
    scaling: pickFromFile(scalingSchema, ['scaling']) ?? scalingSchema.parse(undefined),
    templates: parseTemplates(templates, written, place).templates,
  }
  for (const [path, name] of [
    [['acme', 'store'], settings.acme?.store ?? null],
    [['admin', 'write'], settings.admin.write],
    [['scaling', 'lock'], settings.scaling.lock],
  ] as const) {
    const refused = name === null ? null : refuseStore(name, settings.sources)
    if (refused === null) continue
    const place = sources.document?.locateSetting(path)
    const key = `${filename}#/${path.join('/')}`
    const about = { kind: 'settings', id: '', source: 'file', key } as const
    problems.push({ ...about, message: `${path.join('.')}: ${refused}`, ...place })
  }
  const fatal = problems.filter(({ source, key }) => source !== 'file' || FATAL.test(key))
  return { settings, problems, fatal }
}

/** Why the source cannot be written; null: it can. */
function refuseStore(name: string, sources: readonly SourceSpec[]): string | null {
  const writable = sources.filter((spec) => sourceKindOf(spec).keys !== null)
  if (writable.some((spec) => spec.name === name)) return null
  const names = writable.map((spec) => spec.name)
  const known = names.length === 0 ? 'none is written' : `there are ${names.join(', ')}`
  return `must be a source that can be written, not ${quote(name)}: ${known}${didYouMean(name, names)}`
}

/**
 * Sources and the folder of the embedded store: without them other objects would be served, and without the order of routes and
 * the form of errors other responses. Without `acme`, listeners would have no certificates, and without what protects the admin,
 * anybody could use it. Without the lock, several programs would scale. Other settings have a default with which the same is
 * served.
 */
const FATAL =
  /#\/(?:sources|data|routing|errors|acme|scaling|admin\/(?:tokens|tls|anonymous|socket|write))(?:\/|$)/

/** The path of the file: flag, else SLUICE_CONFIG, else `normal`. */
export function resolveConfigPath(
  flag: string | undefined,
  env: SettingSources['env'],
  normal: string,
): string {
  return flag ?? (env[CONFIG_VARIABLE] || normal)
}

/** The path of a configuration of synapse: flag, else SLUICE_SYNAPSE; null: there is none. */
export function resolveSynapsePath(flag: string | null, env: SettingSources['env']): string | null {
  return flag ?? (env[SYNAPSE_VARIABLE] || null)
}

const CONFIG_VARIABLE = 'SLUICE_CONFIG'
/** Of commands that ask the admin. */
const TOKEN_VARIABLE = 'SLUICE_TOKEN'
const SYNAPSE_VARIABLE = 'SLUICE_SYNAPSE'
/** Set by the script that starts Sluice, see process/upgrade/program.ts. */
const LAUNCHER_VARIABLE = 'SLUICE_LAUNCHER'

function variableOf(name: SettingName): string {
  return `SLUICE_${name.toUpperCase().replaceAll('-', '_')}`
}

interface FileSettings {
  /** With resolved references. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly problems: readonly Problem[]
}

function readFileSettings(sources: SettingSources): FileSettings {
  const { document, filename } = sources
  const written = document?.settings ?? {}
  const { value, secrets, references, faults } =
    sources.references === undefined
      ? { value: written, secrets: [], references: [], faults: [] }
      : resolveReferences(written, sources.references)
  const whole = withoutFaulty(value as FileSettings['settings'], faults)
  const { parsed, value: settings } = parseReferred(whole, references, (one) =>
    parse(one, filename),
  )

  function toProblem(flaw: Flaw): Problem {
    return {
      kind: 'settings',
      id: '',
      message: hideReferred(flaw, { references, secrets }),
      source: 'file',
      key: `${filename}#${toPointer(flaw.path)}`,
      ...document?.locateSetting(flaw.path),
    }
  }

  /** For an unset variable: examples name some that are not always needed. */
  function withHelp(fault: Flaw): Flaw {
    const line = document?.locateSetting(fault.path)?.line
    const help = line === undefined ? '' : `; set it, or delete line ${line} if it is not needed`
    return fault.message.endsWith(NOT_SET) ? { ...fault, message: fault.message + help } : fault
  }

  const isParsedApart = ({ path }: Flaw): boolean => SECTIONS_OF_MAPS.has(String(path[0]))
  const apart = parsed.ok ? [] : parsed.problems.filter(isParsedApart)
  const others = parsed.ok
    ? []
    : parsed.problems.filter((one) => !apart.includes(one) && !isCausedBy(faults, one))
  const flaws = [...faults.map(withHelp), ...others, ...apart]
  return { settings: settings as FileSettings['settings'], problems: flaws.map(toProblem) }
}

/** A reference that cannot be resolved leaves nothing in its place; its own message reports that. */
function isCausedBy(faults: readonly Flaw[], { path }: Flaw): boolean {
  return faults.some(
    (fault) => path.length > 0 && path.every((step, at) => step === fault.path[at]),
  )
}

/** All flaws of the settings. The data folder and the resolver do not matter for them. */
function parse(settings: unknown, filename: string): Parsed<unknown> {
  const parsed = parseWith(z.strictObject(SETTINGS_SHAPE), settings)
  const sources = memberOf(settings, ['sources'])
  const place = { filename, data: '', resolver: resolverSchema.parse(undefined) }
  const flaws = [
    ...parseSources(sources, place).flaws,
    ...parseTemplates(memberOf(settings, ['templates']), sources, place).flaws,
  ]
  return flaws.length === 0 ? parsed : refuse([...(parsed.ok ? [] : parsed.problems), ...flaws])
}

/** Each entry of these is parsed by itself: a flaw takes only its own entry away. */
const SECTIONS_OF_MAPS: ReadonlySet<string> = new Set(['sources', 'templates'])

/** A source or a template with an unresolved reference is dropped, because without its password it would be another one. */
function withoutFaulty(
  settings: FileSettings['settings'],
  faults: readonly Flaw[],
): FileSettings['settings'] {
  const whole: Record<string, unknown> = { ...settings }
  for (const section of SECTIONS_OF_MAPS) {
    const entries = settings[section]
    const faulty = faults.filter(({ path }) => path[0] === section).map(({ path }) => path[1])
    if (faulty.length === 0 || typeof entries !== 'object' || entries === null) continue
    const kept = Object.entries(entries).filter(([name]) => !faulty.includes(name))
    whole[section] = Object.fromEntries(kept)
  }
  return whole
}

function unknownVariables(env: SettingSources['env']): Problem[] {
  const known = [
    ...[CONFIG_VARIABLE, SYNAPSE_VARIABLE, TOKEN_VARIABLE],
    ...SETTING_NAMES.map(variableOf),
  ]
  return Object.keys(env)
    .filter((key) => key.startsWith('SLUICE_') && key !== LAUNCHER_VARIABLE)
    .filter((key) => !known.includes(key) && !KUBERNETES.test(key))
    .map((key) => ({
      kind: 'settings',
      id: '',
      message: `unknown variable ${quote(key)}${didYouMean(key, known)}`,
      source: 'environment',
      key,
    }))
}

/** Variables that Kubernetes sets in every pod for a service named sluice or sluice-admin. */
const KUBERNETES = /^SLUICE_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)|PORT)(?:_|$)/

function memberOf(value: unknown, path: Path): unknown {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Readonly<Record<string, unknown>>)[step]
  }
  return found
}
