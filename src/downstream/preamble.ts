/**
 * What is read of a new connection before its protocol begins: first the header of the PROXY protocol, then the ClientHello.
 * Most connections have neither, and nothing here runs for them.
 */
import type { Socket } from 'node:net'
import { isSocketAddress } from '../model/listener.ts'
import type { ProxiedAddresses } from '../http/proxy-protocol/header.ts'
import { compileNetworks, plainHost } from '../model/ip.ts'
import type { Address, Listener } from '../model/snapshot.ts'
import type { ClientHello } from './client-hello.ts'
import { peekClientHello } from './client-hello-reader.ts'
import { peekProxyHeader } from './proxy-header-reader.ts'

/**
 * A client of a unix socket has no address. It is on this machine, so it counts as one that connects over loopback: where peers
 * are trusted, in limits, in conditions and in the log.
 */
const HERE: Address = { host: '127.0.0.1', port: 0 }
const FROM_HERE: ProxiedAddresses = { source: HERE, destination: HERE }

export interface Preamble {
  /** By the PROXY header, or of a client of a unix socket; null: those of the socket. */
  readonly proxied: ProxiedAddresses | null
  /** Null if it was not read, or the client does not speak TLS. */
  readonly hello: ClientHello | null
}

/**
 * Connections of one listener and thread whose preamble is being read. Beyond it the one that waits longest is closed: one that sends
 * its preamble at once is served, however many are silent.
 */
const MAX_READ = 1_000
const WHAT_HELPS =
  'connections from proxyProtocol.trusted must begin with a PROXY header: let that peer send one, remove it from trusted, or set required to false'

export class PreambleReader {
  #listener: Listener
  /** Whether connections from an address begin with a PROXY header; null: none do. */
  #isProxy: ((ip: string) => boolean) | null
  /** A connection is refused: why, for the log. */
  readonly #onRefused: (text: string) => void
  /** In the order in which they came. */
  readonly #reading = new Set<Socket>()
  readonly #most: number
  /** Its clients connect to a unix socket. */
  readonly #isSocket: boolean

  constructor(listener: Listener, onRefused: (text: string) => void, most: number = MAX_READ) {
    this.#most = most
    this.#onRefused = onRefused
    this.#listener = listener
    this.#isProxy = proxiesOf(listener)
    this.#isSocket = isSocketAddress(listener.address)
  }

  /** Connections whose preamble is being read. */
  get reading(): number {
    return this.#reading.size
  }

  update(listener: Listener): void {
    this.#listener = listener
    this.#isProxy = proxiesOf(listener)
  }

  /** There is something to read before the ClientHello, or to be said of the client. */
  concerns(socket: Socket): boolean {
    return this.#isSocket || this.expectsHeader(socket)
  }

  expectsHeader({ remoteAddress }: Socket): boolean {
    if (this.#isProxy === null) return false
    if (this.#isSocket) return this.#isProxy(HERE.host)
    return remoteAddress === undefined || this.#isProxy(plainHost(remoteAddress))
  }

  /**
   * Calls back with the socket paused and all bytes behind the header put back into it. Does not call back if the connection
   * ends or is refused. `late`: the ClientHello is not complete in time.
   */
  read(
    socket: Socket,
    needsHello: boolean,
    done: (preamble: Preamble) => void,
    late: (preamble: Preamble) => void,
  ): void {
    if (socket.remoteAddress === undefined && !this.#isSocket) {
      // The client has reset the connection already, as HAProxy does after a check.
      socket.destroy()
      return
    }
    if (this.#reading.size >= this.#most) this.#closeOldest()
    this.#reading.add(socket)
    const over = (): boolean => this.#reading.delete(socket)
    socket.once('close', over)
    const finish = (preamble: Preamble): void => {
      over()
      socket.off('close', over)
      done(preamble)
    }
    const { proxyProtocol, timeouts } = this.#listener
    const { headMs } = timeouts
    const own = this.#isSocket ? FROM_HERE : null
    const readHello = (proxied: ProxiedAddresses | null): void => {
      if (!needsHello) finish({ proxied, hello: null })
      else {
        peekClientHello(
          socket,
          headMs,
          (hello) => finish({ proxied, hello }),
          () => late({ proxied, hello: null }),
        )
      }
    }
    if (!this.expectsHeader(socket)) return readHello(own)
    peekProxyHeader(socket, headMs, proxyProtocol?.required ?? true, (header) => {
      if (typeof header !== 'string')
        return readHello(isWithAddress(header) ? header : (own ?? header))
      this.#refuse(socket, `${header}; ${WHAT_HELPS}`)
    })
  }

  #closeOldest(): void {
    const [oldest] = this.#reading
    if (oldest === undefined) return
    this.#reading.delete(oldest)
    this.#refuse(oldest, `waited longest of more than ${this.#most} that have not begun`)
  }

  #refuse(socket: Socket, why: string): void {
    const peer = this.#isSocket ? 'its unix socket' : plainHost(socket.remoteAddress ?? '')
    socket.destroy()
    this.#onRefused(`listener "${this.#listener.id}" closed a connection from ${peer}: it ${why}`)
  }
}

function isWithAddress(header: ProxiedAddresses | null): boolean {
  return header !== null && header.source !== null
}

function proxiesOf({ proxyProtocol }: Listener): ((ip: string) => boolean) | null {
  return proxyProtocol === null ? null : compileNetworks(proxyProtocol.trusted)
}
