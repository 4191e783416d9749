/**
 * Writes keys to Redis. A write is one script that changes the key, counts it and appends to the log. A compare-and-set
 * compares with the digest of the value at that moment; an expired key does not exist. Durability is as Redis' own
 * `appendfsync` says.
 */
import { MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import type { RedisSource } from './source.ts'
import { StoreConflict, StoreRefusal } from '../store.ts'
import type { KeyStore, StoredKey, WriteOptions } from '../store.ts'
import { isReply, RedisFailure, toFailure } from './failure.ts'
import { openNodes } from './nodes.ts'
import type { RedisConnection } from './connection.ts'
import { logWrite } from './change-log.ts'
import { createKeyNames } from './key-names.ts'
import type { KeyNames } from './key-names.ts'
import { DIGEST_LENGTH, digestOf, readKeys, scanPaths } from './read-keys.ts'
import type { ReadKey } from './read-keys.ts'
import { createScript } from './script.ts'

const TIMEOUT_MS = 4_000

// KEYS: the object, the counter, the log. ARGV: set or del, path, text, ttl in ms or '', and the expected value: '*' for
// any, '' for none, or a digest. It counts and logs first, so that a script that fails half-way leaves a visible gap.
const SCRIPT = createScript(`
local op, path, text, ttl, expected = unpack(ARGV)
local kind = redis.call('TYPE', KEYS[1]).ok
if expected ~= '*' then
  local found = kind == 'none' and '' or kind
  if kind == 'string' then
    if redis.call('STRLEN', KEYS[1]) > ${MAX_VALUE_SIZE} then
      found = 'long'
    else
      found = string.sub(redis.sha1hex(redis.call('GET', KEYS[1])), 1, ${DIGEST_LENGTH})
    end
  end
  if found ~= expected then return {'conflict', found} end
end
if op == 'del' and kind == 'none' then return {'absent'} end
${logWrite('KEYS[2]', 'KEYS[3]')}
if op == 'del' then
  redis.call('DEL', KEYS[1])
elseif ttl == '' then
  redis.call('SET', KEYS[1], text)
else
  redis.call('SET', KEYS[1], text, 'PX', ttl)
end
return {'done'}
`)

interface Write {
  readonly op: 'set' | 'del'
  readonly path: string
  readonly text: string
  readonly options: WriteOptions
}

export async function openRedisKeyStore(spec: RedisSource): Promise<KeyStore> {
  const names = createKeyNames(spec.prefix)
  let opened = openNodes(spec, names, { timeoutMs: TIMEOUT_MS })
  await opened

  /** Opens the connections again if one was lost since the last call; concurrent calls share the new ones. */
  async function openNodesAgain(): Promise<readonly RedisConnection[]> {
    const connections = opened
    const isWhole = await connections.then(isReady, () => false)
    if (isWhole || connections !== opened) return opened
    await closeAll()
    opened = openNodes(spec, names, { timeoutMs: TIMEOUT_MS })
    return opened
  }

  async function closeAll(): Promise<void> {
    const connections = await opened.catch(() => [])
    for (const connection of connections) connection.close()
  }

  async function run<T>(
    what: string,
    call: (connections: readonly RedisConnection[]) => Promise<T>,
  ): Promise<T> {
    try {
      return await call(await openNodesAgain())
    } catch (error) {
      if (error instanceof StoreConflict) throw error
      // Without a reply the connection may be half-open, so it is not used again.
      if (!isReply(error) && !(error instanceof RedisFailure)) await closeAll()
      throw toFailure(error, `cannot ${what} in Redis`)
    }
  }

  async function write({ op, path, text, options }: Write): Promise<boolean> {
    const key = names.keyOf(path)
    const what = `${op === 'set' ? 'put' : 'delete'} ${key}`
    if (spec.cluster && !names.isTagged) {
      throw new RedisFailure(
        `cannot ${what} in a Redis cluster: its keys are spread over all masters; give the prefix a hash tag: "{${spec.prefix}}"`,
      )
    }
    return run(what, async ([connection]) => {
      if (connection === undefined) return false
      const { ttlMs, expected } = options
      const wanted = expected === undefined ? '*' : (expected ?? '')
      const ttl = ttlMs === undefined ? '' : Math.max(1, Math.round(ttlMs))
      const keys = [names.keyOf(path), names.rev, names.log]
      const reply = await SCRIPT.run(connection, keys, [op, path, text, ttl, wanted])
      const [outcome, found] = Array.isArray(reply) ? (reply as readonly unknown[]) : []
      if (outcome === 'conflict') throw new StoreConflict(describeConflict(what, wanted, found))
      return outcome === 'done'
    })
  }

  return {
    get: (path) =>
      run(`read ${names.keyOf(path)}`, async (nodes) => {
        for (const connection of await nodesOf(nodes, names, path)) {
          for await (const [, found] of readKeys(connection, names, [path])) {
            if (found === null) continue
            const stored = toStored(found)
            if (stored !== null) return stored
            throw new RedisFailure(`cannot read ${found.entry.key}: it ${found.entry.fault ?? ''}`)
          }
        }
        return null
      }),
    list: (start = '') =>
      run(`list ${names.pattern}`, async (nodes) => {
        const stored: StoredKey[] = []
        for (const connection of nodes) {
          const { paths } = await scanPaths(connection, names, (path) => path.startsWith(start))
          for await (const [, found] of readKeys(connection, names, paths)) {
            const key = found === null ? null : toStored(found)
            if (key !== null) stored.push(key)
          }
        }
        return stored
      }),
    async put(path, text, options) {
      if (Buffer.byteLength(text) > MAX_VALUE_SIZE) {
        throw new StoreRefusal(`cannot put ${names.keyOf(path)}: it is longer than 1 MiB`)
      }
      await write({ op: 'set', path, text, options })
      return digestOf(text)
    },
    delete: (path, options) => write({ op: 'del', path, text: '', options }),
    close: closeAll,
  }
}

function isReady(connections: readonly RedisConnection[]): boolean {
  return connections.every(({ redis }) => redis.status === 'ready')
}

/** Only the master that holds the key's slot serves it; the others reply MOVED. */
async function nodesOf(
  nodes: readonly RedisConnection[],
  names: KeyNames,
  path: string,
): Promise<readonly RedisConnection[]> {
  if (nodes.length === 1) return nodes
  const owners: RedisConnection[] = []
  for (const connection of nodes) {
    try {
      await connection.redis.pttl(names.keyOf(path))
      owners.push(connection)
    } catch (error) {
      if (!isReply(error) || !error.message.startsWith('MOVED')) throw error
    }
  }
  return owners
}

function toStored({ entry, ttlMs }: ReadKey): StoredKey | null {
  const { path, text, revision } = entry
  return text === null || revision === undefined ? null : { path, text, revision, ttlMs }
}

function describeConflict(what: string, wanted: string, found: unknown): string {
  const is = found === '' ? 'it is not there' : `it is at revision ${String(found)}`
  return `cannot ${what}: expected ${wanted === '' ? 'nothing there' : `revision ${wanted}`}, but ${is}; read it again`
}
