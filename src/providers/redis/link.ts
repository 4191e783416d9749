/**
 * One connection to one Redis. It is never opened twice: reconnecting, replaying and queueing are switched off, since
 * what was missed meanwhile is found by a new list only. Every command has a deadline, so a half-open link shows itself
 * as an answer that does not come.
 */
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Redis } from 'ioredis'
import { addressOf } from '../../dns/dialing.ts'
import type { RedisSource, RegistryTls } from '../../model/source-spec.ts'
import { RedisFailure, toFailure } from './failure.ts'

export interface Link {
  readonly redis: Redis
  /** `host:port`. */
  readonly where: string
  /** Calls at most once, not after `close`. */
  onLost(call: (error: Error) => void): void
  close(): void
}

export interface LinkOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Connecting, then the password: each of them has this long. */
const connectMs = 2_000

export async function openLink(
  spec: RedisSource,
  where: string,
  { timeoutMs, signal }: LinkOptions,
): Promise<Link> {
  const { host, port } = splitAddress(where)
  const redis = new Redis({
    host: await findAddress(host, where),
    port,
    protocol: 2,
    lazyConnect: true,
    ...(spec.cluster ? {} : { db: spec.database }),
    ...(spec.username === null ? {} : { username: spec.username }),
    ...(spec.password === null ? {} : { password: spec.password }),
    ...(spec.tls === null ? {} : { tls: toTlsOptions(spec.tls, host) }),
    disableClientInfo: true,
    connectTimeout: connectMs,
    disconnectTimeout: 100,
    commandTimeout: timeoutMs,
    retryStrategy: null,
    maxRetriesPerRequest: null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false,
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
  // A database that cannot be selected leaves ioredis connected, and to another one.
  if (failure !== null || signal?.aborted === true) {
    close()
    throw toFailure(failure ?? new Error('Connection is closed.'), `cannot reach Redis at ${where}`)
  }

  return {
    redis,
    where,
    close,
    onLost(call) {
      redis.once('end', () => {
        if (isClosed) return
        const why = failure instanceof Error ? `: ${failure.message}` : ''
        call(new RedisFailure(`Redis at ${where} was lost${why}`))
      })
    },
  }
}

async function findAddress(host: string, where: string): Promise<string> {
  try {
    return await addressOf(host)
  } catch (error) {
    throw toFailure(error, `cannot reach Redis at ${where}`)
  }
}

function toTlsOptions(tls: RegistryTls, host: string): ConnectionOptions {
  const serverName = tls.serverName ?? (isIP(host) === 0 ? host : null)
  return {
    rejectUnauthorized: tls.verify,
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(serverName === null ? {} : { servername: serverName }),
  }
}

/** `[::1]:6379` as well. */
function splitAddress(where: string): { host: string; port: number } {
  const at = where.lastIndexOf(':')
  const host = where.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(where.slice(at + 1)) }
}
