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
import { toFailure } from '../../providers/redis/failure.ts'
import { createKeyNames, type KeyNames } from '../../providers/redis/key-names.ts'
import { openNodes } from '../../providers/redis/nodes.ts'
import { createScript } from '../../providers/redis/script.ts'
import type { RedisAccess } from '../../providers/redis/source.ts'
import { SourceRefused } from '../../providers/provider.ts'
import type { Entry, Holder, Link, OpenLink } from './link.ts'

const CALL_MS = 1_200

// KEYS: the registration, its owner, the counter, the log. ARGV: what to do, path, text, ttl in ms, and who asks. The owner has the
// digest of what it wrote: a value that somebody has changed is not ours. Renewed when a third of the time to live has passed.
const SCRIPT = createScript(`
local act, path, text, ttl, owner = unpack(ARGV)
local kind = redis.call('TYPE', KEYS[1]).ok
local is = kind == 'none' and 'gone' or 'other'
if kind == 'string' then
  local written = owner .. redis.sha1hex(redis.call('GET', KEYS[1]))
  if redis.call('GET', KEYS[2]) == written then is = 'ours' end
end
if act == 'keep' then
  if is == 'ours' and redis.call('PTTL', KEYS[1]) < ttl * 2 / 3 then
    redis.call('PEXPIRE', KEYS[1], ttl)
    redis.call('PEXPIRE', KEYS[2], ttl)
  end
  return is
end
if act == 'remove' and is ~= 'ours' then return is end
if act == 'free' and is == 'other' then return is end
local op = act == 'remove' and 'del' or 'set'
${logWrite('KEYS[3]', 'KEYS[4]')}
if op == 'del' then
  redis.call('DEL', KEYS[1], KEYS[2])
  return 'gone'
end
redis.call('SET', KEYS[1], text, 'PX', ttl)
redis.call('SET', KEYS[2], owner .. redis.sha1hex(text), 'PX', ttl)
return 'ours'
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

  async function run(act: 'take' | 'free' | 'keep' | 'remove', entry: Entry): Promise<Holder> {
    const { key, text } = entry
    const path = names.pathOf(key) ?? key
    const keys = [key, `${names.prefix}:owner/${path}`, names.rev, names.log]
    try {
      const is = await SCRIPT.run(connection, keys, [act, path, text, ttlMs, owner])
      if (is === 'ours' || is === 'gone' || is === 'other') return is
      throw new Error(`Redis responds with ${typeof is}`)
    } catch (error) {
      throw toFailure(
        error,
        `cannot ${act === 'remove' ? 'remove' : 'write'} ${key} in Redis at ${address}`,
      )
    }
  }

  return {
    put: async (entry, mode) => (await run(mode, entry)) === 'ours',
    async remove(entry) {
      await run('remove', entry)
    },
    async beat(entries) {
      if (entries.length === 0) await ping()
      return Promise.all(entries.map((entry) => run('keep', entry)))
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
