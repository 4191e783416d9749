/**
 * Listens to the log of our own writers. Each entry has the number of its write, and the numbers have no gap: one that is
 * not the next says that something was trimmed, wiped or lost, and only a list helps then. The log says which key
 * changed, never what it is now: the reader looks at the key itself.
 *
 * It goes on from where it stood before the first list, and whatever it passes before a list begins is in that list, so a
 * list never needs another beginning.
 */
import { toFailure } from './failure.ts'
import type { Link } from './link.ts'
import type { KeyNames } from './names.ts'
import type { News } from './news.ts'

export interface Log {
  /** Until its link ends, which it tells. */
  listen(news: News): Promise<void>
}

interface Position {
  readonly id: string
  readonly rev: number
}

const entriesAtOnce = 1000
/** With nothing to hear, the server says so this often. */
const blockMs = 2_000

export async function openLog({ redis, where }: Link, names: KeyNames): Promise<Log> {
  let position: Position
  try {
    position = await readPosition()
  } catch (error) {
    throw toFailure(error, `cannot read ${names.rev} and ${names.log} from Redis at ${where}`)
  }

  async function readPosition(): Promise<Position> {
    const replies = await redis
      .multi()
      .get(names.rev)
      .xrevrange(names.log, '+', '-', 'COUNT', 1)
      .exec()
    const [[revError, rev] = [null, null], [logError, last] = [null, null]] = replies ?? []
    if (revError !== null) throw revError
    if (logError !== null) throw logError
    const [entry] = Array.isArray(last) ? (last as readonly unknown[]) : []
    const [id] = Array.isArray(entry) ? (entry as readonly unknown[]) : []
    return { id: typeof id === 'string' ? id : '0-0', rev: Number(rev ?? 0) }
  }

  async function hearNext(news: News): Promise<void> {
    const streams = await redis.xread(
      'COUNT',
      entriesAtOnce,
      'BLOCK',
      blockMs,
      'STREAMS',
      names.log,
      position.id,
    )
    const [stream] = streams ?? []
    if (stream === undefined) return compare(news)
    for (const [id, fields] of stream[1]) {
      const { rev, path } = readFields(fields)
      if (rev !== position.rev + 1) news.doubt('gap')
      else if (path !== null) news.hear(path, 0)
      position = { id, rev }
    }
  }

  // A log that was wiped, or that another server has, may be silent for ever.
  async function compare(news: News): Promise<void> {
    const actual = await readPosition()
    if (actual.id === position.id && actual.rev === position.rev) return
    if (isAfter(actual.id, position.id)) return
    news.doubt('log')
    position = actual
  }

  return {
    async listen(news) {
      try {
        for (;;) await hearNext(news)
      } catch (error) {
        news.fail(toFailure(error, `cannot follow ${names.log} of Redis at ${where}`))
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

/** Ids of a stream: milliseconds and a number, `1526919030474-55`. */
function isAfter(a: string, b: string): boolean {
  const [aMs = 0n, aNumber = 0n] = a.split('-').map(BigInt)
  const [bMs = 0n, bNumber = 0n] = b.split('-').map(BigInt)
  return aMs > bMs || (aMs === bMs && aNumber > bNumber)
}
