/**
 * Checks a Redis by PING, and by a look at a key as nerve does: a proxy in front of a dead Redis answers the first alone. A server that
 * loads its data, or needs a login, fails.
 */
import { messageOf } from '../../model/error-message.ts'
import { onDemand } from '../../model/on-demand.ts'
import type { RedisSpec } from '../spec/agent-spec.ts'
import { isShortage, type Check } from './check.ts'

const KEY = 'nerve-redis-service-check'

const client = onDemand('the client of Redis', () => import('../../redis/redis-client.ts'))

export function createRedisCheck({ host, port, username, password, tls }: RedisSpec): Check {
  return async (signal) => {
    const { createRedisClient } = await client.load()
    const redis = createRedisClient({
      ...{ host, port, lazyConnect: true },
      ...(username === null ? {} : { username }),
      ...(password === null ? {} : { password }),
      ...(tls === null ? {} : { tls }),
    })
    let cause: Error | null = null
    redis.on('error', (error: Error) => (cause ??= error))
    const abort = (): void => redis.disconnect()
    signal.addEventListener('abort', abort)
    try {
      if (signal.aborted) return 'it was called off'
      await redis.connect()
      await redis.ping()
      await redis.exists(KEY)
      return null
    } catch (error) {
      const first: unknown = cause ?? error
      if (isShortage(first)) throw first
      return `Redis at ${host}:${port} does not answer PING: ${messageOf(first)}`
    } finally {
      signal.removeEventListener('abort', abort)
      redis.disconnect()
    }
  }
}
