/**
 * The connections of one thread to the Redis servers that limiters share their rates through: one for each url, opened when
 * it is first named, closed when nothing has used it for a while, and never what keeps a process alive.
 */
import { onDemand, type OnDemand } from '../../model/on-demand.ts'
import type { RedisLink } from './redis-link.ts'

/** With ioredis, which a thread without shared rates does without. To be loaded before a link is opened. */
export const redisClient: OnDemand<{ readonly RedisLink: typeof RedisLink }> = onDemand(
  'the client that shares rates through Redis',
  () => import('./redis-link.ts'),
)

export interface RedisLinks {
  /** Begins to connect. */
  open(url: string): void
  /** Runs the script. False when Redis is left alone now; else `done` is called later, once, with null for a failure. */
  run(
    url: string,
    timeoutMs: number,
    keys: number,
    words: readonly (string | number)[],
    done: (reply: unknown) => void,
  ): boolean
  /** Connections that are open, or being opened. */
  readonly size: number
}

export interface RedisLinksOptions {
  readonly script: string
  /** Monotonic, ms. */
  readonly now: () => number
  readonly idleMs: number
  /** How long a Redis that failed is left alone. */
  readonly restMs: number
  /** A Redis stops, or begins again, to answer. For people, without secrets. */
  readonly tell: (notice: string) => void
}

export function createRedisLinks(options: RedisLinksOptions): RedisLinks {
  const { script, now, idleMs, restMs, tell } = options
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

  function linkTo(url: string): RedisLink {
    const present = links.get(url)
    if (present !== undefined) return present
    const { RedisLink } = redisClient.loaded()
    const link = new RedisLink(url, script, restMs, now(), tell)
    links.set(url, link)
    sweeping ??= setInterval(sweep, idleMs).unref()
    return link
  }

  return {
    open(url) {
      linkTo(url).open(now())
    },
    run(url, timeoutMs, keys, words, done) {
      return linkTo(url).run(now, timeoutMs, keys, words, done)
    },
    get size() {
      return links.size
    },
  }
}
