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
import { isAfter, readPosition } from './marks.ts'
import type { Position } from './marks.ts'
import type { KeyNames } from './names.ts'
import type { News } from './news.ts'

export interface Log {
  /** Until its link ends, which it tells. */
  listen(news: News): Promise<void>
}

const entriesAtOnce = 1000
/** With nothing to hear, the server says so this often. */
const blockMs = 2_000

export async function openLog(link: Link, names: KeyNames): Promise<Log> {
  const { redis, where } = link
  let position: Position
  try {
    position = await readPosition(link, names)
  } catch (error) {
    throw toFailure(error, `cannot read ${names.rev} and ${names.log} from Redis at ${where}`)
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
    const actual = await readPosition(link, names)
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
