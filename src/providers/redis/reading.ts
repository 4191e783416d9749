/**
 * Reads keys as they are now: text and time to live. Whoever wrote them is not trusted: a value is fetched up to the
 * limit and one byte more, so half a gigabyte is a fault and never on the way to us; what is no string is a fault too.
 *
 * A value's revision is a digest of the value. It needs no bookkeeping that a third party's SET or an expiry would
 * make wrong, and a compare-and-set compares with what is really there.
 */
import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { KeyEntry } from '../registry/mirror.ts'
import { isReply, RedisFailure } from './failure.ts'
import type { Link } from './link.ts'
import type { KeyNames } from './names.ts'

export interface ReadKey {
  readonly entry: KeyEntry
  /** Null: for ever. */
  readonly ttlMs: number | null
}

export const maxValueBytes: number = 1 << 20
/** Of a value's SHA-1, in hex: 64 bits tell the versions of one key apart. */
export const digestLength = 16

const maxKeys = 1_000_000
/** Bounds what comes back at once: fewer keys where they are long, more again where they are not. */
const mostKeysAtOnce = 64
const manyChars = 4 << 20

export async function scanPaths(
  { redis, where }: Link,
  names: KeyNames,
  isWanted: (path: string) => boolean,
): Promise<ReadonlySet<string>> {
  // SCAN may answer a key twice.
  const paths = new Set<string>()
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', names.pattern, 'COUNT', 1000)
    for (const key of keys) {
      const path = names.pathOf(key)
      if (path !== null && isWanted(path)) paths.add(path)
    }
    if (paths.size > maxKeys) {
      throw new RedisFailure(`Redis at ${where} has more than ${maxKeys} keys ${names.pattern}`)
    }
    cursor = next
  } while (cursor !== '0')
  return paths
}

/** Null: not there. In the order of `paths`. */
export async function* readKeys(
  { redis }: Pick<Link, 'redis'>,
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
    atOnce = chars > manyChars ? Math.ceil(atOnce / 2) : Math.min(atOnce * 2, mostKeysAtOnce)
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
  for (const path of paths) ask(pipeline, names.keyOf(path))
  const replies = (await pipeline.exec()) ?? []
  const found: (readonly [string, ReadKey | null])[] = []
  for (const [at, path] of paths.entries()) {
    const read = readReplies(replies.slice(at * 2, at * 2 + 2), path, names)
    found.push([path, read === 'unclear' ? await readWhole(redis, names, path) : read])
  }
  return found
}

type Asking = Pick<ReturnType<Redis['pipeline']>, 'pttl' | 'getrangeBuffer'>
type Replies = readonly (readonly [error: Error | null, reply: unknown])[]

function ask(pipeline: Asking, key: string): void {
  pipeline.pttl(key)
  pipeline.getrangeBuffer(key, 0, maxValueBytes)
}

/** The same in a transaction: for the few keys that a pipeline, which others' writes may come into, leaves unclear. */
async function readWhole(redis: Redis, names: KeyNames, path: string): Promise<ReadKey | null> {
  const key = names.keyOf(path)
  const transaction = redis.multi()
  ask(transaction, key)
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
  // GETRANGE answers nothing for what is not there and for what is empty.
  if (ttl === -2 && bytes.length === 0) return null
  if (ttl === -2 || bytes.length === 0) return 'unclear'
  return toRead(path, names, Number(ttl), bytes)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function toRead(path: string, names: KeyNames, ttl: number, bytes: Buffer): ReadKey {
  if (bytes.length > maxValueBytes) {
    return toFault(path, names, ttl, 'is longer than 1 MiB')
  }
  const revision = digestOf(bytes)
  try {
    const text = decoder.decode(bytes)
    return { entry: { path, key: names.keyOf(path), text, revision }, ttlMs: toTtl(ttl) }
  } catch {
    return toFault(path, names, ttl, 'is not UTF-8')
  }
}

function toFault(path: string, names: KeyNames, ttl: number, fault: string): ReadKey {
  return { entry: { path, key: names.keyOf(path), text: null, fault }, ttlMs: toTtl(ttl) }
}

function toTtl(ttl: number): number | null {
  return ttl < 0 ? null : ttl
}

export function digestOf(value: Buffer | string): string {
  return hash('sha1', value, 'hex').slice(0, digestLength)
}
