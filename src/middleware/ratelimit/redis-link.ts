/**
 * One connection at a time to one Redis, for one script. A Redis that does not answer costs requests nothing: after a failure
 * it is left alone for a while, then one request at a time tries it, and all go there again when that one is answered.
 *
 * ioredis connects once and never again by itself. A command that is given while it connects waits for that, within its time.
 * What ioredis says of a failure is dropped: it may hold the password.
 */
import type { Redis, Result } from 'ioredis'
import { createRedisClient } from '../../redis/redis-client.ts'
import { optionsOfRedisUrl } from './redis-url.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    sluiceRates(keys: number, ...words: (string | number)[]): Result<unknown, Context>
  }
}

export class RedisLink {
  usedAt: number
  readonly #url: string
  readonly #script: string
  readonly #restMs: number
  #redis: Redis | null = null
  /** Not asked before. */
  #restUntil = -Infinity
  #failedAt = -Infinity
  /** It failed last. */
  #isTroubled = false
  /** One request tries whether it still does. */
  #isTried = false

  readonly #tell: (notice: string) => void

  constructor(
    url: string,
    script: string,
    restMs: number,
    now: number,
    tell: (notice: string) => void,
  ) {
    this.#url = url
    this.#script = script
    this.#restMs = restMs
    this.usedAt = now
    this.#tell = tell
  }

  open(now: number): void {
    this.usedAt = now
    if (now >= this.#restUntil) this.#redis ??= this.#connect()
  }

  run(
    now: () => number,
    timeoutMs: number,
    keys: number,
    words: readonly (string | number)[],
    done: (reply: unknown) => void,
  ): boolean {
    const askedAt = now()
    this.usedAt = askedAt
    if (askedAt < this.#restUntil || this.#isTried) return false
    const redis = (this.#redis ??= this.#connect())
    this.#isTried = this.#isTroubled
    let isDone = false
    const finish = (reply: unknown): void => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      // What was asked before it failed says nothing new.
      if (askedAt >= this.#failedAt) {
        this.#isTried = false
        if (reply === null) this.#fail(redis, now())
        else if (this.#isTroubled) this.#recover()
      }
      done(reply)
    }
    const timer = setTimeout(finish, timeoutMs, null).unref()
    redis.sluiceRates(keys, ...words).then(finish, () => finish(null))
    return true
  }

  close(): void {
    this.#redis?.disconnect()
    this.#redis = null
  }

  #fail(redis: Redis, now: number): void {
    // Open, and silent for the second time: the other side is gone without a word.
    if (this.#isTroubled && redis.status === 'ready' && redis === this.#redis) this.close()
    this.#failedAt = now
    this.#restUntil = now + this.#restMs
    if (!this.#isTroubled)
      this.#tell(`rates are not shared: ${this.#where} does not answer in time`)
    this.#isTroubled = true
  }

  #recover(): void {
    this.#isTroubled = false
    this.#tell(`rates are shared again through ${this.#where}`)
  }

  /** Without what may be secret. */
  get #where(): string {
    const { host, port } = optionsOfRedisUrl(this.#url)
    return `redis ${host}:${port}`
  }

  #connect(): Redis {
    const redis = createRedisClient(optionsOfRedisUrl(this.#url))
    redis.defineCommand('sluiceRates', { lua: this.#script })
    redis.on('connect', () => redis.stream.unref())
    // A database that cannot be selected would leave it connected to another one.
    redis.on('error', () => redis.disconnect())
    redis.on('end', () => {
      if (this.#redis === redis) this.#redis = null
    })
    return redis
  }
}
