/**
 * One connection to one Redis server. It never reconnects, replays or queues, because only a new list finds the changes
 * that were missed in between. Every command has a timeout, which also detects a half-open connection.
 */
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Redis } from 'ioredis'
import { addressOf } from '../../dns/dialing.ts'
import type { RedisSource, RegistryTls } from '../../model/source-spec.ts'
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

/** For connecting, and again for the login. */
const CONNECT_TIMEOUT_MS = 2_000

export async function openConnection(
  spec: RedisSource,
  address: string,
  { timeoutMs, signal }: RedisConnectionOptions,
): Promise<RedisConnection> {
  const { host, port } = splitAddress(address)
  const redis = new Redis({
    host: await findAddress(host, address),
    port,
    protocol: 2,
    lazyConnect: true,
    ...(spec.cluster ? {} : { db: spec.database }),
    ...(spec.username === null ? {} : { username: spec.username }),
    ...(spec.password === null ? {} : { password: spec.password }),
    ...(spec.tls === null ? {} : { tls: toTlsOptions(spec.tls, host) }),
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
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

async function findAddress(host: string, address: string): Promise<string> {
  try {
    return await addressOf(host)
  } catch (error) {
    throw toFailure(error, `cannot reach Redis at ${address}`)
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
function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':')
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(address.slice(at + 1)) }
}
