/**
 * The file, taken apart into settings and declared objects, each with its place in the text. Nothing is judged but the
 * outline: what stands inside an object is admitted, or refused, object by object.
 */
import { readJson, readJsonValues } from './json.ts'
import { readYaml } from './yaml.ts'
import { quote, type Path } from '../model/parsed.ts'
import { type Position, type Tree, Unreadable, escapeStep, toPointer } from './tree.ts'
import type { Problem } from '../model/problem.ts'
import { resolveReferences, type ReferenceWorld } from './references.ts'
import type { Referred } from './referred.ts'
import { SETTING_KEYS } from '../model/settings.ts'
import { didYouMean } from '../model/suggest.ts'

/** Structurally the DeclaredObject of providers/. */
export interface DocumentObject extends Position, Referred {
  readonly kind: 'listener' | 'host' | 'backend' | 'frontend'
  readonly id: string
  /** With what its references stand for; undefined when there is a `fault`. */
  readonly value: unknown
  /** Why a reference cannot be resolved. */
  readonly fault?: string
  /** `sluice.yaml#/frontends/vote` */
  readonly key: string
}

/** What is fixed at start. */
export interface WrittenSettings {
  /** As written; see resolve-settings.ts. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Where one of them stands: `['log', 'level']`. */
  readonly locateSetting: (path: Path) => Position | null
}

export interface ReadableDocument extends WrittenSettings {
  readonly readable: true
  readonly objects: readonly DocumentObject[]
  /** Of the outline: an unknown top-level key, a section that is no map. Their kind is never `file`. */
  readonly problems: readonly Problem[]
  /** Where a member of an object stands; of the nearest one that is there. Made for few calls, not for every object. */
  readonly locate: (object: Pick<DocumentObject, 'kind' | 'id'>, path: Path) => Position | null
}

export type ParsedDocument =
  | ReadableDocument
  /** The one problem, of kind `file`: why nothing could be read. */
  | { readonly readable: false; readonly problems: readonly [Problem] }

const SECTIONS = {
  listener: 'listeners',
  host: 'hosts',
  backend: 'backends',
  frontend: 'frontends',
} as const
const KINDS = ['listener', 'host', 'backend', 'frontend'] as const
const MAX_FAULTS = 3

/** Editors look for the schema's address there; it means nothing to us. */
const IGNORED = '$schema'
const IS_SETTING: ReadonlySet<string> = new Set(SETTING_KEYS)
const KNOWN: readonly string[] = [...SETTING_KEYS, ...Object.values(SECTIONS)]
/** What is written for anchors alone. */
const OWN_NOTES = /^x-/

/**
 * `filename` tells the notation (`.json`, else YAML) and names the file in problems and keys. References in objects are
 * resolved in `world`; without one, everything stays as it is written. Never throws.
 */
export function parseDocument(
  text: string,
  filename: string,
  world: ReferenceWorld | null = null,
): ParsedDocument {
  const source = withoutMark(text)
  try {
    return takeApart(isJson(filename) ? readJson(source) : readYaml(source), filename, world)
  } catch (error) {
    // Both readers are thorough; what they let through (a stack that overflows) is still only an unreadable file.
    const known = error instanceof Unreadable ? error : null
    const message =
      known?.message ?? `cannot be read: ${error instanceof Error ? error.message : String(error)}`
    return {
      readable: false,
      problems: [
        { kind: 'file', id: '', message, source: 'file', key: filename, ...known?.position },
      ],
    }
  }
}

/**
 * The settings alone, which costs a fraction of the whole where there are many objects; null for what cannot be read, which
 * parseDocument says better. Never throws.
 */
export function parseSettings(text: string, filename: string): WrittenSettings | null {
  const source = withoutMark(text)
  try {
    const { root, locate } = isJson(filename) ? readJsonValues(source) : readYaml(source)
    return { settings: settingsOf(root), locateSetting: locate }
  } catch {
    return null
  }
}

function isJson(filename: string): boolean {
  return filename.endsWith('.json')
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

function settingsOf(root: Tree['root']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(root).filter(([key]) => IS_SETTING.has(key)))
}

function takeApart(
  { root, locate }: Tree,
  filename: string,
  world: ReferenceWorld | null,
): ReadableDocument {
  const objects: DocumentObject[] = []
  const problems: Problem[] = []

  function complain(kind: Problem['kind'], key: string, message: string): void {
    const at = `${filename}#${toPointer([key])}`
    problems.push({ kind, id: '', message, source: 'file', key: at, ...locate([key]) })
  }

  for (const key of Object.keys(root)) {
    if (!KNOWN.includes(key) && key !== IGNORED && !OWN_NOTES.test(key)) {
      complain('settings', key, `unknown key ${quote(key)}${didYouMean(key, KNOWN)}`)
    }
  }
  for (const kind of KINDS) {
    const section = root[SECTIONS[kind]]
    // `frontends:` with nothing below it is how an empty section looks in YAML.
    if (section === undefined || section === null) continue
    if (typeof section !== 'object' || Array.isArray(section)) {
      complain(
        kind,
        SECTIONS[kind],
        `${SECTIONS[kind]} must be a map of ids, not ${quote(section)}`,
      )
      continue
    }
    // All keys of a section share their beginning, and with their ids all their text.
    const prefix = `${filename}#${toPointer([SECTIONS[kind]])}/`
    const values = section as Readonly<Record<string, unknown>>
    for (const id of Object.keys(values)) {
      const { line, column } = locate([SECTIONS[kind], id]) ?? { line: 1, column: 1 }
      const key = prefix + escapeStep(id)
      objects.push(
        withReferences({ kind, id, value: values[id], key, line, column }, world, locate),
      )
    }
  }
  return {
    readable: true,
    settings: settingsOf(root),
    objects,
    problems,
    locate: ({ kind, id }, path) => locate([SECTIONS[kind], id, ...path]),
    locateSetting: locate,
  }
}

function withReferences(
  object: DocumentObject,
  world: ReferenceWorld | null,
  locate: Tree['locate'],
): DocumentObject {
  if (world === null) return object
  const { value, secrets, references, faults } = resolveReferences(object.value, world)
  const [first] = faults
  if (first !== undefined) {
    const reasons = faults.slice(0, MAX_FAULTS).map(({ message }) => message)
    const at = locate([SECTIONS[object.kind], object.id, ...first.path])
    return { ...object, ...at, value: undefined, fault: reasons.join('; ') }
  }
  if (value === object.value) return object
  const put = references.length === 0 ? {} : { references }
  return secrets.length === 0 ? { ...object, value, ...put } : { ...object, value, ...put, secrets }
}
