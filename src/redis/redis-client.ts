/**
 * A client for one connection to one Redis server. It never reconnects, replays or queues: its owner opens another one,
 * because only the owner knows what was missed. Host names are resolved by this process, not by ioredis.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { AbstractConnector, Redis } from 'ioredis'
import { addressOf } from '../dns/dialing.ts'

export interface RedisClientOptions {
  readonly host: string
  readonly port: number
  readonly db?: number
  readonly username?: string
  readonly password?: string
  readonly tls?: ConnectionOptions
  /** Of each command; without it there is no limit. */
  readonly commandTimeout?: number
  readonly lazyConnect?: boolean
}

/** For connecting, and again for the login. */
const CONNECT_TIMEOUT_MS = 2_000
const DISCONNECT_TIMEOUT_MS = 100

export function createRedisClient(options: RedisClientOptions): Redis {
  return new Redis({
    ...options,
    Connector: RedisConnector,
    protocol: 2,
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: null,
    maxRetriesPerRequest: null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false,
  })
}

class RedisConnector extends AbstractConnector {
  readonly #options: RedisClientOptions

  /** `options`: those of the client, as ioredis passes them on. */
  constructor(options: unknown) {
    super(DISCONNECT_TIMEOUT_MS)
    this.#options = options as RedisClientOptions
  }

  override async connect(): Promise<Socket> {
    this.connecting = true
    const { host: name, port, tls } = this.#options
    const host = await addressOf(name)
    if (!this.connecting) throw new Error('Connection is closed.')
    this.stream =
      tls === undefined ? connectTcp({ host, port }) : connectTls({ ...tls, host, port })
    return this.stream as Socket
  }
}
