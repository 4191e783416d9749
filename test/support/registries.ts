/** Registries as a whole program meets them: a real server behind a proxy of ours, or the embedded store's file, and a way to write to it. */
import type { KeyStore } from '../../src/providers/store.ts'
import type { Daemon, Owner } from './daemon.ts'
import { startConsul } from './consul.ts'
import { startEtcd } from './etcd.ts'
import { openKeys, openStoreKeys } from './keys.ts'
import { startRedis } from './redis.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { startZookeeper } from './zookeeper.ts'

/** Those that are reached over a network. */
export type RemoteKind = 'etcd' | 'redis' | 'consul-kv' | 'zookeeper'

export interface Registry {
  readonly kind: RemoteKind | 'store'
  /** As the program's settings name it. */
  readonly source: Readonly<Record<string, unknown>>
  /** Writes to it, not through the proxy. Opened again after each start of the server. */
  keys(): Promise<KeyStore>
}

export interface RemoteRegistry extends Registry {
  readonly kind: RemoteKind
  /** Between the program and the server. */
  readonly proxy: TcpProxy
  readonly server: Daemon
}

const STARTS = {
  etcd: startEtcd,
  redis: startRedis,
  'consul-kv': startConsul,
  zookeeper: startZookeeper,
} as const

/** Those that start in no time. */
export const REMOTE_KINDS = ['etcd', 'redis'] as const

export async function startRegistry(owner: Owner, kind: RemoteKind): Promise<RemoteRegistry> {
  const server = await STARTS[kind](owner)
  const proxy = await startTcpProxy(owner, server.port)
  let keys: Promise<KeyStore> | null = null
  const close = async (): Promise<void> => {
    const opened = await keys
    keys = null
    await opened?.close()
  }
  owner.after(close)
  return {
    kind,
    source: { kind, endpoints: [proxy.address], prefix: '/sluice' },
    keys: () => (keys ??= openKeys(kind, server.endpoint, '/sluice')),
    proxy,
    server: {
      ...server,
      async kill() {
        await close()
        await server.kill()
      },
      async wipe() {
        await close()
        await server.wipe()
      },
    },
  }
}

/** In a file of that path. */
export function createStore(owner: Owner, path: string): Registry {
  let keys: Promise<KeyStore> | null = null
  owner.after(async () => (await keys)?.close())
  return {
    kind: 'store',
    source: { kind: 'store', path },
    keys: () => (keys ??= openStoreKeys(path)),
  }
}

/** `f0`, `f1` ...: each answers at its own host. */
export async function putFrontends(keys: KeyStore, count: number, first = 0): Promise<void> {
  const ids = Array.from({ length: count }, (_, i) => `f${first + i}`)
  await Promise.all(ids.map((id) => putFrontend(keys, id)))
}

export async function putFrontend(keys: KeyStore, id: string): Promise<void> {
  await put(keys, `frontends/${id}/frontend`, { route: `Host("${id}.test")`, backend: 'b' })
}

export async function putServers(keys: KeyStore, urls: readonly string[]): Promise<void> {
  for (const [i, url] of urls.entries()) await put(keys, `backends/b/servers/s${i}`, url)
}

export async function put(keys: KeyStore, path: string, value: unknown): Promise<void> {
  await keys.put(path, JSON.stringify(value), {})
}

export async function remove(keys: KeyStore, path: string): Promise<void> {
  await keys.delete(path, {})
}

/** Ids of the frontends in it. */
export async function frontendsIn(keys: KeyStore): Promise<readonly string[]> {
  const found = (await keys.list()).map(({ path }) => /^frontends\/([^/]+)\/frontend$/.exec(path))
  return found.flatMap((match) => match?.[1] ?? []).toSorted()
}
