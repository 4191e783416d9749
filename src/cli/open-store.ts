/** The registry that `put`, `delete` and `get` are about: the one that is asked for, else the only one that can be written to. */
import type { Settings } from '../model/settings.ts'
import type { EtcdSource, RedisSource, SourceSpec, StoreSource } from '../model/source-spec.ts'
import { embeddedStore, etcdClient, redisClient } from '../providers/catalog/clients.ts'
import { createStore } from '../providers/registry/object-store.ts'
import { createLayoutOf } from '../providers/catalog/layouts.ts'
import type { Layout } from '../providers/registry/mirror.ts'
import type { ObjectKind } from '../providers/provider.ts'
import type { KeyStore, Store } from '../providers/registry/store.ts'

export type WritableSource = EtcdSource | RedisSource | StoreSource

/** Throws with what would help when there is no such source, or more than one to choose from. */
export function chooseSource({ sources }: Settings, name: string | null): WritableSource {
  const writable = sources.filter(isWritable)
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

/** `source` with the text of the files it names. */
export async function openStore(source: WritableSource): Promise<Store> {
  return createStore(await openKeys(source), createLayoutOf(source))
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

/** Only the client that is needed is loaded. */
async function openKeys(source: WritableSource): Promise<KeyStore> {
  switch (source.kind) {
    case 'etcd':
      return (await etcdClient.load()).openEtcdKeyStore(source)
    case 'redis':
      return (await redisClient.load()).openRedisKeyStore(source)
    case 'store':
      return (await embeddedStore.load()).openEmbeddedKeyStore(source.path)
    default:
      return source satisfies never
  }
}

function isWritable(source: SourceSpec): source is WritableSource {
  return source.kind !== 'files'
}
