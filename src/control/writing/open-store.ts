/** Opens the registry that is written, by commands and by the API: the named one, or else the only writable one. */
import type { Settings, SourceSpec } from '../../model/settings.ts'
import { loadLayout } from '../../providers/catalog/layouts.ts'
import { sourceKindOf } from '../../providers/catalog/sources.ts'
import { createStore } from '../../providers/registry/object-store.ts'
import type { Layout } from '../../providers/layout.ts'
import type { ObjectKind } from '../../model/names.ts'
import type { SourceKind } from '../../providers/source-kind.ts'
import type { Store } from '../../providers/store.ts'

/** Throws if there is no such source, or more than one to choose from. */
export function chooseSource({ sources }: Settings, name: string | null): SourceSpec {
  const writable = sources.filter((spec) => sourceKindOf(spec).keys !== null)
  const names = writable.map((source) => source.name).join(', ')
  if (name !== null) {
    const found = writable.find((source) => source.name === name)
    if (found !== undefined) return found
    throw new Error(
      `cannot write to source "${name}": ${names === '' ? 'no source is writable' : `the writable sources are ${names}`}`,
    )
  }
  const [only, ...more] = writable
  if (only === undefined)
    throw new Error('cannot write: no source is writable; add an etcd, redis or store to "sources"')
  if (more.length > 0)
    throw new Error(
      `cannot choose a source: there are ${names}; add --source NAME, or set admin.write for the API`,
    )
  return only
}

/** Loads only the client that is needed. */
export async function openStore(source: SourceSpec): Promise<Store> {
  return createStore(await keysOf(source).open(source), await loadLayoutOf(source))
}

export function loadLayoutOf(source: SourceSpec): Promise<Layout> {
  return loadLayout(keysOf(source).layout(source))
}

export function keysOf(source: SourceSpec): NonNullable<SourceKind['keys']> {
  const { keys } = sourceKindOf(source)
  if (keys === null) throw new Error(`cannot write to source "${source.name}": it is read-only`)
  return keys
}

/**
 * Why a reader of the source would reject the object; null: it would not. `refuse` checks the object in the native form,
 * independent of the source's layout.
 */
export function refuseIn<Reason>(
  layout: Layout,
  refuse: (kind: ObjectKind, id: string, value: unknown) => Reason | null,
): (kind: ObjectKind, id: string, value: unknown) => Reason | string | null {
  return (kind, id, value) => {
    const path = layout.pathOf(kind, id)
    // The store itself reports why there is none.
    if (path === null) return null
    const text = JSON.stringify(value) as string | undefined
    const objects = layout.read([{ path, key: path, text: text ?? null }], () => [])
    const object = objects.find((one) => one.kind === kind && one.id === id)
    if (object === undefined) return null
    return object.fault ?? refuse(kind, id, object.value)
  }
}
