/**
 * Reads and writes objects as keys of a registry, by its layout. A value is read back through the layout before it is written,
 * so that nothing is written that readers would reject.
 */
import { isDeepStrictEqual } from 'node:util'
import { quote } from '../../model/parsed.ts'
import { readJsonText } from './json-value.ts'
import type { KeyEntry, Layout } from '../layout.ts'
import type { ObjectKind, ObjectName } from '../../model/names.ts'
import type { DeclaredObject } from '../provider.ts'
import type { KeyStore, Store, StoredKey, StoredObject } from '../store.ts'

export function createStore(keys: KeyStore, layout: Layout): Store {
  function pathOf(kind: ObjectKind, id: string): string {
    const path = layout.pathOf(kind, id)
    if (path !== null) return path
    throw new Error(`the ${layout.name} layout has no key for ${kind} ${quote(id)}`)
  }

  async function sealedText(path: string, text: string): Promise<string> {
    return layout.sealed === undefined ? text : layout.sealed.seal(path, text)
  }

  return {
    async get(kind, id) {
      const key = await keys.get(pathOf(kind, id))
      if (key === null) return null
      const object = (await readKeys(layout, [key])).find((one) => isNamed(one, { kind, id }))
      return toStored({ kind, id, value: undefined, ...object }, key)
    },

    async list() {
      const found = await keys.list()
      const byPath = new Map(found.map((key) => [key.path, key]))
      return (await readKeys(layout, found)).flatMap((object) => {
        const path = layout.pathOf(object.kind, object.id)
        const key = path === null ? undefined : byPath.get(path)
        return key === undefined ? [] : [toStored(object, key)]
      })
    },

    async put(kind, id, value, options = {}) {
      const path = pathOf(kind, id)
      const text = JSON.stringify(value) as string | undefined
      if (text === undefined) throw new Error(`cannot put ${kind} ${id}: it has no value`)
      const [object] = layout.read([{ path, key: path, text }], () => [])
      if (object?.fault !== undefined) {
        throw new Error(`cannot put ${kind} ${id}: ${object.fault}`)
      }
      // Other layouts translate values.
      const isAltered = layout.name === 'sluice' && !isReadAs(text, object?.value)
      if (!isNamed(object, { kind, id }) || isAltered) {
        throw new Error(
          `cannot put ${kind} ${id}: the ${layout.name} layout would read something else in it`,
        )
      }
      return keys.put(path, await sealedText(path, text), options)
    },

    async delete(kind, id, options = {}) {
      return keys.delete(pathOf(kind, id), options)
    },

    close: () => keys.close(),
  }
}

/** A layout may read a group together with others, so all keys are passed. */
async function readKeys(
  layout: Layout,
  keys: readonly StoredKey[],
): Promise<readonly DeclaredObject[]> {
  const { sealed } = layout
  const groups = new Map<string, KeyEntry[]>()
  for (const { path, text, fault } of keys) {
    const group = layout.groupOf(path)
    if (group === null) continue
    const isRead = fault === undefined
    const raw: KeyEntry = { path, key: path, ...(isRead ? { text } : { text: null, fault }) }
    const entry = isRead && sealed?.isSealed(raw) === true ? await sealed.open(raw) : raw
    const entries = groups.get(group)
    if (entries === undefined) groups.set(group, [entry])
    else entries.push(entry)
  }
  return [...groups.values()].flatMap((entries) =>
    layout.read(entries, (group) => groups.get(group) ?? []),
  )
}

function toStored(
  { kind, id, value, fault }: Pick<DeclaredObject, 'kind' | 'id' | 'value' | 'fault'>,
  { revision, ttlMs }: StoredKey,
): StoredObject {
  return { kind, id, value, revision, ttlMs, ...(fault === undefined ? {} : { fault }) }
}

function isNamed(object: ObjectName | undefined, { kind, id }: ObjectName): boolean {
  return object?.kind === kind && object.id === id
}

function isReadAs(text: string, value: unknown): boolean {
  const json = readJsonText(text)
  return json.ok && isDeepStrictEqual(json.value, value)
}
