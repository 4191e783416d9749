/**
 * The listening sockets of one listener in one thread: one that it binds, or those that the thread has inherited. An inherited
 * socket may be shared with another process, which accepts from it, too; closing it here does not close it there.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { descriptorOf, isAmongLast, KEPT_FOR_CONNECTIONS } from '../http/connection/descriptors.ts'
import { helpAgainst } from '../http/connection/shortage.ts'
import type { ListeningSocket } from '../model/listening-socket.ts'
import { isSocketAddress } from '../model/listener.ts'
import type { Address, Listener } from '../model/snapshot.ts'
import type { Inheritance } from './inheritance.ts'
import { adoptPath, listenAtPath, type SocketFile } from './socket-file.ts'

export interface ListenerSocketsOptions {
  /** Several threads listen on the same port. */
  readonly reusePort: boolean
  readonly inherited?: Inheritance | null
}

const BACKLOG = 4_096

export class ListenerSockets {
  readonly #options: ListenerSocketsOptions
  readonly #create: () => Server
  readonly #server: Server
  /** Further ones that were inherited. */
  #more: readonly Server[] = []
  /** Another thread has inherited the only socket of the address. */
  #elsewhere: Address | null = null

  /** Of a unix socket, while it listens. */
  #file: SocketFile | null = null

  constructor(
    socketOptions: { readonly allowHalfOpen: boolean },
    options: ListenerSocketsOptions,
    accept: (socket: Socket) => void,
  ) {
    this.#options = options
    this.#create = () => {
      const server = createServer({ ...socketOptions, noDelay: true, pauseOnConnect: true }, accept)
      return server.on('error', () => {})
    }
    this.#server = this.#create()
  }

  /** `isOwnPath`: the socket that is at its path is the listener's former one, and is replaced. */
  async open(listener: Listener, isOwnPath: boolean): Promise<void> {
    const { address } = listener
    const [first, ...more] = this.#options.inherited?.take(listener) ?? []
    if (first !== undefined) await this.#inherit(first, more)
    else if (!isSocketAddress(address)) await this.#bind(listener, address)
    else this.#file = await listenAtPath(this.#server, address, BACKLOG, isOwnPath)
    if (first !== undefined && isSocketAddress(address)) this.#file = adoptPath(address.path)
    if (!isAmongLast(this.#server, KEPT_FOR_CONNECTIONS)) return
    this.close()
    throw new Error(
      `the last quarter of the open files is kept for connections; ${helpAgainst('EMFILE')}, or declare fewer listeners`,
    )
  }

  async #bind(listener: Listener, { host, port }: Address): Promise<void> {
    this.#elsewhere = null
    this.#server.listen({ host, port, backlog: BACKLOG, reusePort: this.#options.reusePort })
    try {
      await once(this.#server, 'listening')
    } catch (error) {
      // One that was not opened with SO_REUSEPORT, or by another user, is alone: its thread accepts all connections.
      const alone = this.#options.inherited?.ofAnother(listener)?.at
      if (alone === undefined || typeof alone === 'string' || !isTaken(error)) throw error
      this.#elsewhere = alone
    }
  }

  async #inherit(first: ListeningSocket, more: readonly ListeningSocket[]): Promise<void> {
    this.#more = more.map(() => this.#create())
    const rest = this.#more.map((server, at) => listenOn(server, more[at]))
    await Promise.all([listenOn(this.#server, first), ...rest])
  }

  close(): void {
    for (const server of [this.#server, ...this.#more]) server.close()
    this.#more = []
    this.#file?.remove()
    this.#file = null
  }

  get file(): SocketFile | null {
    return this.#file
  }

  /** It is not removed when the socket is closed. */
  keepFile(): void {
    this.#file = null
  }

  /** With the port that the kernel chose if it was 0. */
  get bound(): Address | null {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') return this.#elsewhere
    return { host: address.address, port: address.port }
  }

  list({ id, address }: Listener): ListeningSocket[] {
    const at = isSocketAddress(address) ? address.path : this.bound
    if (at === null) return []
    return [this.#server, ...this.#more].flatMap((server) => {
      const fd = descriptorOf(server)
      return fd < 0 ? [] : [{ fd, at, listener: id, declared: address }]
    })
  }
}

/** The descriptor belongs to the server from then on. */
async function listenOn(server: Server, socket: ListeningSocket | undefined): Promise<void> {
  if (socket === undefined) return
  server.listen({ fd: socket.fd }, BACKLOG)
  await once(server, 'listening')
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}
