/**
 * Connects to one address without a net.Socket, on a handle as handle-end.ts reads and writes it: a stream needs no more, and
 * this saves 5 to 30 % of the CPU time of a new one (bench scenario `tcp`). How this Node makes handles and requests is found
 * once, from a socket that is never opened; until then, and if this Node does it another way, `dialHandle` returns null.
 */
import { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { clock } from '../../http/connection/clock.ts'
import { fdIsAmongLast, KEPT_FOR_ACCEPTING } from '../../http/connection/descriptors.ts'
import { endOfHandle, type Handle, handleOf } from '../../http/connection/handle-end.ts'
import { shortageOf } from '../../http/connection/shortage.ts'
import type { StreamEnd } from '../../http/connection/stream-end.ts'
import { isSocketPath } from '../../model/server-url.ts'
import { lastDescriptors, leadsBack, wholeSeconds } from './connect.ts'
import type { ConnectableServer } from './happy-eyeballs.ts'
import type { Ends } from './own-addresses.ts'

export interface HandleDialOwner {
  /** Called once, asynchronously: with a connected end, which the owner must close, or the error. */
  connected(found: StreamEnd | Error): void
  /** An exception of that. */
  caught(error: unknown): void
}

interface Request {
  dial?: HandleDial
  oncomplete?: (this: Request, status: number) => void
}

interface Name {
  address?: string
}

interface TcpHandle extends Handle {
  onread: unknown
  readonly fd?: number
  connect(request: Request, address: string, port: number): number
  connect6(request: Request, address: string, port: number): number
  setNoDelay(isOn: boolean): number
  setKeepAlive(isOn: boolean, seconds: number): number
  getpeername(into: Name): number
  getsockname(into: Name): number
}

/** What this Node calls them. */
interface Makers {
  readonly Handle: new (type: number) => TcpHandle
  readonly Request: new () => Request
  readonly onread: unknown
}

/** A connection, not a server. */
const SOCKET = 0
const CANCELED = -125
let makers: Makers | null = null
let isSought = false

/** To the only address of a server that speaks no TLS. Null: it must be connected to in another way. */
export function dialHandle(server: ConnectableServer, owner: HandleDialOwner): HandleDial | null {
  if (!isSought) seekMakers()
  const address = server.addresses.only
  if (makers === null || address === null) return null
  if (server.target.tls !== null || isSocketPath(address)) return null
  const handle = new makers.Handle(SOCKET)
  handle.onread = makers.onread
  const end = endOfHandle(handle)
  if (end !== null) return new HandleDial(server, address, handle, end, new makers.Request(), owner)
  handle.close()
  return null
}

export class HandleDial implements Ends {
  readonly #server: ConnectableServer
  readonly #address: string
  readonly #handle: TcpHandle
  readonly #end: StreamEnd
  readonly #owner: HandleDialOwner
  readonly waitsFor = 'connect'
  #isOver = false

  constructor(
    server: ConnectableServer,
    address: string,
    handle: TcpHandle,
    end: StreamEnd,
    request: Request,
    owner: HandleDialOwner,
  ) {
    this.#server = server
    this.#address = address
    this.#handle = handle
    this.#end = end
    this.#owner = owner
    request.dial = this
    request.oncomplete = onComplete
    const { port } = server.target
    const status = address.includes(':')
      ? handle.connect6(request, address, port)
      : handle.connect(request, address, port)
    if (status !== 0) process.nextTick(() => this.complete(status))
    else if (fdIsAmongLast(handle.fd ?? -1, KEPT_FOR_ACCEPTING))
      process.nextTick(() => this.#finish(lastDescriptors()))
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#end.reset()
  }

  complete(status: number): void {
    if (this.#isOver) return
    const { target, own, addresses } = this.#server
    if (status !== 0) {
      const error = this.#failure(status)
      if (shortageOf(error) === null) addresses.failed(this.#address, clock.now)
      return this.#finish(error)
    }
    addresses.connected(this.#address)
    const found = own.find(this)
    this.#finish(found === null ? null : leadsBack(target, found))
  }

  #failure(status: number): Error {
    const { port } = this.#server.target
    const code = getSystemErrorName(status)
    return Object.assign(new Error(`connect ${code} ${this.#address}:${port}`), { code })
  }

  #finish(error: Error | null): void {
    if (this.#isOver) return
    try {
      if (error !== null) this.cancel()
      this.#isOver = true
      if (error === null) this.#setOptions()
      this.#owner.connected(error ?? this.#end)
    } catch (fault) {
      this.#owner.caught(fault)
    }
  }

  #setOptions(): void {
    this.#handle.setNoDelay(true)
    const { keepAliveMs } = this.#server.target
    if (keepAliveMs > 0) this.#handle.setKeepAlive(true, wholeSeconds(keepAliveMs))
  }

  // Its two ends, read only if its port is one of the proxy's own.

  get remotePort(): number {
    return this.#server.target.port
  }

  get remoteAddress(): string | undefined {
    const name: Name = {}
    this.#handle.getpeername(name)
    return name.address
  }

  get localAddress(): string | undefined {
    const name: Name = {}
    this.#handle.getsockname(name)
    return name.address
  }
}

function onComplete(this: Request, status: number): void {
  this.dial?.complete(status)
}

/** From a socket whose request to connect is taken away before it is made. */
function seekMakers(): void {
  isSought = true
  const socket = new Socket()
  socket.on('error', () => {})
  socket.connect({ host: '127.0.0.1', port: 1 })
  const handle = handleOf(socket) as TcpHandle | null
  if (handle === null || !isTcp(handle)) {
    socket.destroy()
    return
  }
  const { onread } = handle
  handle.connect = (request) => {
    makers = {
      Handle: handle.constructor as Makers['Handle'],
      Request: request.constructor as Makers['Request'],
      onread,
    }
    return CANCELED
  }
}

function isTcp(handle: object): boolean {
  const needed = ['connect', 'connect6', 'setNoDelay', 'setKeepAlive', 'onread']
  return [...needed, 'getpeername', 'getsockname'].every((name) => name in handle)
}
