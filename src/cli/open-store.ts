/** The registry that `put`, `delete` and `get` are about: the one that is asked for, else the only one that can be written to. */
import type { Settings, SourceSpec } from '../model/settings.ts'
import { createLayout } from '../providers/catalog/layouts.ts'
import { sourceKindOf } from '../providers/catalog/sources.ts'
import { createStore } from '../providers/registry/object-store.ts'
import type { Layout } from '../providers/layout.ts'
import type { ObjectKind } from '../model/names.ts'
import type { SourceKind } from '../providers/source-kind.ts'
import type { Store } from '../providers/store.ts'

/** Throws with what would help when there is no such source, or more than one to choose from. */
export function chooseSource({ sources }: Settings, name: string | null): SourceSpec {
  const writable = sources.filter((spec) => sourceKindOf(spec).keys !== null)
  const names = writable.map((source) => source.name).join(', ')
  if (name !== null) {
    const found = writable.find((source) => source.name === name)
    if (found !== undefined) return found
    throw new Error(
      `no source "${name}" can be written to; ${names === '' ? 'none can' : `there is ${names}`}`,
    )
  }
  const [only, ...more] = writable
  if (only === undefined)
    throw new Error('no source can be written to: name an etcd, redis or store under "sources"')
  if (more.length > 0) throw new Error(`which source? there are ${names}; say --source NAME`)
  return only
}

/** `source` with the text of the files it names. Only the client that is needed is loaded. */
export async function openStore(source: SourceSpec): Promise<Store> {
  return createStore(await keysOf(source).open(source), layoutOf(source))
}

export function layoutOf(source: SourceSpec): Layout {
  const choice = keysOf(source).layout(source)
  return createLayout(choice.layout, choice)
}

function keysOf(source: SourceSpec): NonNullable<SourceKind['keys']> {
  const { keys } = sourceKindOf(source)
  if (keys === null) throw new Error(`source "${source.name}" cannot be written to`)
  return keys
}

/**
 * Why a reader of the source would set the object aside; null: it would not. `refuse` judges it in our own form, whatever
 * form the source's layout has.
 */
export function refuseIn(
  layout: Layout,
  refuse: (kind: ObjectKind, id: string, value: unknown) => string | null,
): (kind: ObjectKind, id: string, value: unknown) => string | null {
  return (kind, id, value) => {
    const path = layout.pathOf(kind, id)
    // Why there is none, the store says.
    if (path === null) return null
    const text = JSON.stringify(value) as string | undefined
    const objects = layout.read([{ path, key: path, text: text ?? null }], () => [])
    const object = objects.find((one) => one.kind === kind && one.id === id)
    if (object === undefined) return null
    return object.fault ?? refuse(kind, id, object.value)
  }
}
