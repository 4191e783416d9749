/** Everything below the root as it was at one revision, however many questions that takes. */
import type { KeyEntry } from '../layout.ts'
import { createTextBound } from '../registry/text-bound.ts'
import { EtcdFailure } from './failure.ts'
import type { KeyValue, RangeResponse, ResponseHeader } from './messages.ts'
import { range } from './methods.ts'
import { leaseOf, pathOf, printable, toEntry } from './root.ts'
import type { Root } from './root.ts'
import type { Session } from './session.ts'

export interface ListedKey {
  readonly entry: KeyEntry
  /** The id of the lease that the key lives by; null: it stays. */
  readonly lease: string | null
}

export interface Listing {
  readonly header: ResponseHeader
  readonly keys: readonly ListedKey[]
  /** How many keys below the root no path could name, and the first of them. */
  readonly nameless: { readonly count: number; readonly first: string }
}

/** What of all that stands below the root is worth its memory. */
export interface Wanted {
  isOurs(path: string): boolean
  /** Of all texts together; those beyond it are let go as they arrive. */
  readonly maxChars: number
}

const all: Wanted = { isOurs: () => true, maxChars: Infinity }

/** How many keys to ask for: fewer where their values are long, more again where they are not. */
const firstPageKeys = 64
const mostPageKeys = 500
const manyBytes = 4 << 20
const fewBytes = 1 << 20
/** Of lists that were overtaken by a compaction. */
const maxAttempts = 3

export async function listKeys(
  session: Session,
  root: Root,
  wanted: Wanted = all,
): Promise<Listing> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(session, root, wanted)
    } catch (error) {
      const isCompacted = error instanceof EtcdFailure && error.reason === 'compacted'
      if (!isCompacted || attempt === maxAttempts) throw error
    }
  }
}

async function listOnce(session: Session, root: Root, wanted: Wanted): Promise<Listing> {
  const keys: ListedKey[] = []
  const bound = createTextBound(wanted.maxChars)
  const nameless = { count: 0, first: '' }
  let header: ResponseHeader | null = null
  let limit = firstPageKeys
  for (let key: Buffer | null = root.start; key !== null;) {
    const page = await askPage(session, root, key, limit, header?.revision)
    if (page === 'too-large') {
      limit = Math.floor(limit / 2)
      continue
    }
    header ??= page.header
    for (const kv of page.kvs) {
      const path = pathOf(kv, root)
      if (path === null) {
        if (kv.key.equals(root.start)) continue
        if (nameless.count === 0) nameless.first = printable(kv.key)
        nameless.count += 1
      } else if (wanted.isOurs(path)) {
        const entry = bound.take(toEntry(path, kv, root, limit === 0))
        keys.push({ entry, lease: leaseOf(kv) })
      }
    }
    const last = page.kvs.at(-1)
    // The very next key is the last one with a zero behind it.
    key = page.more && last !== undefined ? Buffer.concat([last.key, Buffer.of(0)]) : null
    limit = nextLimit(limit, page.kvs)
  }
  if (header === null) throw new Error('a list without a page')
  return { header, keys, nameless }
}

function nextLimit(limit: number, kvs: readonly KeyValue[]): number {
  const bytes = kvs.reduce((sum, { value }) => sum + value.length, 0)
  if (bytes < fewBytes) return Math.min(Math.max(1, limit * 2), mostPageKeys)
  return bytes > manyBytes ? Math.max(1, Math.floor(limit / 2)) : limit
}

/** With a limit of 0, one key without its value: it is too large for any message. */
async function askPage(
  session: Session,
  root: Root,
  key: Buffer,
  limit: number,
  revision: string | undefined,
): Promise<RangeResponse | 'too-large'> {
  const request = { key, range_end: root.end, limit: Math.max(1, limit), keys_only: limit === 0 }
  try {
    return await session.call(
      range,
      revision === undefined ? request : { ...request, revision },
      `list "${root.text}"`,
    )
  } catch (error) {
    const isTooLarge = error instanceof EtcdFailure && error.reason === 'too-large'
    if (isTooLarge && limit > 0) return 'too-large'
    throw error
  }
}
