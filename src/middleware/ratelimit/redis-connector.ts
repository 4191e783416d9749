/** How ioredis reaches a Redis by its name: through the names of this process, not by a look-up of its own. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector } from 'ioredis'
import { addressOf } from '../../dns/dialing.ts'

interface ConnectorOptions {
  readonly host: string
  readonly port: number
  readonly tls?: object
  readonly disconnectTimeout: number
}

export class RedisConnector extends AbstractConnector {
  readonly #options: ConnectorOptions

  constructor(options: unknown) {
    super((options as ConnectorOptions).disconnectTimeout)
    this.#options = options as ConnectorOptions
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
