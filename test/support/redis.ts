/** A real Redis, and raw commands to it. */
import { mkdirSync } from 'node:fs'
import { Redis as RedisClient } from 'ioredis'
import { type Daemon, type Owner, startDaemon } from './daemon.ts'
import { choosePort } from './ports.ts'

export interface RedisOptions {
  /** Beside the usual ones: `['--requirepass', 'secret']`. */
  readonly args?: readonly string[]
  /** Whether it has its data again after a kill; true when nothing is said. */
  readonly appendOnly?: boolean
  readonly password?: string
}

export interface RedisServer extends Daemon {
  readonly port: number
  /** `127.0.0.1:port`, for a client. */
  readonly endpoint: string
  /** `command('SET', 'key', 'value')`; throws what Redis refuses. */
  command(name: string, ...args: (string | number | Buffer)[]): Promise<unknown>
}

export async function startRedis(owner: Owner, options: RedisOptions = {}): Promise<RedisServer> {
  const { args = [], appendOnly = true, password } = options
  const port = await choosePort()
  let client: RedisClient | null = null

  const connect = (): RedisClient => {
    const opened = new RedisClient({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      ...(password === undefined ? {} : { password }),
    })
    opened.on('error', () => {})
    opened.on('end', () => {
      if (client === opened) client = null
    })
    return opened
  }
  const disconnect = (): void => {
    client?.disconnect()
    client = null
  }

  const daemon = await startDaemon(owner, {
    command: 'redis-server',
    debianPackage: 'redis-server',
    args(folder) {
      mkdirSync(folder, { recursive: true })
      return [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
        // It writes before it answers, and what was written survives a SIGKILL without fsync.
        ...['--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'no'],
        ...(password === undefined ? [] : ['--requirepass', password]),
        ...args,
      ]
    },
    async isReady() {
      const asked = connect()
      try {
        // While it loads its data it answers with an error.
        return (await asked.ping()) === 'PONG'
      } catch {
        return false
      } finally {
        asked.disconnect()
      }
    },
  })
  owner.after(disconnect)

  return {
    ...daemon,
    port,
    endpoint: `127.0.0.1:${port}`,
    command(name, ...words) {
      client ??= connect()
      return client.call(name, ...words)
    },
    async kill() {
      disconnect()
      await daemon.kill()
    },
    async wipe() {
      disconnect()
      await daemon.wipe()
    },
  }
}
