/**
 * The native layout: each key holds one object, as JSON in the form of the file. What was written by vulcand's API is in
 * vulcand's form, as the only member `vulcand`, so that it is given back as it was written.
 */
import { createRequire } from 'node:module'
import { type Scalar, bad, good, quote, isMap } from '../../../model/parsed.ts'
import { readJsonText } from '../../registry/json-value.ts'
import { keyOfObject, objectOfKey } from '../object-keys.ts'
import type { KeyEntry, Layout } from '../../layout.ts'
import { refuseObjectName, type ObjectKind } from '../../../model/names.ts'
import type { DeclaredObject } from '../../provider.ts'

export function createSluiceLayout(): Layout {
  return {
    name: 'sluice',
    groupOf: (path) => (objectOfKey(path) === null ? null : path),
    read: (entries) => entries.flatMap(readEntry),
    pathOf: keyOfObject,
  }
}

const require = createRequire(import.meta.url)
let vulcand: Layout | null = null

/** Loaded with the first object in its form: its modules and ciphers are needed for nothing else here. */
function loadVulcand(): Layout {
  const { createVulcandLayout } =
    require('../vulcand/layout.ts') as typeof import('../vulcand/layout.ts')
  return createVulcandLayout(null)
}

/** The value in vulcand's form; undefined: it has the native form. */
export function vulcandForm(value: unknown): unknown {
  return isMap(value) && Object.hasOwn(value, 'vulcand') && Object.keys(value).length === 1
    ? value['vulcand']
    : undefined
}

function readEntry(entry: KeyEntry): readonly DeclaredObject[] {
  const { path, key, text, fault, revision } = entry
  const name = objectOfKey(path)
  if (name === null) return []
  const about = { ...name, key, ...(revision === undefined ? {} : { revision }) }
  const refused = refuseObjectName(name)
  if (refused !== null) return [{ ...about, value: undefined, fault: refused }]
  if (text === null) return [{ ...about, value: undefined, fault: fault ?? 'cannot be read' }]
  const value = readValue(name.kind, text)
  const foreign = value.ok ? vulcandForm(value.value) : undefined
  if (foreign !== undefined) {
    vulcand ??= loadVulcand()
    return vulcand.read([{ ...entry, text: JSON.stringify(foreign) }], () => [])
  }
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
