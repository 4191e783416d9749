/**
 * Keyspace events: how writers that know nothing of our log are heard. A hint only says which key to look at again; and
 * nothing is ever missed for the lack of one, since whoever is not told polls. Expired events are not waited for: with
 * many volatile keys Redis sends them half a minute late, or not at all.
 */
import { isReply, toFailure } from './failure.ts'
import type { Link } from './link.ts'
import { escapeGlob } from './names.ts'
import type { KeyNames } from './names.ts'
import type { News } from './news.ts'

/** Every so often a word must come back ... */
const pingEveryMs = 1_500
/** ... within this time: together less than a silence may last. */
export const hintTimeoutMs = 3_000

/** Keyspace channels; DEL, EXPIRE and the like; strings; expired; evicted. */
const neededFlags = 'Kg$xe'

/** True when the server now sends what we need. What else it was set to send is left as it is. */
export async function askForEvents({ redis }: Link): Promise<boolean> {
  try {
    const [, flags = ''] = await redis.config('GET', 'notify-keyspace-events')
    const has = flags.includes('A') ? `${flags}g$xe` : flags
    const missing = [...neededFlags].filter((flag) => !has.includes(flag)).join('')
    if (missing !== '') await redis.config('SET', 'notify-keyspace-events', flags + missing)
    return true
  } catch (error) {
    // Renamed, disabled by a hosting company, or not ours to use.
    if (isReply(error) && !error.message.startsWith('NOAUTH')) return false
    throw error
  }
}

/** False when the server does not let us. Ends with the link. */
export async function listenForHints(
  link: Link,
  home: number,
  names: KeyNames,
  database: number,
  news: News,
): Promise<boolean> {
  const { redis, where } = link
  const channel = `__keyspace@${database}__:`
  redis.on('pmessage', (_pattern: string, from: string) => {
    const path = names.pathOf(from.slice(channel.length))
    if (path !== null) news.hear(path, home)
  })
  try {
    await redis.psubscribe(`${escapeGlob(channel)}${names.pattern}`)
  } catch (error) {
    if (isReply(error)) return false
    throw error
  }
  const timer = setInterval(() => {
    redis.ping().catch((error: unknown) => {
      news.fail(toFailure(error, `cannot listen to Redis at ${where}`))
    })
  }, pingEveryMs)
  redis.once('end', () => clearInterval(timer))
  return true
}
