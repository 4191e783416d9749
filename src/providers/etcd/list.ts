/** Lists all keys below the prefix at one revision, page by page. */
import type { KeyEntry } from '../layout.ts'
import { printable, type Nameless } from '../registry/nameless.ts'
import { createTextLimit } from '../registry/text-limit.ts'
import { EtcdFailure } from './failure.ts'
import type { KeyValue, RangeResponse, ResponseHeader } from './messages.ts'
import { range } from './methods.ts'
import { isBeside, leaseOf, pathOf, toEntry } from './key-prefix.ts'
import type { KeyPrefix } from './key-prefix.ts'
import type { Session } from './session.ts'

export interface ListedKey {
  readonly entry: KeyEntry
  /** The id of the key's lease; null: it has none. */
  readonly lease: string | null
}

export interface Listing {
  readonly header: ResponseHeader
  readonly keys: readonly ListedKey[]
  readonly nameless: Nameless
}

/** Which keys are kept in memory. */
export interface KeyFilter {
  isOurs(path: string): boolean
  /** For all texts together; those beyond it are dropped as they arrive. */
  readonly maxChars: number
}

const ALL: KeyFilter = { isOurs: () => true, maxChars: Infinity }

/** Keys on a page: fewer if their values are long. */
const FIRST_PAGE_KEYS = 64
const MAX_PAGE_KEYS = 500
const MANY_BYTES = 4 << 20
const FEW_BYTES = 1 << 20
/** Of a list whose revision is compacted meanwhile. */
const MAX_ATTEMPTS = 3

export async function listKeys(
  session: Session,
  prefix: KeyPrefix,
  filter: KeyFilter = ALL,
): Promise<Listing> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(session, prefix, filter)
    } catch (error) {
      const isCompacted = error instanceof EtcdFailure && error.reason === 'compacted'
      if (!isCompacted || attempt === MAX_ATTEMPTS) throw error
    }
  }
}

async function listOnce(session: Session, prefix: KeyPrefix, filter: KeyFilter): Promise<Listing> {
  const keys: ListedKey[] = []
  const texts = createTextLimit(filter.maxChars)
  const nameless = { count: 0, first: '' }
  let header: ResponseHeader | null = null
  let limit = FIRST_PAGE_KEYS
  for (let key: Buffer | null = prefix.start; key !== null;) {
    const page = await requestPage(session, prefix, key, limit, header?.revision)
    if (page === 'too-large') {
      limit = Math.floor(limit / 2)
      continue
    }
    header ??= page.header
    for (const kv of page.kvs) {
      const path = pathOf(kv, prefix)
      if (path === null) {
        if (isBeside(kv, prefix)) continue
        if (nameless.count === 0) nameless.first = printable(kv.key)
        nameless.count += 1
      } else if (filter.isOurs(path)) {
        const entry = texts.take(toEntry(path, kv, prefix, limit === 0))
        keys.push({ entry, lease: leaseOf(kv) })
      }
    }
    const last = page.kvs.at(-1)
    // The next possible key is the last one plus a zero byte.
    key = page.more && last !== undefined ? Buffer.concat([last.key, Buffer.of(0)]) : null
    limit = nextLimit(limit, page.kvs)
  }
  if (header === null) throw new Error('a list without a page')
  return { header, keys, nameless }
}

function nextLimit(limit: number, kvs: readonly KeyValue[]): number {
  const bytes = kvs.reduce((sum, { value }) => sum + value.length, 0)
  if (bytes < FEW_BYTES) return Math.min(Math.max(1, limit * 2), MAX_PAGE_KEYS)
  return bytes > MANY_BYTES ? Math.max(1, Math.floor(limit / 2)) : limit
}

/** With a limit of 0, one key without its value, which is too large for a message. */
async function requestPage(
  session: Session,
  prefix: KeyPrefix,
  key: Buffer,
  limit: number,
  revision: string | undefined,
): Promise<RangeResponse | 'too-large'> {
  const request = { key, range_end: prefix.end, limit: Math.max(1, limit), keys_only: limit === 0 }
  try {
    return await session.call(
      range,
      revision === undefined ? request : { ...request, revision },
      `list "${prefix.text}"`,
    )
  } catch (error) {
    const isTooLarge = error instanceof EtcdFailure && error.reason === 'too-large'
    if (isTooLarge && limit > 0) return 'too-large'
    throw error
  }
}
