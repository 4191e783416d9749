/**
 * The keys of the native layout and vulcand's, one object each, so that each writer owns its key:
 *
 *   listeners/<id>         backends/<id>/backend          frontends/<id>/frontend
 *   hosts/<name>/host      backends/<id>/servers/<sid>    frontends/<id>/middlewares/<mid>
 *
 * Segments are compared as a whole: `backends/b10` is never taken for a part of `backends/b1`.
 */
import { refuseObjectName, type ObjectKind, type ObjectName } from '../../model/names.ts'

interface Section {
  readonly whole: ObjectKind
  /** The last segment of the object's key; null: there is none. */
  readonly suffix: string | null
  readonly parts: string | null
  readonly part: ObjectKind | null
}

const SECTIONS: ReadonlyMap<string, Section> = new Map<string, Section>([
  ['listeners', { whole: 'listener', suffix: null, parts: null, part: null }],
  ['hosts', { whole: 'host', suffix: 'host', parts: null, part: null }],
  ['backends', { whole: 'backend', suffix: 'backend', parts: 'servers', part: 'server' }],
  [
    'frontends',
    { whole: 'frontend', suffix: 'frontend', parts: 'middlewares', part: 'middleware' },
  ],
])

/** The object of a key, with an unchecked id; null if the key has no object. */
export function objectOfKey(path: string): ObjectName | null {
  const segments = path.split('/')
  if (segments.length < 2 || segments.length > 4) return null
  const [first = '', id = '', third, fourth] = segments
  const section = SECTIONS.get(first)
  if (section === undefined || id === '') return null
  if (fourth === undefined) {
    return (third ?? null) === section.suffix ? { kind: section.whole, id } : null
  }
  if (section.part === null || third !== section.parts || fourth === '') return null
  return { kind: section.part, id: `${id}/${fourth}` }
}

/** The key of an object; null if the id is not valid. */
export function keyOfObject(kind: ObjectKind, id: string): string | null {
  return refuseObjectName({ kind, id }) === null ? keyOfStored(kind, id) : null
}

/**
 * As keyOfObject, also with an id that is not valid: others may have written the object, and it can be shown and deleted. Null if
 * no key of one object is meant.
 */
export function keyOfStored(kind: ObjectKind, id: string): string | null {
  const [owner = '', part = '', ...more] = id.split('/')
  const parts = PARTED.has(kind) ? [owner, part] : [id]
  if (more.length > 0 || !parts.every(isSegment)) return null
  for (const [name, section] of SECTIONS) {
    if (section.part === kind) return `${name}/${owner}/${section.parts}/${part}`
    if (section.whole === kind) {
      return section.suffix === null ? `${name}/${id}` : `${name}/${id}/${section.suffix}`
    }
  }
  return null
}

const PARTED: ReadonlySet<ObjectKind> = new Set(['server', 'middleware'])
const MAX_SEGMENT = 1024

/** Paths that are normalised on their way, as those of URLs, lose `.` and `..`. */
function isSegment(text: string): boolean {
  if (text === '' || text === '.' || text === '..' || text.length > MAX_SEGMENT) return false
  return !/[/\u0000-\u001f\u007f]/.test(text) && text.isWellFormed()
}
