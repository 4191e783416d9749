/**
 * Splits the file into settings and declared objects, each with its place in the text. Only the outline is checked here;
 * objects are admitted or refused one by one, later.
 */
import { createRequire } from 'node:module'
import { type DocumentObject, keyPrefixOf, SECTIONS, toObject } from './document-object.ts'
import { readJson, readJsonValues } from './json.ts'
import { knownTextOf, type KnownText, readEdited } from './known.ts'
import { messageOf } from '../model/error-message.ts'
import { quote, type Path } from '../model/parsed.ts'
import { type Position, type Tree, Unreadable, toPointer } from './tree.ts'
import type { Problem } from '../model/problem.ts'
import type { ReferenceWorld } from './references.ts'
import { SETTING_KEYS } from '../model/settings.ts'
import { didYouMean } from '../model/suggest.ts'

/** What is fixed at start. */
export interface WrittenSettings {
  /** As written; see resolve-settings.ts. */
  readonly settings: Readonly<Record<string, unknown>>
  /** The place of a setting: `['log', 'level']`. */
  readonly locateSetting: (path: Path) => Position | null
}

export interface ReadableDocument extends WrittenSettings {
  readonly readable: true
  readonly objects: readonly DocumentObject[]
  /** Problems of the outline: an unknown top-level key, a section that is no map. Their kind is never `file`. */
  readonly problems: readonly Problem[]
  /** For the next reading of the file, with its text; null for YAML and if there are problems: then it is read whole. */
  readonly known: KnownDocument | null
  /** The place of a member of an object, or of its nearest ancestor. For few calls, not for every object. */
  readonly locate: (object: Pick<DocumentObject, 'kind' | 'id'>, path: Path) => Position | null
}

export interface KnownDocument extends KnownText {
  readonly settings: ReadableDocument['settings']
}

export type Notation = 'json' | 'yaml'

export type ParsedDocument =
  | ReadableDocument
  /** The one problem, of kind `file`: why nothing can be read. */
  | { readonly readable: false; readonly problems: readonly [Problem] }

const KINDS = ['listener', 'host', 'backend', 'frontend'] as const

/** Editors read the address of the schema there; Sluice ignores it. */
const IGNORED = '$schema'
const IS_SETTING: ReadonlySet<string> = new Set(SETTING_KEYS)
const KNOWN: readonly string[] = [...SETTING_KEYS, ...Object.values(SECTIONS)]
/** Keys for YAML anchors. */
const OWN_NOTES = /^x-/

const require = createRequire(import.meta.url)

/** Loaded with the first YAML file: its package takes 20 ms, which a program with a JSON file does not spend. */
function loadYaml(): typeof import('./yaml.ts') {
  return require('./yaml.ts') as typeof import('./yaml.ts')
}

/**
 * `filename` names the file in problems and keys, and decides the notation if it is not given (`.json`, else YAML).
 * References in objects are resolved in `world`; without it, everything stays as written. With `before`, the last reading of
 * the same file, only what an edit has changed is read. Does not throw.
 */
export function parseDocument(
  text: string,
  filename: string,
  world: ReferenceWorld | null = null,
  before: KnownDocument | null = null,
  notation: Notation = isJson(filename) ? 'json' : 'yaml',
): ParsedDocument {
  const source = withoutMark(text)
  try {
    const edited = before === null ? null : readEdited(before, source, filename, world)
    if (before !== null && edited !== null) {
      const { settings } = before
      const objects = edited.known.sections.flatMap((section) => section.objects)
      const known = { ...edited.known, settings }
      return { ...documentOf(settings, objects, [], edited.locate), known }
    }
    if (notation === 'yaml') return splitTree(loadYaml().readYaml(source), filename, world)
    const tree = readJson(source)
    const document = splitTree(tree, filename, world)
    if (document.problems.length > 0) return document
    const { settings, objects } = document
    return { ...document, known: { ...knownTextOf(source, tree, objects), settings } }
  } catch (error) {
    // Both readers report what they cannot read; any other error (a stack overflow) makes the file unreadable, too.
    const known = error instanceof Unreadable ? error : null
    const message = known?.message ?? `cannot be read: ${messageOf(error)}`
    return {
      readable: false,
      problems: [
        { kind: 'file', id: '', message, source: 'file', key: filename, ...known?.position },
      ],
    }
  }
}

/** The map that a text is, in the form of any other program. JSON is YAML, too, but slower to read so. Throws Unreadable. */
export function readForeign(text: string, notation: Notation = 'yaml'): Tree {
  const source = withoutMark(text)
  return notation === 'json' ? readJson(source) : loadYaml().readYaml(source)
}

/**
 * The settings alone, at a fraction of the cost if there are many objects. Null for a file that cannot be read; parseDocument
 * says why. Does not throw.
 */
export function parseSettings(text: string, filename: string): WrittenSettings | null {
  const source = withoutMark(text)
  try {
    const { root, locate } = isJson(filename) ? readJsonValues(source) : loadYaml().readYaml(source)
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

function splitTree(
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
    const prefix = keyPrefixOf(filename, kind)
    const values = section as Readonly<Record<string, unknown>>
    for (const id of Object.keys(values)) {
      const position = locate([SECTIONS[kind], id]) ?? { line: 1, column: 1 }
      objects.push(toObject({ kind, id, value: values[id], ...position }, prefix, world, locate))
    }
  }
  return documentOf(settingsOf(root), objects, problems, locate)
}

function documentOf(
  settings: ReadableDocument['settings'],
  objects: readonly DocumentObject[],
  problems: readonly Problem[],
  locate: Tree['locate'],
): ReadableDocument {
  return {
    readable: true,
    settings,
    objects,
    problems,
    known: null,
    locate: ({ kind, id }, path) => locate([SECTIONS[kind], id, ...path]),
    locateSetting: locate,
  }
}
