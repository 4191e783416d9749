/**
 * One session with one server of an ensemble. It never reconnects: watches do not report what happened while a connection was
 * away, so its owner opens another session and reads everything. A session therefore ends with its connection, and none begins
 * with a transaction id of an earlier one, which a server whose data was wiped would refuse for ever.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { addressOf } from '../../../dns/dialing.ts'
import { SourceRefused } from '../../provider.ts'
import type { RegistryTls } from '../../registry/options.ts'
import { hostOf, portOf, toTlsOptions } from '../../registry/endpoint.ts'
import { toReplyError, ZookeeperLost, ZookeeperTooLong } from './failure.ts'
import { FrameReader } from './frames.ts'
import { JuteReader, JuteWriter } from './jute.ts'
import { EVENT, OP, PASSWORD_BYTES, PROTOCOL_VERSION, STATE, XID } from './protocol.ts'
import type { ZookeeperRequest } from './requests.ts'
import { messageOf } from '../../../model/error-message.ts'

export interface ZookeeperOptions {
  /** For digest authentication. */
  readonly username: string | null
  readonly password: string | null
  readonly tls: RegistryTls | null
  /** How long the session outlives its connection, which servers keep within their bounds; 4 s by default. */
  readonly sessionMs?: number
  /** Until the session has begun; 3 s by default. */
  readonly connectMs?: number
}

export interface ConnectionListener {
  /** `type`: one of EVENT. In order with the responses: an event comes before the data that it is about. */
  onEvent(type: number, path: string): void
  /** Called once, unless `close` was called before. */
  onEnd(error: Error): void
}

const CONNECT_TIMEOUT_MS = 3_000
/**
 * The session's: the least that servers allow by default (twice their tickTime). As in ZooKeeper's client, an idle
 * connection is pinged after a third of it, and one that does not respond for two thirds is lost: together 4.5 s at most.
 */
const SESSION_TIMEOUT_MS = 4_000
const CHECK_INTERVAL_MS = 250
const CLOSE_TIMEOUT_MS = 500
const MAX_XID = 0x7fff_ffff

interface Call {
  readonly doing: string
  resolve(reader: JuteReader, zxid: bigint): void
  reject(error: Error): void
}

/** Rejects with ZookeeperLost or SourceRefused. */
export async function openConnection(
  endpoint: string,
  options: ZookeeperOptions,
  listener: ConnectionListener,
  signal?: AbortSignal,
): Promise<ZookeeperConnection> {
  const { tls } = options
  const name = hostOf(endpoint)
  const host = await addressOf(name).catch((cause: unknown) => {
    const reason = messageOf(cause)
    throw new ZookeeperLost(`ZooKeeper ${endpoint}: cannot connect: ${reason}`, { cause })
  })
  signal?.throwIfAborted()
  const address = { host, port: portOf(endpoint), noDelay: true }
  const socket =
    tls === null
      ? connectTcp(address)
      : connectTls({ ...toTlsOptions(tls, name), ...address }).setNoDelay(true)
  const connection = new ZookeeperConnection(endpoint, socket, listener, options.sessionMs)
  const abort = (): void => connection.close()
  signal?.addEventListener('abort', abort)
  try {
    await connection.begin(tls === null ? 'connect' : 'secureConnect', options)
    return connection
  } catch (error) {
    connection.close()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

export class ZookeeperConnection {
  readonly endpoint: string
  readonly #socket: Socket
  readonly #listener: ConnectionListener
  readonly #frames: FrameReader
  /** By request number, in the order of the requests, which is that of the responses. */
  readonly #calls = new Map<number, Call>()
  #lastXid = 0
  #zxid = 0n
  /** Why it has ended. */
  #end: Error | null = null
  #handshake: { resolve(): void; reject(error: Error): void } | null = null
  /** Its response is not ordered with those of the calls. */
  #login: Call | null = null
  #isPinging = false
  #sentAt = 0
  #progressAt = 0
  #checkedAt = 0
  #timeoutMs: number
  #session = 0n
  #timer: NodeJS.Timeout | null = null

  constructor(
    endpoint: string,
    socket: Socket,
    listener: ConnectionListener,
    sessionMs: number = SESSION_TIMEOUT_MS,
  ) {
    this.endpoint = endpoint
    this.#timeoutMs = sessionMs
    this.#socket = socket
    this.#listener = listener
    this.#frames = new FrameReader({
      onFrame: (frame) => this.#take(frame),
      onLongFrame: (head, length) => this.#takeLong(head, length),
    })
    socket.on('data', (bytes: Buffer) => this.#guard(() => this.#read(bytes)))
    socket.on('error', (error) => this.#lose(error.message))
    socket.on('close', () =>
      this.#fail(new ZookeeperLost(this.#say(this.#closedText()), { isClosed: true })),
    )
  }

  /** Of the last transaction that the server had applied when it responded last. */
  get zxid(): bigint {
    return this.#zxid
  }

  /** Its id, as the owner of ephemeral znodes. */
  get session(): bigint {
    return this.#session
  }

  /** To be called once, before all others. `connected`: the socket's event. */
  async begin(
    connected: string,
    { username, password, connectMs = CONNECT_TIMEOUT_MS }: ZookeeperOptions,
  ): Promise<void> {
    const timer = setTimeout(() => this.#lose('no response in time'), connectMs)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#handshake = { resolve, reject }
        this.#socket.once(connected, () => this.#requestSession())
      })
      if (username !== null) await this.#logIn(`${username}:${password ?? ''}`)
    } finally {
      clearTimeout(timer)
    }
    // What came with the response may have ended it.
    if (this.#end !== null) throw this.#end
    this.#progressAt = this.#sentAt = this.#checkedAt = performance.now()
    this.#timer = setInterval(() => this.#check(), CHECK_INTERVAL_MS)
  }

  /** Rejects with ZookeeperReply, ZookeeperTooLong, SourceRefused or ZookeeperLost. */
  call<Response>(request: ZookeeperRequest<Response>): Promise<Response> {
    if (this.#end !== null) return Promise.reject(this.#end)
    this.#lastXid = this.#lastXid === MAX_XID ? 1 : this.#lastXid + 1
    const xid = this.#lastXid
    if (this.#calls.size === 0 && !this.#isPinging) this.#progressAt = performance.now()
    return new Promise((resolve, reject) => {
      const { doing } = request
      this.#calls.set(xid, {
        doing,
        resolve: (reader, zxid) => resolve(request.read(reader, zxid)),
        reject,
      })
      const writer = new JuteWriter().int(xid).int(request.op)
      request.write(writer)
      this.#send(writer)
    })
  }

  /** Calls in progress are rejected. */
  close(): void {
    if (this.#end !== null) return
    this.#finish(new ZookeeperLost(`ZooKeeper ${this.endpoint}: the connection was closed`))
    const socket = this.#socket
    if (socket.connecting) return void socket.destroy()
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
    socket.once('close', () => clearTimeout(timer))
    // Otherwise the server would keep the session until it expires.
    socket.end(new JuteWriter().int(0).int(OP.closeSession).frame())
  }

  /** As `close`; the session and its ephemeral znodes stay until it expires. */
  abandon(): void {
    if (this.#end !== null) return
    this.#finish(new ZookeeperLost(`ZooKeeper ${this.endpoint}: the connection was closed`))
    this.#socket.destroy()
  }

  #requestSession(): void {
    const writer = new JuteWriter()
    writer.int(PROTOCOL_VERSION).long(0n).int(this.#timeoutMs).long(0n)
    // The last member: a server without a quorum that only reads does not do.
    writer.bytes(Buffer.alloc(PASSWORD_BYTES)).bool(false)
    this.#send(writer)
  }

  #logIn(login: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) return reject(this.#end)
      this.#login = { doing: 'log in', resolve: () => resolve(), reject }
      const writer = new JuteWriter().int(XID.auth).int(OP.auth)
      this.#send(writer.int(0).text('digest').text(login))
    })
  }

  #send(writer: JuteWriter): void {
    const socket = this.#socket
    // Requests of one turn of the event loop leave together.
    if (socket.writableCorked === 0) {
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    this.#sentAt = performance.now()
    socket.write(writer.frame())
  }

  /** What the other side sends must not throw into the event loop. */
  #guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#lose(messageOf(error))
    }
  }

  #read(bytes: Buffer): void {
    if (this.#end !== null) return
    if (this.#frames.isInLongFrame) this.#progressAt = performance.now()
    this.#frames.push(bytes)
  }

  #take(frame: Buffer): void {
    if (this.#end !== null) return
    const reader = new JuteReader(frame)
    if (this.#handshake !== null) return this.#takeSession(reader)
    const xid = reader.int()
    const zxid = reader.long()
    const error = reader.int()
    if (xid === XID.event) return this.#takeEvent(reader)
    if (zxid > this.#zxid) this.#zxid = zxid
    if (xid === XID.ping) this.#isPinging = false
    else this.#answer(this.#callOf(xid), error, reader, zxid)
    // A ping says nothing about the calls that it overtakes.
    if (xid !== XID.ping || this.#calls.size === 0) this.#progressAt = performance.now()
  }

  /** One that was skipped. */
  #takeLong(head: Buffer, length: number): void {
    if (this.#end !== null) return
    const xid = new JuteReader(head).int()
    if (this.#handshake !== null || xid < 0) return this.#lose(`a message has ${length} bytes`)
    const call = this.#callOf(xid)
    this.#progressAt = performance.now()
    const message = `ZooKeeper ${this.endpoint}: cannot ${call.doing}: the response has ${length} bytes`
    call.reject(new ZookeeperTooLong(message))
  }

  #takeSession(reader: JuteReader): void {
    reader.skip(4) // the protocol's version
    const timeoutMs = reader.int()
    if (timeoutMs <= 0) return this.#lose('the server begins no session')
    this.#timeoutMs = Math.min(timeoutMs, this.#timeoutMs)
    this.#session = reader.long()
    this.#handshake?.resolve()
    this.#handshake = null
  }

  #takeEvent(reader: JuteReader): void {
    const type = reader.int()
    const state = reader.int()
    const path = reader.text()
    if (type !== EVENT.none) return this.#listener.onEvent(type, path)
    if (state === STATE.expired) this.#lose('the session has expired')
    if (state === STATE.authFailed) this.#fail(new SourceRefused(this.#say('the login failed')))
  }

  #callOf(xid: number): Call {
    const login = this.#login
    if (xid === XID.auth && login !== null) {
      this.#login = null
      return login
    }
    const [next] = this.#calls
    if (next?.[0] !== xid) throw new Error(`it responds to request ${xid}, which is not the next`)
    this.#calls.delete(xid)
    return next[1]
  }

  #answer(call: Call, error: number, reader: JuteReader, zxid: bigint): void {
    if (error !== 0) return call.reject(toReplyError(error, this.endpoint, call.doing))
    try {
      call.resolve(reader, zxid)
    } catch (cause) {
      const reason = messageOf(cause)
      this.#lose(`the response to "${call.doing}" cannot be read: ${reason}`)
      call.reject(this.#end ?? new Error(reason))
    }
  }

  #check(): void {
    const now = performance.now()
    // A stall of this process is no silence of the server: what has arrived meanwhile is read first.
    const wasStalled = now - this.#checkedAt > 3 * CHECK_INTERVAL_MS
    this.#checkedAt = now
    if (wasStalled) this.#progressAt = now
    const isWaiting = this.#calls.size > 0 || this.#isPinging
    if (isWaiting && now - this.#progressAt > (2 * this.#timeoutMs) / 3) {
      return this.#lose('no response in time')
    }
    // The session lives only if something is sent, also while a response is on its way.
    if (this.#isPinging || now - this.#sentAt < this.#timeoutMs / 3) return
    if (this.#calls.size === 0) this.#progressAt = now
    this.#isPinging = true
    this.#send(new JuteWriter().int(XID.ping).int(OP.ping))
  }

  #closedText(): string {
    if (this.#handshake === null) return 'the server closed the connection'
    return 'the server closed the connection before the session began: it has too many connections (maxClientCnxns), has no quorum, or its port is for TLS'
  }

  #lose(reason: string): void {
    this.#fail(new ZookeeperLost(this.#say(reason)))
  }

  #say(reason: string): string {
    const what = this.#timer === null ? 'cannot connect' : 'the connection was lost'
    return `ZooKeeper ${this.endpoint}: ${what}: ${reason}`
  }

  #fail(error: Error): void {
    if (this.#end !== null) return
    const hasBegun = this.#timer !== null
    this.#finish(error)
    this.#socket.destroy()
    if (hasBegun) this.#listener.onEnd(error)
  }

  #finish(error: Error): void {
    this.#end = error
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#handshake?.reject(error)
    this.#login?.reject(error)
    for (const call of this.#calls.values()) call.reject(error)
    this.#calls.clear()
  }
}
