/** The native layout: each key holds one object, as JSON in the form of our own file. */
import { type Scalar, bad, good, quote, isMap } from '../../model/parsed.ts'
import { readJsonText } from '../registry/json-value.ts'
import { keyOfObject, objectOfKey } from './object-keys.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import { refuseObjectName, type ObjectKind } from '../../model/names.ts'
import type { DeclaredObject } from '../provider.ts'

export function createSluiceLayout(): Layout {
  return {
    name: 'sluice',
    groupOf: (path) => (objectOfKey(path) === null ? null : path),
    read: (entries) => entries.flatMap(readEntry),
    pathOf: keyOfObject,
  }
}

function readEntry({ path, key, text, fault, revision }: KeyEntry): DeclaredObject[] {
  const name = objectOfKey(path)
  if (name === null) return []
  const about = { ...name, key, ...(revision === undefined ? {} : { revision }) }
  const refused = refuseObjectName(name)
  if (refused !== null) return [{ ...about, value: undefined, fault: refused }]
  if (text === null) return [{ ...about, value: undefined, fault: fault ?? 'cannot be read' }]
  const value = readValue(name.kind, text)
  return value.ok
    ? [{ ...about, value: value.value }]
    : [{ ...about, value: undefined, fault: value.reason }]
}

function readValue(kind: ObjectKind, text: string): Scalar<unknown> {
  const json = readJsonText(text)
  if (!json.ok || isMap(json.value)) return json
  if (kind !== 'server') return bad(`must be a map, not ${quote(json.value)}`)
  return typeof json.value === 'string'
    ? good(json.value)
    : bad(`must be a url or a map, not ${quote(json.value)}`)
}
