/** A script that runs in Redis as one step. It is sent as its digest, and as a whole to a server that does not know it yet. */
import { hash } from 'node:crypto'
import type { RedisConnection } from './connection.ts'
import { isReply } from './failure.ts'

export interface Script {
  /** Rejects as ioredis does. */
  run(
    connection: Pick<RedisConnection, 'redis'>,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown>
}

export function createScript(text: string): Script {
  const digest = hash('sha1', text, 'hex')
  return {
    async run({ redis }, keys, args) {
      try {
        return await redis.evalsha(digest, keys.length, ...keys, ...args)
      } catch (error) {
        if (!isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error
        return redis.eval(text, keys.length, ...keys, ...args)
      }
    },
  }
}
