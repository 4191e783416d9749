/**
 * Reads the text and the time to live of keys. Their writers are not trusted: a value is fetched up to the limit and one
 * byte more, so that a value of half a gigabyte is a fault and never transferred. Any other type than a string is a fault.
 *
 * The revision of a value is its digest, which stays correct when another program writes the key or it expires. A
 * compare-and-set therefore compares with the current value.
 */
import { printable } from '../registry/nameless.ts'
import { MAX_PATH_LENGTH, MAX_VALUE_SIZE } from '../registry/text-limit.ts'
import { toValueText } from '../registry/value-text.ts'
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { KeyEntry } from '../layout.ts'
import { isReply, RedisFailure } from './failure.ts'
import type { RedisConnection } from './connection.ts'
import type { KeyNames } from './key-names.ts'

export interface ReadKey {
  readonly entry: KeyEntry
  /** Null: it does not expire. */
  readonly ttlMs: number | null
}

/** Hex digits of a value's SHA-1: 64 bits distinguish the versions of one key. */
export const DIGEST_LENGTH = 16

const MAX_KEYS = 1_000_000
/** A batch grows to this many keys, and shrinks when its values are long. */
const MAX_BATCH_KEYS = 64
const MAX_BATCH_CHARS = 4 << 20

export interface ScannedPaths {
  readonly paths: ReadonlySet<string>
  /** Keys below the prefix that are no text or too long, as they are shown. */
  readonly nameless: ReadonlySet<string>
}

export async function scanPaths(
  { redis, address }: RedisConnection,
  names: KeyNames,
  isWanted: (path: string) => boolean,
): Promise<ScannedPaths> {
  // SCAN may return a key twice.
  const paths = new Set<string>()
  const nameless = new Set<string>()
  let cursor = '0'
  do {
    const [next, keys] = await redis.scanBuffer(cursor, 'MATCH', names.pattern, 'COUNT', 1000)
    for (const key of keys) {
      const path = names.pathOf(key.toString())
      if (path === null) continue
      if (path.length > MAX_PATH_LENGTH || !isUtf8(key)) nameless.add(printable(key))
      else if (isWanted(path)) paths.add(path)
    }
    if (paths.size + nameless.size > MAX_KEYS) {
      throw new RedisFailure(`Redis at ${address} has more than ${MAX_KEYS} keys ${names.pattern}`)
    }
    cursor = next.toString()
  } while (cursor !== '0')
  return { paths, nameless }
}

/** In the order of `paths`; `found` is null if the key does not exist. */
export async function* readKeys(
  { redis }: Pick<RedisConnection, 'redis'>,
  names: KeyNames,
  paths: Iterable<string>,
): AsyncGenerator<readonly [path: string, found: ReadKey | null], void, undefined> {
  let batch: string[] = []
  let atOnce = 8
  for (const path of paths) {
    batch.push(path)
    if (batch.length < atOnce) continue
    const found = await readBatch(redis, names, batch)
    batch = []
    const chars = found.reduce((sum, [, read]) => sum + (read?.entry.text?.length ?? 0), 0)
    atOnce = chars > MAX_BATCH_CHARS ? Math.ceil(atOnce / 2) : Math.min(atOnce * 2, MAX_BATCH_KEYS)
    yield* found
  }
  if (batch.length > 0) yield* await readBatch(redis, names, batch)
}

async function readBatch(
  redis: Redis,
  names: KeyNames,
  paths: readonly string[],
): Promise<readonly (readonly [string, ReadKey | null])[]> {
  const pipeline = redis.pipeline()
  for (const path of paths) queueRead(pipeline, names.keyOf(path))
  const replies = (await pipeline.exec()) ?? []
  const found: (readonly [string, ReadKey | null])[] = []
  for (const [at, path] of paths.entries()) {
    const read = readReplies(replies.slice(at * 2, at * 2 + 2), path, names)
    found.push([path, read === 'unclear' ? await readWhole(redis, names, path) : read])
  }
  return found
}

type ReadQueue = Pick<ReturnType<Redis['pipeline']>, 'pttl' | 'getrangeBuffer'>
type Replies = readonly (readonly [error: Error | null, reply: unknown])[]

function queueRead(pipeline: ReadQueue, key: string): void {
  pipeline.pttl(key)
  pipeline.getrangeBuffer(key, 0, MAX_VALUE_SIZE)
}

/** In a transaction: between the commands of a pipeline, other clients may write, which leaves a few keys unclear. */
async function readWhole(redis: Redis, names: KeyNames, path: string): Promise<ReadKey | null> {
  const key = names.keyOf(path)
  const transaction = redis.multi()
  queueRead(transaction, key)
  transaction.type(key)
  const replies = (await transaction.exec()) ?? []
  const [[, ttl] = [null, -2], , [, type] = [null, 'none']] = replies
  if (ttl === -2 || type === 'none') return null
  if (type === 'string') {
    const [[, value] = [null, null]] = replies.slice(1)
    return toRead(path, names, Number(ttl), Buffer.isBuffer(value) ? value : Buffer.alloc(0))
  }
  return toFault(path, names, Number(ttl), `is a ${String(type)}, not a string`)
}

function readReplies(replies: Replies, path: string, names: KeyNames): ReadKey | null | 'unclear' {
  const [[ttlError, ttl] = [null, -2], [error, value] = [null, null]] = replies
  if (ttlError !== null) throw ttlError
  if (error !== null) {
    if (isReply(error) && error.message.startsWith('WRONGTYPE')) return 'unclear'
    throw error
  }
  const bytes = Buffer.isBuffer(value) ? value : Buffer.alloc(0)
  // GETRANGE returns an empty string for a missing and for an empty key.
  if (ttl === -2 && bytes.length === 0) return null
  if (ttl === -2 || bytes.length === 0) return 'unclear'
  return toRead(path, names, Number(ttl), bytes)
}

function toRead(path: string, names: KeyNames, ttl: number, bytes: Buffer): ReadKey {
  const { text, fault = '' } = toValueText(bytes)
  if (text === null) return toFault(path, names, ttl, fault)
  const revision = digestOf(bytes)
  return { entry: { path, key: names.keyOf(path), text, revision }, ttlMs: toTtl(ttl) }
}

function toFault(path: string, names: KeyNames, ttl: number, fault: string): ReadKey {
  return { entry: { path, key: names.keyOf(path), text: null, fault }, ttlMs: toTtl(ttl) }
}

function toTtl(ttl: number): number | null {
  return ttl < 0 ? null : ttl
}

export function digestOf(value: Buffer | string): string {
  return hash('sha1', value, 'hex').slice(0, DIGEST_LENGTH)
}
