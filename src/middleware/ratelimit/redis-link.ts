/**
 * One connection at a time to one Redis, for one script. A Redis that does not respond must not delay requests: after a failure it
 * is not used for `backoffMs`, then by one request at a time, and by all again when that one succeeds.
 *
 * ioredis connects once and does not reconnect by itself. A command waits for a connection that is being opened, within its own
 * timeout. Error messages of ioredis are dropped, because they may hold the password.
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
  readonly #backoffMs: number
  #redis: Redis | null = null
  #backoffUntil = -Infinity
  #failedAt = -Infinity
  /** The last command failed. */
  #isFailing = false
  /** One request is testing whether it works again. */
  #isTested = false

  readonly #onNotice: (notice: string) => void

  constructor(
    url: string,
    script: string,
    backoffMs: number,
    now: number,
    onNotice: (notice: string) => void,
  ) {
    this.#url = url
    this.#script = script
    this.#backoffMs = backoffMs
    this.usedAt = now
    this.#onNotice = onNotice
  }

  open(now: number): void {
    this.usedAt = now
    if (now >= this.#backoffUntil) this.#redis ??= this.#connect()
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
    if (askedAt < this.#backoffUntil || this.#isTested) return false
    const redis = (this.#redis ??= this.#connect())
    this.#isTested = this.#isFailing
    let isDone = false
    const finish = (reply: unknown): void => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      // Commands from before the failure say nothing new.
      if (askedAt >= this.#failedAt) {
        this.#isTested = false
        if (reply === null) this.#fail(redis, now())
        else if (this.#isFailing) this.#recover()
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
    // No response twice on an open connection: the peer may be gone without a reset.
    if (this.#isFailing && redis.status === 'ready' && redis === this.#redis) this.close()
    this.#failedAt = now
    this.#backoffUntil = now + this.#backoffMs
    if (!this.#isFailing)
      this.#onNotice(`rates are not shared: ${this.#where} does not respond in time`)
    this.#isFailing = true
  }

  #recover(): void {
    this.#isFailing = false
    this.#onNotice(`rates are shared again through ${this.#where}`)
  }

  /** Without the user and the password. */
  get #where(): string {
    const { host, port } = optionsOfRedisUrl(this.#url)
    return `redis ${host}:${port}`
  }

  #connect(): Redis {
    const redis = createRedisClient(optionsOfRedisUrl(this.#url))
    redis.defineCommand('sluiceRates', { lua: this.#script })
    redis.on('connect', () => redis.stream.unref())
    // If the database cannot be selected, the connection would use another one.
    redis.on('error', () => redis.disconnect())
    redis.on('end', () => {
      if (this.#redis === redis) this.#redis = null
    })
    return redis
  }
}
