/**
 * An end on the handle below a plain socket. A net.Socket with its two streams has some 3 KB, and each connection of a stream has
 * two; an end on the handle has 1 KB. The socket is taken apart: what Node's read function needs of the handle's owner is here,
 * under Node's own keys, and requests to shut down are made as sockets make them. If this Node has other keys, or its handles are
 * written to in another way (handle-writes.ts), the socket is used as it is.
 */
import { getSystemErrorName } from 'node:util'
import { Socket } from 'node:net'
import { HANDLES_TAKE_NO_REQUEST } from './handle-writes.ts'
import { giveLargeBack, LENT, LENT_BYTES, owned, takeLarge, viewOf } from './socket-reads.ts'
import { callOwner, SocketEnd, type StreamEnd, type StreamOwner } from './stream-end.ts'

interface Request {
  end?: HandleEnd
  buffer?: Buffer
  /** It was done before `oncomplete` was there. */
  readonly writeStatus?: number | null
  oncomplete?: (this: Request, status: number) => void
}

export interface Handle {
  reading?: boolean
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Buffer): void
  /** A number: it is done, or the error. */
  writeBuffer(request: null, data: Buffer): number | Request
  shutdown(request: Request): number
  reset?(): number
  close(): void
}

/** What this Node calls them. */
interface Keys {
  readonly owner: symbol
  readonly buffer: symbol
  readonly ShutdownRequest: new () => Request
}

/** `shutdown` was synchronous. */
const DONE = 1
/** A read below this is the end of a burst. */
const SMALL_BYTES = 4 * 1024

const NOT_ENDED = { endEmitted: false }
/** The end whose buffer was read last. */
let reading: HandleEnd | null = null
let keys: Keys | null | undefined

/** The end on a connected socket, which is paused and must not be used after this. */
export function endOf(socket: Socket): StreamEnd {
  const isInUse = 'encrypted' in socket || socket.writableLength > 0 || hasEnd(socket)
  const handle = isInUse ? null : handleOf(socket)
  if (handle !== null && keys === undefined) keys = findKeys(handle)
  if (handle === null || keys === null || keys === undefined) return new SocketEnd(socket)
  const early: unknown = socket.readableLength > 0 ? socket.read() : null
  // A socket of which a preamble was read reads on, also while it is paused.
  if (handle.reading === true) {
    handle.reading = false
    handle.readStop()
  }
  ;(socket as unknown as { _handle: null })._handle = null
  return new HandleEnd(handle, keys, early instanceof Buffer ? early : null)
}

/** The socket has read the FIN of its peer, which the handle does not report again. */
function hasEnd(socket: Socket): boolean {
  return '_readableState' in socket && (socket._readableState as { ended: boolean }).ended
}

/** The end on a handle that no socket has had. Null before the first end on a socket, or if this Node has other keys. */
export function endOfHandle(handle: Handle): StreamEnd | null {
  return keys === null || keys === undefined ? null : new HandleEnd(handle, keys, null)
}

/** Null: it is not to be used without its socket. */
export function handleOf(socket: Socket): Handle | null {
  const handle: unknown = '_handle' in socket ? socket._handle : null
  const isWhole =
    HANDLES_TAKE_NO_REQUEST &&
    typeof handle === 'object' &&
    handle !== null &&
    ['useUserBuffer', 'writeBuffer', 'shutdown'].every((name) => name in handle)
  return isWhole ? (handle as unknown as Handle) : null
}

export class HandleEnd implements StreamEnd {
  owner: StreamOwner | null = null
  isWriting = false
  readonly #handle: Handle
  readonly #keys: Keys
  /** Read before, and not passed on yet. */
  #early: Buffer | null
  /** Its own large buffer, while much is read. */
  #large: Buffer | null = null
  #isPaused = true
  #hasRead = false
  #hasFinished = false
  #isShut = false
  #isClosed = false
  #wantsLarge = false

  constructor(handle: Handle, known: Keys, early: Buffer | null) {
    this.#handle = handle
    this.#keys = known
    this.#early = early
    const own = this as unknown as Record<symbol, unknown>
    own[known.buffer] = LENT
    ;(handle as unknown as Record<symbol, unknown>)[known.owner] = this
    handle.useUserBuffer(LENT)
    // A socket that has been read, and is paused, leaves its handle reading: what that reads before `resume` would be lost.
    this.pause()
  }

  resume(): void {
    this.#isPaused = false
    const early = this.#early
    if (early !== null) {
      this.#early = null
      this.owner?.received(this, early, early.length)
    }
    if (this.#isPaused || this.#hasRead || this.#isClosed || this.#handle.reading === true) return
    this.#handle.reading = true
    const status = this.#handle.readStart()
    if (status !== 0) this.#break(status, 'read')
  }

  pause(): void {
    this.#isPaused = true
    if (this.#isClosed || this.#handle.reading !== true) return
    this.#handle.reading = false
    this.#handle.readStop()
  }

  write(buffer: Buffer, length: number): boolean {
    if (this.#isClosed || this.#hasFinished) return true
    const data = owned(viewOf(buffer, length))
    const request = this.#handle.writeBuffer(null, data)
    if (typeof request === 'number') {
      if (request !== 0) this.#break(request, 'write')
      return true
    }
    this.isWriting = true
    // Kept in memory until it is written.
    request.buffer = data
    request.end = this
    request.oncomplete = onWritten
    const status = request.writeStatus ?? null
    if (status === null) return false
    this.isWriting = false
    if (status < 0) this.#break(status, 'write')
    return true
  }

  finish(): void {
    if (this.#isClosed || this.#hasFinished) return
    this.#hasFinished = true
    const request = new this.#keys.ShutdownRequest()
    request.end = this
    request.oncomplete = onShutdown
    const status = this.#handle.shutdown(request)
    if (status === DONE) this.shut(0)
    else if (status !== 0) this.#break(status, 'shutdown')
  }

  reset(): void {
    this.owner = null
    if (this.#isClosed) return
    // libuv refuses a reset while the connection is being shut down, and Node takes a handle for closed after that: it would stay.
    const isShutting = this.#hasFinished && !this.#isShut
    this.#isClosed = !isShutting && this.#handle.reset?.() === 0
    this.#close()
  }

  // For the shared callbacks.

  wrote(status: number): void {
    this.isWriting = false
    if (this.#isClosed) return
    if (status < 0) this.#break(status, 'write')
    else callOwner(this, (owner) => owner.drained(this))
  }

  shut(status: number): void {
    this.#isShut = true
    if (status < 0) this.#break(status, 'shutdown')
    else this.#closeIfOver()
  }

  #closeIfOver(): void {
    if (!this.#isShut || !this.#hasRead || this.#isClosed) return
    this.#close()
    callOwner(this, (owner) => owner.closed(this, null))
    this.owner = null
  }

  #break(status: number, call: string): void {
    this.#fail(Object.assign(new Error(`${call} ${getSystemErrorName(status)}`), { errno: status }))
  }

  #fail(error: Error): void {
    if (this.#isClosed) return
    this.#close()
    callOwner(this, (owner) => owner.closed(this, error))
    this.owner = null
  }

  #close(): void {
    if (!this.#isClosed) this.#handle.close()
    this.#isClosed = true
    this.#large = null
  }

  // As the owner of its handle, for Node's read function.

  get destroyed(): boolean {
    return false
  }

  get _readableState(): { readonly endEmitted: boolean } {
    return NOT_ENDED
  }

  took(length: number, buffer: Buffer): boolean {
    reading = this
    if (this.#large !== null) {
      if (length < SMALL_BYTES) this.#wantsLarge = false
    } else if (length === LENT_BYTES) this.#wantsLarge = true
    if (!this.#isClosed && this.owner !== null) {
      try {
        this.owner.received(this, buffer, length)
      } catch (error) {
        this.owner.fault(error)
      }
    }
    return true
  }

  /** Undefined: as before. */
  nextBuffer(): Buffer | undefined {
    // What was read last may be in use.
    if (this.#isPaused) return undefined
    if (this.#wantsLarge) return this.#large === null ? (this.#large = takeLarge()) : undefined
    if (this.#large === null) return undefined
    giveLargeBack(this.#large)
    this.#large = null
    return LENT
  }

  push(_end: null): void {
    this.#hasRead = true
    if (this.#isClosed) return
    this.#handle.reading = false
    this.#handle.readStop()
    callOwner(this, (owner) => owner.finished(this))
    this.#closeIfOver()
  }

  read(): void {}

  destroy(error: Error): void {
    this.#fail(error)
  }
}

function onWritten(this: Request, status: number): void {
  this.end?.wrote(status)
}

function onShutdown(this: Request, status: number): void {
  this.end?.shut(status)
}

/** Node calls it without `this`, right after `took`. */
function nextBuffer(): Buffer | undefined {
  return reading?.nextBuffer()
}

/** From a socket on a handle that records what is made for it. */
function findKeys(handle: Handle): Keys | null {
  let ShutdownRequest: unknown
  const recorder = {
    readStart: () => 0,
    readStop: () => 0,
    useUserBuffer() {},
    close() {},
    shutdown(request: object) {
      ShutdownRequest = request.constructor
      return DONE
    },
  }
  const onread = { buffer: LENT, callback: () => true }
  const socket = new Socket({ handle: recorder, onread, manualStart: true } as object)
  socket.on('error', () => {})
  socket.end()
  socket.destroy()
  const symbols = new Map<string | undefined, symbol>()
  for (const object of [socket, Socket.prototype, handle])
    for (const symbol of Object.getOwnPropertySymbols(object))
      symbols.set(symbol.description, symbol)
  const [owner, buffer, callback, next, touch] = [
    ...['owner_symbol', 'kBuffer', 'kBufferCb', 'kBufferGen', 'kUpdateTimer'],
  ].map((name) => symbols.get(name))
  if (!owner || !buffer || !callback || !next || !touch) return null
  if (typeof ShutdownRequest !== 'function') return null
  const prototype = HandleEnd.prototype as unknown as Record<symbol, unknown>
  prototype[callback] = HandleEnd.prototype.took
  prototype[next] = nextBuffer
  prototype[touch] = HandleEnd.prototype.read
  return { owner, buffer, ShutdownRequest } as unknown as Keys
}
