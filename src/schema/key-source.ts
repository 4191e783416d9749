/** `source` of a template: the name of a registry of `sources`, or where other keys are. */
import * as z from 'zod'
import { flaw, isMap, quote, refuse, type Flaw, type Parsed, type Path } from '../model/parsed.ts'
import type { SourceSpec } from '../model/settings.ts'
import { didYouMean } from '../model/suggest.ts'
import type { KeySourceSpec } from '../model/template-settings.ts'
import { strict, text } from '../options/fields.ts'
import { parseWith } from '../options/parse.ts'
import { KEY_KINDS } from '../providers/keys/key-source.ts'
import type { Decryption } from '../providers/layout.ts'
import { beside, type SourceKind, type SourcePlace } from '../providers/source-kind.ts'

const environment = strict(
  { kind: z.literal('environment') },
  'The environment of this program: /database/host is DATABASE_HOST.',
)

const files = strict(
  {
    kind: z.literal('files'),
    paths: z
      .array(text('A file or a folder, relative to this file.', 4096))
      .min(1, 'must name at least one file')
      .max(100, 'must name at most 100')
      .meta({ description: 'YAML and JSON files, and folders of such.' }),
  },
  'Files whose maps are paths of keys.',
)

/** What concerns the objects of a source, and not its keys. */
const OBJECT_OPTIONS: ReadonlySet<string> = new Set([
  ...['prefix', 'layout', 'sealKey', 'vulcand', 'required', 'shrink', 'scheme', 'endpointName'],
])

/** Only its JSON Schema is used: parseKeySource is the parser. */
export const KEY_SOURCE: z.ZodType<unknown, unknown> = z.unknown().meta({
  anyOf: [z.string(), environment, files, ...KEY_KINDS.map(({ schema }) => schema)].map(formOf),
  description:
    'Where keys are: the name of an etcd, Redis, ZooKeeper or consul-kv under sources, or such a source without prefix and layout.',
})

function formOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const form = z.toJSONSchema(schema, { target: 'draft-7', io: 'input', reused: 'inline' })
  const { $schema: _, properties, ...rest } = form
  if (properties === undefined) return rest
  const kept = Object.entries(properties).filter(([name]) => !OBJECT_OPTIONS.has(name))
  return { ...rest, properties: Object.fromEntries(kept) }
}

/** `sources`: as the settings write them. `at`: of the template. */
export function parseKeySource(
  written: unknown,
  sources: unknown,
  at: Path,
  place: SourcePlace,
): Parsed<KeySourceSpec> {
  const below = [...at, 'source']
  if (typeof written === 'string') return parseNamed(written, sources, below, place)
  if (!isMap(written))
    return refuse([flaw(below, `must be a name or a map, not ${quote(written)}`)])
  switch (written['kind']) {
    case 'environment': {
      const parsed = parseWith(environment, written, below)
      return parsed.ok ? { ok: true, value: { kind: 'environment' } } : parsed
    }
    case 'files': {
      const parsed = parseWith(files, written, below)
      if (!parsed.ok) return parsed
      const paths = parsed.value.paths.map((path) => beside(place.filename, path))
      return { ok: true, value: { kind: 'files', paths } }
    }
    default: {
      const unused = Object.keys(written).filter((key) => OBJECT_OPTIONS.has(key))
      if (unused.length === 0) return parseRegistry(written, below, place)
      const why = 'is for sources of objects; what keys of a template begin with is its own prefix'
      return refuse(unused.map((key) => flaw([...below, key], why)))
    }
  }
}

function parseNamed(
  name: string,
  sources: unknown,
  at: Path,
  place: SourcePlace,
): Parsed<KeySourceSpec> {
  const all = isMap(sources) ? sources : {}
  const isKept = ([one, form]: readonly [string, unknown]): boolean =>
    kindOf(isMap(form) ? (form['kind'] ?? one) : one) !== undefined
  const names = Object.entries(all)
    .filter(isKept)
    .map(([one]) => one)
  if (!names.includes(name)) {
    const known = names.length === 0 ? 'there is none' : `there are ${names.join(', ')}`
    const why = `must be the name of a source with keys, not ${quote(name)}: ${known}${didYouMean(name, names)}`
    return refuse([flaw(at, why)])
  }
  const form = all[name]
  return parseRegistry({ kind: name, ...(isMap(form) ? form : {}) }, at, place)
}

function kindOf(written: unknown): SourceKind | undefined {
  return KEY_KINDS.find(({ kind }) => kind === written)
}

/** See model/template-settings.ts: the key to read takes its place. */
const PLACEHOLDER = '/key'

function parseRegistry(
  written: Readonly<Record<string, unknown>>,
  at: Path,
  place: SourcePlace,
): Parsed<KeySourceSpec> {
  const kind = kindOf(written['kind'])
  if (kind === undefined) {
    const kinds = ['environment', 'files', ...KEY_KINDS.map((one) => one.kind)]
    const near = typeof written['kind'] === 'string' ? didYouMean(written['kind'], kinds) : ''
    const why = `must be one of ${kinds.join(', ')}, not ${quote(written['kind'])}${near}`
    return refuse([flaw([...at, 'kind'], why)])
  }
  const own = Object.entries(written).filter(([key]) => !OBJECT_OPTIONS.has(key))
  const form = { ...Object.fromEntries(own), prefix: PLACEHOLDER }
  const parsed = kind.parse('keys', form, place)
  if (!parsed.ok)
    return refuse(parsed.problems.map(({ path, message }) => moved(path, message, at)))
  const { decrypt, ...source } = parsed.value as SourceSpec & { readonly decrypt?: Decryption }
  return { ok: true, value: { kind: 'registry', source, keyring: decrypt?.keyring ?? null } }
}

/** A kind names the places of its flaws from `sources` on. */
function moved(path: Path, message: string, at: Path): Flaw {
  const [, , ...rest] = path
  const start = path.length > rest.length ? `${path.join('.')}: ` : ''
  return flaw([...at, ...rest], message.startsWith(start) ? message.slice(start.length) : message)
}
