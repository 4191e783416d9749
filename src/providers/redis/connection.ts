/**
 * One connection to a server of the source. It is never opened again: only a new list finds the changes that were missed in
 * between. Every command has a timeout, which also detects a half-open connection.
 */
import type { Redis } from 'ioredis'
import type { RedisAccess } from './source.ts'
import { hostOf, portOf, toTlsOptions } from '../registry/endpoint.ts'
import { createRedisClient } from '../../redis/redis-client.ts'
import { RedisFailure, toFailure } from './failure.ts'

export interface RedisConnection {
  readonly redis: Redis
  /** `host:port`. */
  readonly address: string
  /** `call` runs at most once, and never after `close`. */
  onLost(call: (error: Error) => void): void
  close(): void
}

export interface RedisConnectionOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export async function openConnection(
  spec: RedisAccess,
  address: string,
  { timeoutMs, signal }: RedisConnectionOptions,
): Promise<RedisConnection> {
  const host = hostOf(address)
  const redis = createRedisClient({
    host,
    port: portOf(address),
    lazyConnect: true,
    ...(spec.cluster ? {} : { db: spec.database }),
    ...(spec.username === null ? {} : { username: spec.username }),
    ...(spec.password === null ? {} : { password: spec.password }),
    ...(spec.tls === null ? {} : { tls: toTlsOptions(spec.tls, host) }),
    commandTimeout: timeoutMs,
  })

  let failure: unknown = null
  let isClosed = false
  const close = (): void => {
    isClosed = true
    redis.disconnect()
  }
  redis.on('error', (error) => (failure ??= error))
  signal?.addEventListener('abort', close)
  redis.once('end', () => signal?.removeEventListener('abort', close))

  try {
    await redis.connect()
  } catch (error) {
    failure ??= error
  }
  // If SELECT fails, ioredis stays connected to another database.
  if (failure !== null || signal?.aborted === true) {
    close()
    throw toFailure(
      failure ?? new Error('Connection is closed.'),
      `cannot reach Redis at ${address}`,
    )
  }

  return {
    redis,
    address,
    close,
    onLost(call) {
      redis.once('end', () => {
        if (isClosed) return
        const why = failure instanceof Error ? `: ${failure.message}` : ''
        call(new RedisFailure(`Redis at ${address} was lost${why}`))
      })
    },
  }
}
