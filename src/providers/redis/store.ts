/**
 * The way back: a write is one script, which sets or deletes the key, counts, and tells the log, or does none of it. A
 * compare-and-set compares the digest of what is really there at that moment, whoever wrote it; what has expired is not
 * there. Redis promises durability as its own `appendfsync` is set.
 */
import { hash } from 'node:crypto'
import type { RedisSource } from '../../model/source-spec.ts'
import { StoreConflict } from '../registry/store.ts'
import type { KeyStore, StoredKey, WriteOptions } from '../registry/store.ts'
import { isReply, RedisFailure, toFailure } from './failure.ts'
import { openHomes } from './homes.ts'
import type { Link } from './link.ts'
import { createKeyNames } from './names.ts'
import type { KeyNames } from './names.ts'
import { digestLength, digestOf, maxValueBytes, readKeys, scanPaths } from './reading.ts'
import type { ReadKey } from './reading.ts'

const timeoutMs = 4_000

/** How many writes a reader may be behind before it has to list again. */
const logLength = 20_000

// KEYS: the object, the counter, the log. ARGV: set or del, path, text, ttl in ms or '', and what must be there now: '*'
// for whatever it is, nothing ('') or a digest. Counted and logged first: what fails half-way then looks like a gap, not like nothing.
const script = `
local op, path, text, ttl, expected = unpack(ARGV)
local kind = redis.call('TYPE', KEYS[1]).ok
if expected ~= '*' then
  local found = kind == 'none' and '' or kind
  if kind == 'string' then
    if redis.call('STRLEN', KEYS[1]) > ${maxValueBytes} then
      found = 'long'
    else
      found = string.sub(redis.sha1hex(redis.call('GET', KEYS[1])), 1, ${digestLength})
    end
  end
  if found ~= expected then return {'conflict', found} end
end
if op == 'del' and kind == 'none' then return {'absent'} end
local rev = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${logLength}, '*', 'rev', rev, 'op', op, 'k', path)
if op == 'del' then
  redis.call('DEL', KEYS[1])
elseif ttl == '' then
  redis.call('SET', KEYS[1], text)
else
  redis.call('SET', KEYS[1], text, 'PX', ttl)
end
return {'done'}
`
const scriptDigest = hash('sha1', script, 'hex')

interface Write {
  readonly op: 'set' | 'del'
  readonly path: string
  readonly text: string
  readonly options: WriteOptions
}

export async function openRedisKeys(spec: RedisSource): Promise<KeyStore> {
  const names = createKeyNames(spec.prefix)
  let opened = openHomes(spec, names, { timeoutMs })
  await opened

  /** Opens anew, once for all who ask, what was lost since the last call. */
  async function home(): Promise<readonly Link[]> {
    const links = opened
    const isWhole = await links.then(isReady, () => false)
    if (isWhole || links !== opened) return opened
    await closeAll()
    opened = openHomes(spec, names, { timeoutMs })
    return opened
  }

  async function closeAll(): Promise<void> {
    const links = await opened.catch(() => [])
    for (const link of links) link.close()
  }

  async function run<T>(what: string, call: (links: readonly Link[]) => Promise<T>): Promise<T> {
    try {
      return await call(await home())
    } catch (error) {
      if (error instanceof StoreConflict) throw error
      // Without an answer the link is no good any more; it may only be half-open.
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
    return run(what, async ([link]) => {
      if (link === undefined) return false
      const { ttlMs, expected } = options
      const wanted = expected === undefined ? '*' : (expected ?? '')
      const ttl = ttlMs === undefined ? '' : Math.max(1, Math.round(ttlMs))
      const reply = await runScript(link, names, path, [op, path, text, ttl, wanted])
      const [outcome, found] = Array.isArray(reply) ? (reply as readonly unknown[]) : []
      if (outcome === 'conflict') throw new StoreConflict(describeConflict(what, wanted, found))
      return outcome === 'done'
    })
  }

  return {
    get: (path) =>
      run(`read ${names.keyOf(path)}`, async (homes) => {
        for (const link of await placesOf(homes, names, path)) {
          for await (const [, found] of readKeys(link, names, [path])) {
            if (found === null) continue
            const stored = toStored(found)
            if (stored !== null) return stored
            throw new RedisFailure(`cannot read ${found.entry.key}: it ${found.entry.fault ?? ''}`)
          }
        }
        return null
      }),
    list: () =>
      run(`list ${names.pattern}`, async (homes) => {
        const stored: StoredKey[] = []
        for (const link of homes) {
          const paths = await scanPaths(link, names, () => true)
          for await (const [, found] of readKeys(link, names, paths)) {
            const key = found === null ? null : toStored(found)
            if (key !== null) stored.push(key)
          }
        }
        return stored
      }),
    async put(path, text, options) {
      if (Buffer.byteLength(text) > maxValueBytes) {
        throw new RedisFailure(`cannot put ${names.keyOf(path)}: it is longer than 1 MiB`)
      }
      await write({ op: 'set', path, text, options })
      return digestOf(text)
    },
    delete: (path, options) => write({ op: 'del', path, text: '', options }),
    close: closeAll,
  }
}

function isReady(links: readonly Link[]): boolean {
  return links.every(({ redis }) => redis.status === 'ready')
}

async function runScript(
  { redis }: Link,
  names: KeyNames,
  path: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const keys = [names.keyOf(path), names.rev, names.log]
  try {
    return await redis.evalsha(scriptDigest, keys.length, ...keys, ...args)
  } catch (error) {
    if (!isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error
    return redis.eval(script, keys.length, ...keys, ...args)
  }
}

/** Of several masters only the one that has the key's slot answers for it. */
async function placesOf(
  homes: readonly Link[],
  names: KeyNames,
  path: string,
): Promise<readonly Link[]> {
  if (homes.length === 1) return homes
  const places: Link[] = []
  for (const link of homes) {
    try {
      await link.redis.pttl(names.keyOf(path))
      places.push(link)
    } catch (error) {
      if (!isReply(error) || !error.message.startsWith('MOVED')) throw error
    }
  }
  return places
}

function toStored({ entry, ttlMs }: ReadKey): StoredKey | null {
  const { path, text, revision } = entry
  return text === null || revision === undefined ? null : { path, text, revision, ttlMs }
}

function describeConflict(what: string, wanted: string, found: unknown): string {
  const is = found === '' ? 'it is not there' : `it is at revision ${String(found)}`
  return `cannot ${what}: expected ${wanted === '' ? 'nothing there' : `revision ${wanted}`}, but ${is}; read it again`
}
