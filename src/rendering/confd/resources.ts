/** confd's template resources: the TOML files of conf.d, with the templates beside it, as templates of Sluice. */
import { readdirSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { readToml } from '../../document/toml.ts'
import { Unreadable } from '../../document/tree.ts'
import { messageOf } from '../../model/error-message.ts'
import { fileErrorReason } from '../../model/file-error.ts'
import { readBoundedText } from '../../model/read-bounded.ts'
import { isMap, quote, type Scalar } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import type { KeySourceSpec, TemplateSettings } from '../../model/template-settings.ts'
import {
  isTemplate,
  parseKey,
  parseMode,
  NOT_IN_RELOAD,
  targetOf,
  toKeys,
} from '../../schema/templates.ts'

export interface ResourceOptions {
  /** The folder with `conf.d` and `templates`. */
  readonly confdir: string
  readonly source: KeySourceSpec
  /** In place of those of the resources; '' leaves these. */
  readonly prefix: string
  readonly timeoutMs: number
  /** Null: only changes are rendered. */
  readonly intervalMs: number | null
  readonly keepStage: boolean
  readonly noop: boolean
  readonly syncOnly: boolean
}

export interface Resources {
  readonly templates: readonly TemplateSettings[]
  /** With the path of the file. A resource with a problem is left out. */
  readonly problems: readonly string[]
  /** What has no effect. */
  readonly remarks: readonly string[]
}

const MAX_RESOURCES = 1_000
const MAX_BYTES = 1024 ** 2
const MAX_KEYS = 10_000
const MAX_ID = 2 ** 32 - 2
const SETTLE_MS = 100
const KNOWN = [
  ...['src', 'dest', 'keys', 'prefix', 'mode', 'uid', 'gid', 'check_cmd', 'reload_cmd'],
] as const

/** @throws {Error} the folder cannot be read */
export function readResources(options: ResourceOptions): Resources {
  const { confdir } = options
  const folder = join(confdir, 'conf.d')
  const templates: TemplateSettings[] = []
  const problems: string[] = []
  const remarks: string[] = []
  const owners = new Map<string, string>()
  for (const path of filesOf(folder)) {
    try {
      const name = relative(folder, path).replace(/\.?toml$/, '')
      const template = readResource(path, name, options, (remark) =>
        remarks.push(`${path}: ${remark}`),
      )
      if (isTemplate(template)) throw new Error('dest: is the template itself, which would be lost')
      const target = targetOf(template.dest)
      const owner = owners.get(target)
      if (owner !== undefined) throw new Error(`dest: ${owner} writes ${template.dest} already`)
      owners.set(target, path)
      templates.push(template)
    } catch (error) {
      problems.push(`${path}${placeOf(error)}: ${reasonOf(error)}`)
    }
  }
  return { templates, problems, remarks }
}

function filesOf(folder: string): readonly string[] {
  let names: readonly string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch (cause) {
    throw new Error(`cannot read ${folder}: ${fileErrorReason(cause)}`, { cause })
  }
  const files = names
    .filter((name) => name.endsWith('toml'))
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
  if (files.length <= MAX_RESOURCES) return files
  throw new Error(`${folder} has ${files.length} resources, and at most ${MAX_RESOURCES} are read`)
}

function readResource(
  path: string,
  name: string,
  options: ResourceOptions,
  remark: (text: string) => void,
): TemplateSettings {
  const { confdir, source, timeoutMs, intervalMs, keepStage, noop, syncOnly } = options
  const root = lowerCased(readToml(readBoundedText(path, { maxBytes: MAX_BYTES })))
  const form = root['template']
  if (!isMap(form)) throw new Error('has no table [template]')
  const own = lowerCased(form)
  for (const key of Object.keys(own)) {
    if (!(KNOWN as readonly string[]).includes(key))
      remark(`template.${key} has no effect${didYouMean(key, KNOWN)}`)
  }
  const text = (key: (typeof KNOWN)[number]): string | null => {
    const value = own[key] ?? null
    if (value !== null && typeof value !== 'string')
      throw new Error(`template.${key} must be text, not ${quote(value)}`)
    return value === '' ? null : value
  }
  const id = (key: 'uid' | 'gid'): number | null => {
    const value = own[key] ?? -1
    if (typeof value !== 'number' || !Number.isInteger(value) || value < -1 || value > MAX_ID)
      throw new Error(`template.${key} must be a number, not ${quote(value)}`)
    return value === -1 ? null : value
  }
  const [src, dest, mode] = [text('src'), text('dest'), text('mode')]
  if (src === null) throw new Error('template.src is missing: the file in templates')
  if (dest === null) throw new Error('template.dest is missing: the file to write')
  if (NOT_IN_RELOAD.test(text('reload_cmd') ?? ''))
    remark(
      `{{.src}} and {{.dest}} have no effect in template.reload_cmd: the file is ${dest} by then`,
    )
  const prefix = readWith(parseKey, options.prefix || (text('prefix') ?? ''), 'prefix')
  return {
    ...{ name, dest: resolve(dest), text: { path: join(confdir, 'templates', src) } },
    keys: toKeys(source, prefix, keysOf(own['keys'])),
    mode: mode === null ? null : readWith(parseMode, mode, 'mode'),
    ...{ uid: id('uid'), gid: id('gid') },
    ...{ check: text('check_cmd'), reload: text('reload_cmd') },
    ...{ timeoutMs, intervalMs, keepStage, noop, syncOnly },
    ...{ settleMs: SETTLE_MS, minIntervalMs: 0 },
  }
}

function keysOf(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length > MAX_KEYS)
    throw new Error(`template.keys must be a list of at most ${MAX_KEYS} texts`)
  return value.map((key: unknown) => {
    if (typeof key !== 'string') throw new Error(`template.keys must hold texts, not ${quote(key)}`)
    // confd's backends for Redis and ZooKeeper take this form.
    return readWith(parseKey, key.replaceAll('/*', ''), 'keys')
  })
}

function readWith<In, T>(parse: (value: In) => Scalar<T>, value: In, key: string): T {
  const parsed = parse(value)
  if (parsed.ok) return parsed.value
  throw new Error(`template.${key} ${parsed.reason}`)
}

/** confd takes keys in any case. */
function lowerCased(map: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key.toLowerCase(), value]))
}

function placeOf(error: unknown): string {
  const position = error instanceof Unreadable ? error.position : null
  return position === null ? '' : `:${position.line}:${position.column}`
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? fileErrorReason(error) : messageOf(error)
}
