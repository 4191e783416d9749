/**
 * ZooKeeper: ephemeral znodes, which end with the session of a link. The next link has another session, and puts its znodes in the
 * place of those of the session before, so that readers see no change.
 *
 * With nerve's layout the server appends a number to the name. There, a link creates its own znode first, and then removes the
 * earlier ones with the same id and address.
 */
import { isMap } from '../../model/parsed.ts'
import { createTurns } from '../../providers/registry/turns.ts'
import { readJsonMap } from '../../providers/registry/json-value.ts'
import {
  openConnection,
  type ZookeeperConnection,
  type ZookeeperOptions,
} from '../../providers/zookeeper/client/connection.ts'
import { isReply, ZookeeperReply } from '../../providers/zookeeper/client/failure.ts'
import { ERROR } from '../../providers/zookeeper/client/protocol.ts'
import {
  createEphemeral,
  endSession,
  exists,
  getChildren,
  getData,
  remove,
  replaceByEphemeral,
  setData,
  type Stat,
} from '../../providers/zookeeper/client/requests.ts'
import { createBelow } from '../../providers/zookeeper/create-below.ts'
import { parentOf } from '../../providers/zookeeper/znodes.ts'
import {
  EntryRefused,
  orRefusal,
  type Entry,
  type EntryStatus,
  type Link,
  type OpenLink,
} from './link.ts'
import type { WriteMode } from './registrar.ts'

export interface ZookeeperLinkOptions extends ZookeeperOptions {
  readonly endpoints: readonly string[]
  /** Of the session. */
  readonly ttlMs: number
}

const CONNECT_MS = 1_200
const MAX_TRIES = 5
/** Sessions of this process whose znodes may still be there. */
const MAX_SESSIONS = 64
/** Znodes with the same id. */
const MAX_NUMBERED = 100

interface Znode {
  readonly path: string
  readonly owner: bigint
  readonly version: number
}

export function createZookeeperLinks(spec: ZookeeperLinkOptions): OpenLink {
  const turns = createTurns(spec.endpoints, Math.random)
  const options = { ...spec, sessionMs: spec.ttlMs, connectMs: CONNECT_MS }
  const own: bigint[] = []

  return async ({ onHint, onLost }, signal) => {
    const connection = await turns.first(
      (endpoint) => openConnection(endpoint, options, { onEvent: onHint, onEnd: onLost }, signal),
      signal,
    )
    own.push(connection.session)
    if (own.length > MAX_SESSIONS) own.shift()
    return createLink(connection, (owner) => own.includes(owner))
  }
}

function createLink(connection: ZookeeperConnection, isOwn: (owner: bigint) => boolean): Link {
  /** The numbered ones of this session, by the name of their entry. */
  const numbered = new Map<string, string>()

  /** With a watch of the next change. */
  async function look(path: string): Promise<Stat | null> {
    return connection.call(exists(path, true)).catch(nullIf(ERROR.noNode))
  }

  async function putNamed({ key, text }: Entry, mode: WriteMode): Promise<boolean> {
    const data = Buffer.from(text)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = await look(key)
      if (found === null) {
        const created = await createBelow(connection, key, createEphemeral(key, data, false))
        if (created !== null) return true
      } else if (found.owner === connection.session) {
        const set = await connection.call(setData(key, data)).catch(nullIf(ERROR.noNode))
        if (set !== null) return true
      } else if (mode === 'unless foreign' && !isOwn(found.owner)) {
        return false
      } else {
        const code = await connection.call(replaceByEphemeral(key, found.version, data))
        if (code === 0) return true
        if (!CHANGED.includes(code)) throw refused(key, code)
      }
    }
    throw new EntryRefused(`cannot create "${key}": others keep creating and deleting it`)
  }

  async function putNumbered(entry: Entry, mode: WriteMode): Promise<boolean> {
    const data = Buffer.from(entry.text)
    const known = numbered.get(entry.name)
    if (known !== undefined) {
      const set = await connection.call(setData(known, data)).catch(nullIf(ERROR.noNode))
      if (set !== null) return true
    }
    if (mode === 'unless foreign' && (await findNumbered(entry)).some(isForeign)) return false
    const request = createEphemeral(entry.key, data, true)
    const path = await createBelow(connection, entry.key, request)
    if (path === null) return false
    numbered.set(entry.name, path)
    await look(path)
    // Listed after its own was created, so that of two processes at the same time one sees the other; the higher number stays.
    const others = (await findNumbered(entry)).filter((one) => one.path !== path)
    if (others.some((one) => isForeign(one) && one.path > path)) {
      await removeOwn(entry)
      return false
    }
    await Promise.all(others.map(removeZnode))
    return true
  }

  function isForeign({ owner }: Znode): boolean {
    return !isOwn(owner)
  }

  /** Those of an entry with its address, by any program. */
  async function findNumbered({ key, text }: Entry): Promise<readonly Znode[]> {
    const parent = parentOf(key)
    const start = key.slice(parent.length + 1)
    const names = await connection.call(getChildren(parent)).catch(nullIf(ERROR.noNode))
    const paths = (names ?? [])
      .filter((name) => name.startsWith(start) && /^\d{10}$/.test(name.slice(start.length)))
      .slice(0, MAX_NUMBERED)
      .map((name) => `${parent}/${name}`)
    const found = await Promise.all(
      paths.map(async (path): Promise<readonly Znode[]> => {
        const node = await connection.call(getData(path)).catch(nullIf(ERROR.noNode))
        if (node === null || addressOf(node.data.toString()) !== addressOf(text)) return []
        return [{ path, owner: node.stat.owner, version: node.stat.version }]
      }),
    )
    return found.flat()
  }

  async function removeZnode({ path, version }: Znode): Promise<void> {
    await connection.call(remove(path, version)).catch(nullIf(ERROR.noNode, ERROR.badVersion))
  }

  async function statusOf(entry: Entry): Promise<EntryStatus> {
    if (!entry.isSequential) {
      const found = await look(entry.key)
      if (found === null) return 'absent'
      if (found.owner === connection.session) return 'current'
      return isOwn(found.owner) ? 'stale' : 'foreign'
    }
    const path = numbered.get(entry.name)
    if (path !== undefined && (await look(path)) !== null) return 'current'
    numbered.delete(entry.name)
    const found = await findNumbered(entry)
    if (found.length === 0) return 'absent'
    return found.some(isForeign) ? 'foreign' : 'stale'
  }

  async function removeOwn(entry: Entry): Promise<void> {
    if (entry.isSequential) {
      const path = numbered.get(entry.name)
      numbered.delete(entry.name)
      if (path !== undefined) {
        await connection.call(remove(path)).catch(nullIf(ERROR.noNode))
        return
      }
      const found = await findNumbered(entry)
      await Promise.all(found.filter(({ owner }) => isOwn(owner)).map(removeZnode))
      return
    }
    const path = entry.key
    const found = await look(path)
    if (found === null || !isOwn(found.owner)) return
    await removeZnode({ path, owner: found.owner, version: found.version })
  }

  return {
    // Ephemeral znodes go with the session.
    isRemovedAtEnd: true,
    put: (entry, mode) =>
      orRefused(entry.isSequential ? putNumbered(entry, mode) : putNamed(entry, mode)),
    remove: (entry) => orRefused(removeOwn(entry)),
    async beat(entries) {
      // Also shows that the server responds.
      if (entries.length === 0) await look('/')
      return Promise.all(entries.map((entry) => orRefusal(orRefused(statusOf(entry)))))
    },
    end: () => connection.call(endSession()),
    close: () => connection.abandon(),
  }
}

/** Another try looks again. */
const CHANGED: readonly number[] = [ERROR.noNode, ERROR.badVersion, ERROR.nodeExists]

function refused(path: string, code: number): EntryRefused {
  const reason =
    code === ERROR.notEmpty
      ? 'it has children'
      : code === ERROR.noAuth
        ? 'no permission: the ACL of its parent does not allow it'
        : `error ${code}`
  return new EntryRefused(`cannot replace "${path}": ${reason}`)
}

/** A reply is about one znode; the connection still works. */
async function orRefused<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    if (!(cause instanceof ZookeeperReply)) throw cause
    throw new EntryRefused(cause.message, { cause })
  }
}

function nullIf(...codes: readonly number[]): (error: unknown) => null {
  return (error) => {
    if (codes.some((code) => isReply(error, code))) return null
    throw error
  }
}

/** Of nerve's JSON; null: it is something else, which is not ours. */
function addressOf(text: string): string | null {
  const map = readJsonMap(text)
  if (!map.ok || !isMap(map.value)) return null
  const { host, port } = map.value
  return typeof host === 'string' ? `${host} ${String(port)}` : null
}
