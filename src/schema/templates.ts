/**
 * `templates:`, a map of names to files that are rendered. A template that cannot be understood is left out; the others are rendered.
 */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import * as z from 'zod'
import { refuseId } from '../model/names.ts'
import {
  bad,
  flaw,
  good,
  quote,
  refuse,
  type Flaw,
  type Parsed,
  type Scalar,
} from '../model/parsed.ts'
import type { KeySourceSpec, TemplateKeys, TemplateSettings } from '../model/template-settings.ts'
import { duration, flag, scalar, strict, text, texts, whole } from '../options/fields.ts'
import { DAY_MS, HOUR_MS, parseDuration } from '../model/units.ts'
import { parseWith } from '../options/parse.ts'
import { toVariableKey } from '../providers/keys/environment.ts'
import { joinKey } from '../providers/keys/key-paths.ts'
import { beside, type SourcePlace } from '../providers/source-kind.ts'
import { KEY_SOURCE, parseKeySource } from './key-source.ts'

const MAX_TEMPLATES = 200
const MAX_KEYS = 10_000
const MAX_PATH = 4096
const MAX_ID = 2 ** 32 - 2

const shape = {
  src: text('The file of the template, relative to this file.', MAX_PATH).optional(),
  template: text('The template itself, in place of src.', 262_144).optional(),
  dest: text('The file to write, relative to this file.', MAX_PATH),
  source: KEY_SOURCE.optional(),
  keys: texts(
    parseKey,
    MAX_KEYS,
    'The keys to read, each with those below it; all below the prefix by default.',
  ).optional(),
  prefix: scalar((value) => (typeof value === 'string' ? parseKey(value) : parseKey('')), {
    type: 'string',
    description: 'What keys begin with; the template sees them without it.',
  }).optional(),
  mode: scalar(parseMode, {
    type: 'string',
    pattern: '^0o?[0-7]{1,4}$',
    description: 'As "0644"; by default that of the file that is there, else 0644.',
  }).optional(),
  uid: whole('The owner; by default that of this program.', 0, MAX_ID).optional(),
  gid: whole('The group; by default that of this program.', 0, MAX_ID).optional(),
  check: text(
    'A command of /bin/sh that looks at the new file before it replaces the old one; {{.src}} is its path.',
    MAX_PATH,
  ).optional(),
  reload: text('A command of /bin/sh that is run when the file has changed.', MAX_PATH).optional(),
  timeout: duration('Of check and of reload, each.', '30s', 10, HOUR_MS),
  settle: duration(
    'Changes that follow one another within this time are rendered together.',
    '100ms',
    0,
    60_000,
  ),
  minInterval: duration('Between two renderings.', '1s', 0, HOUR_MS),
  interval: scalar<number | null>(parseInterval, {
    type: ['string', 'integer'],
    description:
      'The template is rendered after this time also without a change: 1s to 24h, or forever: not at all.',
  }).prefault('10m'),
  keepStage: flag('The staged file is kept beside the file, the last one of a run.', false),
  noop: flag('The file is left as it is; what would change is logged.', false),
  syncOnly: flag('check and reload are not run.', false),
}

const form = strict(shape, 'A file that is rendered from a template.')

export const templateForm: z.ZodType = form

type Form = z.output<typeof form>

/** Only its JSON Schema is used: parseTemplates is the parser. */
export const templatesSchema: z.ZodType = z
  .unknown()
  .optional()
  .meta({
    ...z.toJSONSchema(z.record(z.string(), form), {
      target: 'draft-7',
      io: 'input',
      reused: 'inline',
    }),
    $schema: undefined,
    description: 'Files that are rendered from templates, by name.',
  })

/** `sources`: the section of this name, as it is written. The paths of flaws begin with `templates`. */
export function parseTemplates(
  value: unknown,
  sources: unknown,
  place: SourcePlace,
): { readonly templates: readonly TemplateSettings[]; readonly flaws: readonly Flaw[] } {
  if (value === undefined || value === null) return { templates: [], flaws: [] }
  const at = ['templates']
  if (typeof value !== 'object' || Array.isArray(value)) {
    return { templates: [], flaws: [flaw(at, `must be a map of names, not ${quote(value)}`)] }
  }
  const written = Object.entries(value)
  if (written.length > MAX_TEMPLATES) {
    return { templates: [], flaws: [flaw(at, `must hold at most ${MAX_TEMPLATES} templates`)] }
  }
  const templates: TemplateSettings[] = []
  const flaws: Flaw[] = []
  const owners = new Map<string, string>()
  const settings = targetOf(place.filename)
  for (const [name, one] of written) {
    const parsed = parseTemplate(name, one, sources, place)
    if (!parsed.ok) {
      flaws.push(...parsed.problems)
      continue
    }
    const target = targetOf(parsed.value.dest)
    const owner = owners.get(target)
    if (isTemplate(parsed.value)) {
      flaws.push(flaw([...at, name, 'dest'], 'is the template itself, which would be lost'))
    } else if (target === settings) {
      flaws.push(flaw([...at, name, 'dest'], 'is this file itself, which would be lost'))
    } else if (owner === undefined) {
      owners.set(target, name)
      templates.push(parsed.value)
    } else {
      const why = `the template ${quote(owner)} writes ${parsed.value.dest} already`
      flaws.push(flaw([...at, name, 'dest'], why))
    }
  }
  return { templates, flaws }
}

/** What `reload` has not: `.src` is for `check`, and `.dest` of forks of confd. */
export const NOT_IN_RELOAD: RegExp = /\{\{-?\s*\.(?:src|dest)\s*-?\}\}/

/** The same for each path that names the same file, whether it is there or not. */
export function targetOf(dest: string): string {
  const path = resolve(dest)
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}

/** Whether the file of the template would be replaced by what it is rendered to. */
export function isTemplate({ text, dest }: Pick<TemplateSettings, 'text' | 'dest'>): boolean {
  return 'path' in text && targetOf(text.path) === targetOf(dest)
}

function parseTemplate(
  name: string,
  written: unknown,
  sources: unknown,
  place: SourcePlace,
): Parsed<TemplateSettings> {
  const at = ['templates', name]
  const refused = refuseId(name)
  if (refused !== null) return refuse([flaw(at, refused)])
  const parsed = parseWith(form, written ?? {}, at)
  if (!parsed.ok) return parsed
  const { value } = parsed
  const flaws: Flaw[] = []
  const complain = (message: string, key?: string): void => {
    flaws.push(flaw(key === undefined ? at : [...at, key], message))
  }
  const { src, template, dest, source, keys: names, prefix } = value
  if ((src === undefined) === (template === undefined))
    complain('needs src, the file of the template, or template, its text; and not both')
  if (source === undefined) {
    for (const key of ['keys', 'prefix'] as const)
      if (value[key] !== undefined) complain('is used with a source only', key)
  }
  if (value.reload !== undefined && NOT_IN_RELOAD.test(value.reload))
    complain(`has no {{.src}} or {{.dest}}: the file is ${dest} by then; write that path`, 'reload')
  const spec = source === undefined ? null : parseKeySource(source, sources, at, place)
  if (spec !== null && !spec.ok) flaws.push(...spec.problems)
  if (flaws.length > 0) return refuse(flaws)
  return {
    ok: true,
    value: {
      ...{ name, dest: beside(place.filename, dest) },
      text: src === undefined ? { inline: template ?? '' } : { path: beside(place.filename, src) },
      keys: spec?.ok === true ? toKeys(spec.value, prefix ?? '', names ?? ['']) : null,
      ...actionsOf(value),
    },
  }
}

function actionsOf(form: Form): Omit<TemplateSettings, 'name' | 'dest' | 'text' | 'keys'> {
  return {
    mode: form.mode ?? null,
    uid: form.uid ?? null,
    gid: form.gid ?? null,
    check: form.check ?? null,
    reload: form.reload ?? null,
    timeoutMs: form.timeout,
    settleMs: form.settle,
    minIntervalMs: form.minInterval,
    intervalMs: form.interval,
    keepStage: form.keepStage,
    noop: form.noop,
    syncOnly: form.syncOnly,
  }
}

/** `names`: below the prefix. */
export function toKeys(
  source: KeySourceSpec,
  prefix: string,
  names: readonly string[],
): TemplateKeys {
  const whole = names.map((name) => joinKey(prefix, name))
  const read = source.kind === 'environment' ? whole.map(toVariableKey) : whole
  return { source, prefix, read: [...new Set(read)] }
}

function parseInterval(value: unknown): Scalar<number | null> {
  return value === 'forever' ? good(null) : parseDuration(value, 1000, DAY_MS)
}

/** A key or the beginning of one, as confd joins them. */
export function parseKey(value: string): Scalar<string> {
  if (value.length > 1024) return bad('must be at most 1024 characters long')
  return /[\p{C}]/u.test(value)
    ? bad(`must be a key such as /nginx/upstream, not ${quote(value)}`)
    : good(joinKey(value))
}

/** In octal, with a 0 at its beginning: other programs read 644 in other ways. */
export function parseMode(value: unknown): Scalar<number> {
  const [, digits] = typeof value === 'string' ? (/^0o?([0-7]{1,4})$/.exec(value) ?? []) : []
  return digits === undefined
    ? bad(`must be octal text that begins with a 0, such as "0644", not ${quote(value)}`)
    : good(Number.parseInt(digits, 8))
}
