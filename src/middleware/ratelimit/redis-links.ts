/**
 * The connections of one worker to the Redis servers of its rate limits: one for each URL, opened when it is first named, closed
 * after `idleMs` without use. They do not keep the process alive.
 */
import { onDemand, type OnDemand } from '../../model/on-demand.ts'
import type { RedisLink } from './redis-link.ts'

/** Loads ioredis, which only shared rates need. Must be loaded before a link is opened. */
export const redisClient: OnDemand<{ readonly RedisLink: typeof RedisLink }> = onDemand(
  'the client that shares rates through Redis',
  () => import('./redis-link.ts'),
)

type OnNotice = (notice: string) => void

export interface RedisLinks {
  /** Starts to connect. `onNotice` gets a message for the log when this Redis fails or works again. It holds no secrets. */
  open(url: string, onNotice: OnNotice): void
  /** Runs the script. False if Redis is not used now; else `done` is called once, later, with null for a failure. */
  run(
    url: string,
    onNotice: OnNotice,
    timeoutMs: number,
    keys: number,
    words: readonly (string | number)[],
    done: (reply: unknown) => void,
  ): boolean
  /** Connections that are open or being opened. */
  readonly size: number
}

export interface RedisLinksOptions {
  readonly script: string
  /** Monotonic, ms. */
  readonly now: () => number
  readonly idleMs: number
  /** How long a Redis is not used after a failure. */
  readonly backoffMs: number
}

export function createRedisLinks(options: RedisLinksOptions): RedisLinks {
  const { script, now, idleMs, backoffMs } = options
  const links = new Map<string, RedisLink>()
  let sweeping: NodeJS.Timeout | null = null

  function sweep(): void {
    for (const [url, link] of links) {
      if (now() - link.usedAt < idleMs) continue
      link.close()
      links.delete(url)
    }
    if (links.size > 0 || sweeping === null) return
    clearInterval(sweeping)
    sweeping = null
  }

  function linkTo(url: string, onNotice: OnNotice): RedisLink {
    const present = links.get(url)
    if (present !== undefined) return present
    const { RedisLink } = redisClient.loaded()
    const link = new RedisLink(url, script, backoffMs, now(), onNotice)
    links.set(url, link)
    sweeping ??= setInterval(sweep, idleMs).unref()
    return link
  }

  return {
    open(url, onNotice) {
      linkTo(url, onNotice).open(now())
    },
    run(url, onNotice, timeoutMs, keys, words, done) {
      return linkTo(url, onNotice).run(now, timeoutMs, keys, words, done)
    },
    get size() {
      return links.size
    },
  }
}
