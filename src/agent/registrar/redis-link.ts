/**
 * Redis: keys that expire, renewed before they do. Writes and removals are counted and logged as those of `sluice put`, so that
 * Sluices see them at once; renewals are not. Beside each key is another one that says who has written it, with the same time
 * to live:
 *
 *   <prefix>/<path>   the registration      <prefix>:owner/<path>   a number that each process chooses
 */
import { randomUUID } from 'node:crypto'
import { logWrite } from '../../providers/redis/change-log.ts'
import type { RedisConnection } from '../../providers/redis/connection.ts'
import { isReply, toFailure } from '../../providers/redis/failure.ts'
import { createKeyNames, type KeyNames } from '../../providers/redis/key-names.ts'
import { openNodes } from '../../providers/redis/nodes.ts'
import { createScript } from '../../providers/redis/script.ts'
import type { RedisAccess } from '../../providers/redis/source.ts'
import { SourceRefused } from '../../providers/provider.ts'
import {
  EntryRefused,
  orRefusal,
  type Entry,
  type EntryStatus,
  type Link,
  type OpenLink,
} from './link.ts'
import type { WriteMode } from './registrar.ts'

const CALL_MS = 1_200
/** Why a Redis takes no write for now: memory, its disk, its replicas. Keys are renewed all the same. */
const NOT_TAKEN = /^(?:OOM|MISCONF|NOREPLICAS)\b/

// KEYS: the registration, its owner, the counter, the log. ARGV: what to do, path, text, ttl in ms, and who asks. The owner has the
// digest of what it wrote: a value that somebody has changed is foreign. Renewed when a third of the time to live has passed.
const SCRIPT = createScript(`
local act, path, text, ttl, owner = unpack(ARGV)
local kind = redis.call('TYPE', KEYS[1]).ok
local status = kind == 'none' and 'absent' or 'foreign'
if kind == 'string' then
  local written = owner .. redis.sha1hex(redis.call('GET', KEYS[1]))
  if redis.call('GET', KEYS[2]) == written then status = 'current' end
end
if act == 'keep' then
  if status == 'current' and redis.call('PTTL', KEYS[1]) < ttl * 2 / 3 then
    redis.call('PEXPIRE', KEYS[1], ttl)
    redis.call('PEXPIRE', KEYS[2], ttl)
  end
  return status
end
if act == 'remove' and status ~= 'current' then return status end
if act == 'unless foreign' and status == 'foreign' then return status end
local op = act == 'remove' and 'del' or 'set'
${logWrite('KEYS[3]', 'KEYS[4]')}
if op == 'del' then
  redis.call('DEL', KEYS[1], KEYS[2])
  return 'absent'
end
redis.call('SET', KEYS[1], text, 'PX', ttl)
redis.call('SET', KEYS[2], owner .. redis.sha1hex(text), 'PX', ttl)
return 'current'
`)

export interface RedisLinkOptions extends RedisAccess {
  readonly prefix: string
  readonly ttlMs: number
}

export function createRedisLinks(spec: RedisLinkOptions): OpenLink {
  const names = createKeyNames(spec.prefix)
  const owner = randomUUID()

  return async ({ onLost }, signal) => {
    const connections = await openNodes(spec, names, { timeoutMs: CALL_MS, signal })
    const [connection, ...others] = connections
    for (const one of others) one.close()
    if (connection === undefined) throw new Error('Redis has no master for the prefix')
    connection.onLost(onLost)
    return createLink(connection, names, spec.ttlMs, owner)
  }
}

function createLink(
  connection: RedisConnection,
  names: KeyNames,
  ttlMs: number,
  owner: string,
): Link {
  const { redis, address } = connection

  async function run(act: WriteMode | 'keep' | 'remove', entry: Entry): Promise<EntryStatus> {
    const { key, text } = entry
    const path = names.pathOf(key) ?? key
    const keys = [key, `${names.prefix}:owner/${path}`, names.rev, names.log]
    try {
      const status = await SCRIPT.run(connection, keys, [act, path, text, ttlMs, owner])
      if (status === 'current' || status === 'absent' || status === 'foreign') return status
      throw new Error(`Redis responds with ${typeof status}`)
    } catch (error) {
      const what = `cannot ${act === 'remove' ? 'remove' : 'write'} ${key} in Redis at ${address}`
      const failure = toFailure(error, what)
      if (!(isReply(error) && NOT_TAKEN.test(error.message))) throw failure
      throw new EntryRefused(failure.message)
    }
  }

  return {
    isRemovedAtEnd: false,
    put: async (entry, mode) => (await run(mode, entry)) === 'current',
    async remove(entry) {
      await run('remove', entry)
    },
    async beat(entries) {
      if (entries.length === 0) await ping()
      return Promise.all(entries.map((entry) => orRefusal(run('keep', entry))))
    },
    end: () => Promise.resolve(),
    close: () => connection.close(),
  }

  async function ping(): Promise<void> {
    try {
      await redis.ping()
    } catch (error) {
      const failure = toFailure(error, `cannot reach Redis at ${address}`)
      // A user who may not ping may still write.
      if (!(failure instanceof SourceRefused)) throw failure
    }
  }
}
