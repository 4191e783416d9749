/** Everything below the root as it was at one revision, however many questions that takes. */
import type { KeyEntry } from '../mirror.ts'
import { EtcdFailure } from './failure.ts'
import type { RangeResponse, ResponseHeader } from './messages.ts'
import { range } from './methods.ts'
import { leaseOf, pathOf, toEntry } from './root.ts'
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
}

const pageKeys = 500
/** Of lists that were overtaken by a compaction. */
const maxAttempts = 3

export async function listKeys(session: Session, root: Root): Promise<Listing> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(session, root)
    } catch (error) {
      const isCompacted = error instanceof EtcdFailure && error.reason === 'compacted'
      if (!isCompacted || attempt === maxAttempts) throw error
    }
  }
}

async function listOnce(session: Session, root: Root): Promise<Listing> {
  const keys: ListedKey[] = []
  let header: ResponseHeader | null = null
  let limit = pageKeys
  for (let key: Buffer | null = root.start; key !== null;) {
    const page = await askPage(session, root, key, limit, header?.revision)
    if (page === 'too-large') {
      limit = Math.floor(limit / 2)
      continue
    }
    header ??= page.header
    for (const kv of page.kvs) {
      const path = pathOf(kv, root)
      if (path === null) continue
      keys.push({ entry: toEntry(path, kv, root, limit === 0), lease: leaseOf(kv) })
    }
    const last = page.kvs.at(-1)
    // The very next key is the last one with a zero behind it.
    key = page.more && last !== undefined ? Buffer.concat([last.key, Buffer.of(0)]) : null
    limit = Math.max(1, limit)
  }
  if (header === null) throw new Error('a list without a page')
  return { header, keys }
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
