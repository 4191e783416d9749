/**
 * Follows the stream in which writers of Sluice record their writes. Each entry has the number of its write, and the numbers
 * have no gap: any other next number means that entries were trimmed, wiped or lost, and the keys must be listed again.
 * An entry names the key that changed, never its value: the reader reads the key itself.
 *
 * The position is read before the first list, so a list contains every write that the log reports before it.
 */
import { toFailure } from './failure.ts'
import type { RedisConnection } from './connection.ts'
import { isAfter, readPosition } from './rollback.ts'
import type { StreamPosition } from './rollback.ts'
import type { KeyNames } from './key-names.ts'
import type { PendingChanges } from './pending-changes.ts'

export interface ChangeLog {
  /** Resolves when its connection ends; the failure is passed to `pending`. */
  follow(pending: PendingChanges): Promise<void>
}

/** A reader that is further behind than this must list again. */
const LOG_LENGTH = 20_000

/** The lines of a script that count and log the write `op` of `path`. `rev`, `log`: its keys, as the script has them. */
export function logWrite(rev: string, log: string): string {
  return `local rev = redis.call('INCR', ${rev})
redis.call('XADD', ${log}, 'MAXLEN', '~', ${LOG_LENGTH}, '*', 'rev', rev, 'op', op, 'k', path)`
}

const MAX_ENTRIES = 1000
/** Without a new entry, Redis responds after this time. */
const BLOCK_MS = 2_000

export async function openChangeLog(
  connection: RedisConnection,
  names: KeyNames,
): Promise<ChangeLog> {
  const { redis, address } = connection
  let position: StreamPosition
  try {
    position = await readPosition(connection, names)
  } catch (error) {
    throw toFailure(error, `cannot read ${names.rev} and ${names.log} from Redis at ${address}`)
  }

  async function readNext(pending: PendingChanges): Promise<void> {
    const streams = await redis.xread(
      'COUNT',
      MAX_ENTRIES,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      names.log,
      position.id,
    )
    const [stream] = streams ?? []
    if (stream === undefined) return compare(pending)
    for (const [id, fields] of stream[1]) {
      const { rev, path } = readFields(fields)
      if (rev !== position.rev + 1) pending.requestList('gap')
      else if (path !== null) pending.add(path, 0)
      position = { id, rev }
    }
  }

  // A log that was wiped, or that another server holds, may never get another entry.
  async function compare(pending: PendingChanges): Promise<void> {
    const actual = await readPosition(connection, names)
    if (actual.id === position.id && actual.rev === position.rev) return
    if (isAfter(actual.id, position.id)) return
    pending.requestList('log')
    position = actual
  }

  return {
    async follow(pending) {
      try {
        for (;;) await readNext(pending)
      } catch (error) {
        pending.fail(toFailure(error, `cannot follow ${names.log} of Redis at ${address}`))
      }
    },
  }
}

function readFields(fields: readonly string[]): { rev: number; path: string | null } {
  let rev = Number.NaN
  let path: string | null = null
  for (let at = 0; at + 1 < fields.length; at += 2) {
    if (fields[at] === 'rev') rev = Number(fields[at + 1])
    if (fields[at] === 'k') path = fields[at + 1] ?? null
  }
  return { rev, path }
}
