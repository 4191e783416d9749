/**
 * Reads and writes single znodes. A znode's revision is the transaction that set its data last, which is never used again,
 * also after it was removed and created. Its version, which ZooKeeper compares, begins with 0 each time.
 */
import { MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import { createTurns } from '../registry/turns.ts'
import {
  type KeyStore,
  StoreConflict,
  type StoredKey,
  StoreRefusal,
  type WriteOptions,
} from '../store.ts'
import { openConnection, type ZookeeperConnection } from './client/connection.ts'
import { isReply } from './client/failure.ts'
import { createBelow, MAX_ATTEMPTS } from './create-below.ts'
import { ERROR } from './client/protocol.ts'
import { create, exists, getData, remove, setData, sync, type Stat } from './client/requests.ts'
import type { ZookeeperSource } from './source.ts'
import { createTree } from './tree.ts'
import { toEntry, toRevision } from './znodes.ts'

export async function openZookeeperKeyStore(spec: ZookeeperSource): Promise<KeyStore> {
  const { prefix: root } = spec
  const turns = createTurns(spec.endpoints, Math.random)
  let opening: Promise<ZookeeperConnection> | null = null

  function open(): Promise<ZookeeperConnection> {
    const opened = turns.first((endpoint) =>
      openConnection(endpoint, spec, {
        onEvent: () => {},
        onEnd() {
          if (opening === opened) opening = null
        },
      }),
    )
    opened.catch(() => {
      if (opening === opened) opening = null
    })
    return opened
  }

  function connect(): Promise<ZookeeperConnection> {
    return (opening ??= open())
  }

  /** Null: it is not there. Throws StoreConflict if that is not what is expected. */
  async function compare(
    connection: ZookeeperConnection,
    znode: string,
    expected: string | null,
  ): Promise<Stat | null> {
    // What is expected may have been read from another server, which was ahead of this one.
    await connection.call(sync(znode))
    const stat = await connection.call(exists(znode)).catch(nullIf(ERROR.noNode))
    const found = stat === null ? null : toRevision(stat.setAt)
    if (found !== expected) throw conflict(znode, expected, found)
    return stat
  }

  await connect()
  return {
    async get(path) {
      const znode = `${root}/${path}`
      const connection = await connect()
      const node = await connection.call(getData(znode)).catch(nullIf(ERROR.noNode))
      const entry = node === null ? null : toEntry(root, znode, node)
      if (entry === null) return null
      if (entry.text === null) throw new Error(`cannot read "${znode}": it ${entry.fault ?? ''}`)
      return { path, text: entry.text, revision: entry.revision ?? '', ttlMs: null }
    },

    async list(start = '') {
      const connection = await connect()
      await connection.call(sync(root))
      const found: StoredKey[] = []
      const tree = createTree({ connection, root, isKey: (path) => path !== '', isSingle: false })
      await tree.list((path, entry) => {
        // One without data is what the parent of a deleted key left.
        if (entry === null || entry.text === null || entry.text === '') return
        if (!path.startsWith(start)) return
        found.push({ path, text: entry.text, revision: entry.revision ?? '', ttlMs: null })
      })
      return found
    },

    async put(path, text, { ttlMs, expected }: WriteOptions) {
      const znode = `${root}/${path}`
      if (ttlMs !== undefined) {
        throw new StoreRefusal(
          `cannot put "${znode}" with a time to live: ZooKeeper has none; a server that registers itself creates an ephemeral znode and keeps its session open`,
        )
      }
      const data = Buffer.from(text)
      if (data.length > MAX_VALUE_SIZE) {
        throw new StoreRefusal(`cannot put "${znode}": it is longer than 1 MiB`)
      }
      const connection = await connect()
      if (expected === undefined) return toRevision(await upsert(connection, znode, data))
      const stat = await compare(connection, znode, expected)
      const setAt =
        stat === null
          ? await createBelow(connection, znode, create(znode, data))
          : await setAtVersion(connection, znode, data, stat.version)
      if (setAt === null) throw conflict(znode, expected)
      return toRevision(setAt)
    },

    async delete(path, { expected }) {
      const znode = `${root}/${path}`
      const connection = await connect()
      try {
        if (expected === undefined) await connection.call(remove(znode))
        else {
          const stat = await compare(connection, znode, expected)
          if (stat === null) return false
          await connection.call(remove(znode, stat.version))
        }
        return true
      } catch (error) {
        const isGone = isReply(error, ERROR.noNode)
        if (isGone && expected === undefined) return false
        if (!isGone && !isReply(error, ERROR.badVersion)) throw error
        throw conflict(znode, expected ?? null)
      }
    },

    async close() {
      const opened = opening
      opening = null
      const connection = await opened?.catch(() => null)
      connection?.close()
    },
  }
}

/** Returns the transaction. */
async function upsert(
  connection: ZookeeperConnection,
  znode: string,
  data: Buffer,
): Promise<bigint> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stat = await connection.call(setData(znode, data)).catch(nullIf(ERROR.noNode))
    const setAt = stat?.setAt ?? (await createBelow(connection, znode, create(znode, data)))
    if (setAt !== null) return setAt
  }
  throw new Error(`cannot put "${znode}": others keep creating and deleting it`)
}

async function setAtVersion(
  connection: ZookeeperConnection,
  znode: string,
  data: Buffer,
  version: number,
): Promise<bigint | null> {
  const isOther = nullIf(ERROR.badVersion, ERROR.noNode)
  const stat = await connection.call(setData(znode, data, version)).catch(isOther)
  return stat?.setAt ?? null
}

function nullIf(...codes: readonly number[]): (error: unknown) => null {
  return (error) => {
    if (codes.some((code) => isReply(error, code))) return null
    throw error
  }
}

/** `found`: missing if it has changed since it was compared. */
function conflict(znode: string, expected: string | null, found?: string | null): StoreConflict {
  const wanted = expected === null ? 'should not be there yet' : `should be at ${expected}`
  let is = 'was changed meanwhile'
  if (found !== undefined) is = found === null ? 'is not there' : `is at revision ${found}`
  return new StoreConflict(`"${znode}" ${is} and ${wanted}: read it again`)
}
