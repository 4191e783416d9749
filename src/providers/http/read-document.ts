/** The objects of a document in either format. */
import {
  parseDocument,
  readForeign,
  type KnownDocument,
  type Notation,
  type ReadableDocument,
} from '../../document/document.ts'
import type { Problem } from '../../model/problem.ts'
import { locateIn } from '../file/file-provider.ts'
import { Unreadable } from '../../document/tree.ts'
import type { Layout } from '../layout.ts'
import type { Declaration, DeclaredObject } from '../provider.ts'
import { createMirror } from '../registry/mirror.ts'
import { readTraefikDocument, type TraefikDocument } from '../layouts/traefik/document.ts'

type Locate = NonNullable<Declaration['locate']>

export type DocumentReading =
  | {
      readonly readable: true
      readonly objects: readonly DeclaredObject[]
      readonly problems: readonly Problem[]
      readonly locate?: Locate
    }
  | { readonly readable: false; readonly problems: readonly Problem[] }

export interface DocumentReader {
  /** `type`: Content-Type. Does not throw. */
  read(text: string, type: string): DocumentReading
}

/** `place`: names the document in keys. */
export function createDocumentReader(place: string, layout: Layout | null): DocumentReader {
  const read = layout === null ? createSectionReader(place) : createTraefikReader(place, layout)
  return {
    read(text, type) {
      // An empty map in YAML, but most likely the response of a broken server.
      if (text.trim() === '') return unreadable(place, 'is empty')
      return read(text, notationOf(text, type))
    },
  }
}

function notationOf(text: string, type: string): Notation {
  if (/json/i.test(type)) return 'json'
  return /yaml/i.test(type) || !/^\uFEFF?\s*\{/.test(text) ? 'yaml' : 'json'
}

type Read = (text: string, notation: Notation) => DocumentReading

/** References are not resolved: the server must not read variables and files of this machine. */
function createSectionReader(place: string): Read {
  let before: KnownDocument | null = null
  return (text, notation) => {
    const document = parseDocument(text, place, null, notation === 'json' ? before : null, notation)
    // A misspelt section, or one that is not a map, would delete all its objects.
    if (!document.readable || document.problems.length > 0) {
      return { readable: false, problems: document.problems.map((one) => ({ ...one, source: '' })) }
    }
    before = document.known
    const { objects } = document
    const problems = settingsOf(document, place)
    const locate: Locate = (object, path) => locateIn(document, object, path)
    return { readable: true, objects, problems, locate }
  }
}

function settingsOf({ settings }: ReadableDocument, place: string): readonly Problem[] {
  return Object.keys(settings).map((name) => ({
    kind: 'settings',
    id: '',
    message: `${name}: settings belong in the main file only; here it has no effect`,
    source: '',
    key: `${place}#/${name}`,
  }))
}

function createTraefikReader(place: string, layout: Layout): Read {
  const mirror = createMirror(layout)
  return (text, notation) => {
    const document = readTraefik(text, notation, place, layout)
    if (!document.readable) return unreadable(place, document.reason)
    mirror.replace(document.entries)
    const { objects, problems } = mirror.declare({
      ...{ revision: '', listed: 'list', changedAt: 0 },
      problems: document.problems,
    })
    return { readable: true, objects: [...objects], problems }
  }
}

function readTraefik(
  text: string,
  notation: Notation,
  place: string,
  layout: Layout,
): TraefikDocument {
  try {
    const { root } = readForeign(text, notation)
    return readTraefikDocument(root, layout, (path) => `${place}#/${path}`)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { readable: false, reason: error.message }
  }
}

function unreadable(place: string, message: string): DocumentReading {
  return {
    readable: false,
    problems: [{ kind: 'file', id: '', message, source: '', key: place }],
  }
}
